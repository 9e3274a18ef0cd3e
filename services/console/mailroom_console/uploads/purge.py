"""Files that agents gave and then used in no reply or note: deleted 30 days after they were given last.

A file goes in two steps. First it is marked as going, and nothing can refer to it any more; then its blob and its row
are deleted while nobody can give it anew. Whatever fails in between is done again the next time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobsDown
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import bindparam, delete, func, select, text, update

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.storage.database import Database
from mailroom_console.storage.schema import drafts, uploads
from mailroom_console.storage.upload_states import GOING, WAITING

from .records import OWN_PICTURE

log = get_logger()
KEPT_US = 30 * times.DAY
EVERY_S = 3600.0
LOOK_EVERY_S = 5.0


async def run(console: Console, remover: BlobRemover) -> None:
    """Purge for ever, once an hour; a blob store that is away is asked again the next time.

    Not before the read model has caught up: events say of files that they are used, see `storage.upload_states`.
    """
    while True:
        ready = console.read.caught_up
        try:
            if ready and (count := await purge(console.database, remover, now=console.now())):
                log.info("uploads.purged", count=count)
        except BlobsDown as error:
            log.warning("uploads.waiting", reason=str(error))
        await asyncio.sleep(EVERY_S if ready else LOOK_EVERY_S)


async def purge(database: Database, remover: BlobRemover, *, now: int) -> int:
    """Delete what nothing used by `now` (microseconds); how many. What a draft names stays. Raises `BlobsDown`."""
    async with database.write() as connection:
        named = {each for content in (await connection.execute(select(drafts.c.content))).scalars()
                 for each in _attached(content)}  # fmt: skip
        old = await connection.execute(
            select(uploads.c.id).where(uploads.c.state == WAITING, uploads.c.created_at < now - KEPT_US)
        )
        gone = [{"gone": each} for each in old.scalars() if each not in named]
        if gone:
            marked = update(uploads).where(uploads.c.id == bindparam("gone"), uploads.c.state == WAITING)
            await connection.execute(marked.values(state=GOING), gone)
        going = list((await connection.execute(select(uploads.c.id).where(uploads.c.state == GOING))).scalars())
    return sum([await _delete(database, remover, each) for each in going])


async def _delete(database: Database, remover: BlobRemover, upload_id: str) -> bool:
    async with database.write() as connection:
        if not database.sqlite:  # nobody may give the same content between the look at the rows and the deletion
            await connection.execute(text("LOCK TABLE uploads IN SHARE ROW EXCLUSIVE MODE"))
        this = uploads.c.id == upload_id, uploads.c.state == GOING
        key = await connection.scalar(select(uploads.c.blob_key).where(*this))
        if key is None:
            return False  # given again meanwhile
        others = select(func.count()).where(uploads.c.blob_key == key, uploads.c.id != upload_id)
        if not await connection.scalar(others):
            await remover.remove(key)
        await connection.execute(delete(uploads).where(*this))
    return True


def _attached(content: Any) -> Iterator[str]:
    """Ids of the uploads that a draft names; a draft holds what a browser sent, whatever that is."""
    if not isinstance(content, dict):
        return
    for name in ("html", "note_html"):
        yield from OWN_PICTURE.findall(str(content.get(name) or ""))
    given = content.get("attachments")
    for each in given if isinstance(given, list) else ():
        if isinstance(each, dict) and each.get("id"):
            yield str(each["id"])
