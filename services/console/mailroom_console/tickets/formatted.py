"""Formatted text: HTML that an agent or a program wrote, made safe as a stranger's would be, its pictures put with it.

A picture within a letter is an attachment with a content id, which the HTML names as `cid:` (RFC 2392). The page's editor
names pictures that were given before as `cid:{upload}@pictures.mailroom`; what stands in the HTML itself (`data:`), which
mail programs leave out, becomes such an attachment too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailroom_contracts import AttachmentRef
from mailroom_mail import html_to_text, sanitize, text_to_html
from mailroom_runtime.process.apart import NotDone, apart

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import Principal
from mailroom_console.problems import Problem, invalid
from mailroom_console.uploads import records as uploads

MOST_PICTURES = 50
_CONTENT_ID = re.compile(r"[A-Za-z0-9._+-]{1,100}@[A-Za-z0-9.-]{1,100}")
# of what `sanitize` gave: attribute values are quoted there
_DATA = re.compile(r'(?<= src=")data:(image/[a-z]{2,5});base64,([A-Za-z0-9+/=\s]*)(?=")', re.IGNORECASE)
_SIGNATURE = "<div>-- <br>"


@dataclass(frozen=True, slots=True)
class Written:
    """What a command carries: text (never missing where there is HTML), safe HTML or None, files and pictures."""

    text: str
    html: str | None
    files: list[AttachmentRef]


async def written(
    console: Console, principal: Principal, ticket_id: str, text: str, html: str | None,
    attachments: Sequence[Mapping[str, Any]],
) -> Written:  # fmt: skip
    """Text, HTML and files as a command carries them. Raises `Problem` for files that cannot be, and HTML that is too much."""
    for each in attachments:
        if each.get("content_id") and not _CONTENT_ID.fullmatch(str(each["content_id"])):
            raise invalid("attachments", say("A content_id is like logo@acme.example: letters and digits, with one @."))
    if not (html or "").strip():
        return Written(text, None, await uploads.references(console, principal, ticket_id, attachments))
    assert html is not None
    given = [*attachments, *await _own_pictures(console, principal, html, attachments)]
    named = {str(each["content_id"]): f"cid:{each['content_id']}" for each in given if each.get("content_id")}
    try:
        safe, pictures, plain = await apart(made_safe, html, named, not text.strip())
    except NotDone as problem:
        raise Problem(
            413, "too_complicated", say("This formatting is too complicated. Write it simpler, or as plain text.")
        ) from problem
    if len(pictures) > MOST_PICTURES:
        raise invalid("html", say("At most {most} pictures.", most=MOST_PICTURES))
    files = await uploads.references(console, principal, ticket_id, [*given, *pictures])
    return Written(plain if not text.strip() else text, safe if safe.strip() else None, files)


def made_safe(html: str, named: Mapping[str, str], with_text: bool) -> tuple[str, list[dict[str, str]], str]:
    """Safe HTML, the pictures that stood in it as attachments to be, and its text where asked for. Pure.

    `named`: content ids that may be shown, each with what stands for it.
    """
    safe = sanitize(html, inline=named, remote_images=True).html
    found: dict[str, dict[str, str]] = {}

    def taken_out(match: re.Match[str]) -> str:
        kind, content = match[1].lower(), "".join(match[2].split())
        content_id = f"{hashlib.sha256(content.encode()).hexdigest()[:32]}@data.mailroom"
        ending = {"image/jpeg": "jpg", "image/jpg": "jpg"}.get(kind, kind.partition("/")[2])
        found[content_id] = {
            "filename": f"picture-{len(found) + 1}.{ending}"
            if content_id not in found
            else found[content_id]["filename"],
            "content_type": "image/jpeg" if ending == "jpg" else kind,
            "content_base64": content,
            "content_id": content_id,
        }
        return f"cid:{content_id}"

    safe = _DATA.sub(taken_out, safe)
    return safe, list(found.values()), html_to_text(safe) if with_text else ""


def with_signature(html: str, signature: str) -> str:
    """Formatted text with the address's signature below it, as `composer.with_signature` writes it in plain text."""
    signature = signature.strip()
    return f"{html}<div><br></div>{text_to_html('-- ')[:-6]}<br>{text_to_html(signature)[5:]}" if signature else html


def without_signature(html: str) -> str:
    """The text above the signature that `with_signature` put."""
    before, mark, _ = html.rpartition(_SIGNATURE)
    return before.removesuffix("<div><br></div>") if mark else html


async def _own_pictures(
    console: Console, principal: Principal, html: str, attachments: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The pictures that were given before and that the HTML names; those that are gone are left out of it."""
    wanted = [i for i in dict.fromkeys(uploads.OWN_PICTURE.findall(html)) if all(i != a.get("id") for a in attachments)]
    if len(wanted) > MOST_PICTURES:
        raise invalid("html", say("At most {most} pictures.", most=MOST_PICTURES))
    kept = await uploads.which_are_kept(console, principal, wanted)
    return [{"id": i, "content_id": f"{i}@pictures.mailroom"} for i in wanted if i in kept]
