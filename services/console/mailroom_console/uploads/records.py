"""Files for replies and notes: checked, stored in the blob store, referred to by commands."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mailroom_contracts import AttachmentRef, BlobRef, ids
from mailroom_runtime.blobs.store import BlobMissing, BlobsDown
from sqlalchemy import case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import TICKETS, Principal
from mailroom_console.problems import Problem, invalid, not_found
from mailroom_console.storage.schema import uploads
from mailroom_console.storage.upload_states import FOLDER, GOING, USED, WAITING

_TYPE = re.compile(r"[a-zA-Z0-9!#$&^_.+-]{1,64}/[a-zA-Z0-9!#$&^_.+-]{1,64}")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\<>:"|?*\u200e\u200f\u2028-\u202e\u2066-\u2069]')
# How HTML names a picture that was uploaded: its content id (RFC 2392).
OWN_PICTURE = re.compile(r"cid:([0-9a-f]{32})@pictures\.mailroom")


def file_name(name: str | None) -> str:
    """A file name that is one, without folders, controls or turned-round text."""
    cleaned = _UNSAFE.sub("_", name or "").strip(". ")[:150]
    return cleaned or "attachment"


def media_type(given: str | None) -> str:
    """The type without parameters; octet-stream for what is not a type."""
    bare = (given or "").partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else "application/octet-stream"


async def store(
    console: Console, principal: Principal, *, filename: str | None, content_type: str | None, content: bytes
) -> dict[str, Any]:
    """Keep a file for a reply to come: `{id, filename, content_type, size}`."""
    principal.require(TICKETS)
    _check_size(console, len(content))
    name, kind = file_name(filename), media_type(content_type)
    digest = hashlib.sha256(content).hexdigest()
    upload_id = ids.derive("upload", principal.portal_id, digest, name, kind)
    key = f"{_folder(principal)}{digest}"
    # the row first: what `upload_purge` deletes has no row that waits, so the blob that is put now stays
    async with console.database.write() as connection:
        insert: Any = (sqlite if console.database.sqlite else postgresql).insert(uploads)
        statement = insert.values(id=upload_id, portal_id=principal.portal_id, filename=name, content_type=kind,
                                  size=len(content), blob_key=key, created_at=console.now(), state=WAITING)  # fmt: skip
        again = case((uploads.c.state == USED, USED), else_=WAITING)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"], set_={"created_at": statement.excluded.created_at, "state": again}
            )
        )
    await _put(console, key, content)
    return {"id": upload_id, "filename": name, "content_type": kind, "size": len(content)}


async def references(
    console: Console, principal: Principal, ticket_id: str, given: Sequence[Mapping[str, Any]]
) -> list[AttachmentRef]:
    """Attachments of a command: each `{id}` of an upload, or `{filename, content_type, content_base64}`; with
    `content_id` shown within the HTML."""
    if len(given) > 50:
        raise invalid("attachments", say("At most 50 attachments."))
    found: list[AttachmentRef] = []
    for each in given:
        shown = {"content_id": str(each["content_id"]), "inline": True} if each.get("content_id") else {}
        if each.get("id"):
            found.append((await _uploaded(console, principal, str(each["id"]))).model_copy(update=shown))
            continue
        try:
            content = base64.b64decode(str(each.get("content_base64") or ""), validate=True)
        except (binascii.Error, ValueError):
            raise invalid("attachments", say("The content of an attachment is not base64.")) from None
        _check_size(console, len(content))
        digest = hashlib.sha256(content).hexdigest()
        ref = await _put(console, f"{principal.portal_id}/{ticket_id}/att-{digest[:40]}", content)
        found.append(
            AttachmentRef(filename=file_name(each.get("filename")), content_type=media_type(each.get("content_type")),
                          size=len(content), blob=BlobRef(key=ref.key, size=ref.size, sha256=digest), **shown)
        )  # fmt: skip
    _check_size(console, sum(ref.size for ref in found))
    return found


async def use(console: Console, principal: Principal, files: Sequence[AttachmentRef]) -> None:
    """Say that a command is about to refer to these files: they are kept from now on.

    Raises `Problem` 404 for one that was deleted in between.
    """
    keys = {file.blob.key for file in files if file.blob.key.startswith(_folder(principal))}
    if not keys:
        return
    async with console.database.write() as connection:
        ours = uploads.c.blob_key.in_(keys)
        await connection.execute(update(uploads).where(ours, uploads.c.state == WAITING).values(state=USED))
        kept = (await connection.execute(select(uploads.c.blob_key).where(ours, uploads.c.state == USED))).scalars()
        if keys - set(kept):
            raise not_found(mark("attachment"))


async def which_are_kept(console: Console, principal: Principal, wanted: Sequence[str]) -> set[str]:
    """Those of these uploads that the portal has and that are not about to be deleted."""
    query = select(uploads.c.id).where(
        uploads.c.id.in_(wanted), uploads.c.portal_id == principal.portal_id, uploads.c.state != GOING
    )
    async with console.database.read() as connection:
        return set((await connection.execute(query)).scalars()) if wanted else set()


async def content(console: Console, principal: Principal, upload_id: str) -> bytes:
    """An upload's bytes. Raises `Problem` 404 for one that the portal does not have, 503 without the blob store."""
    ref = await _uploaded(console, principal, upload_id)
    try:
        return await console.blobs.get(ref.blob)
    except BlobMissing:
        raise not_found(mark("attachment")) from None
    except BlobsDown:
        raise Problem(503, "blobs_unavailable", say("The file store does not answer. Try again later.")) from None


def _folder(principal: Principal) -> str:
    return f"{principal.portal_id}{FOLDER}"


async def _uploaded(console: Console, principal: Principal, upload_id: str) -> AttachmentRef:
    async with console.database.read() as connection:
        row = (
            await connection.execute(
                select(uploads).where(
                    uploads.c.id == upload_id, uploads.c.portal_id == principal.portal_id, uploads.c.state != GOING
                )
            )
        ).one_or_none()
    if row is None:
        raise not_found(mark("attachment"))
    return AttachmentRef(filename=row.filename, content_type=row.content_type, size=row.size,
                         blob=BlobRef(key=row.blob_key, size=row.size))  # fmt: skip


async def _put(console: Console, key: str, content: bytes) -> BlobRef:
    try:
        return await console.blobs.put(key, content)
    except BlobsDown:
        raise Problem(503, "blobs_unavailable", say("The file store does not answer. Try again later.")) from None


def _check_size(console: Console, size: int) -> None:
    if size > console.settings.upload_limit_bytes:
        limit = console.settings.upload_limit_bytes // 1_000_000
        raise Problem(413, "too_large", say("Attachments have at most {limit} MB together.", limit=limit))
