"""Where a file for a reply stands: waiting, used by a message, or about to be deleted."""

from __future__ import annotations

from collections.abc import Iterable

from mailroom_contracts import NoteAdded, ReplyRequested, TicketEvent
from sqlalchemy import Connection, update

from .schema import uploads

WAITING, USED, GOING = "waiting", "used", "going"
FOLDER = "/uploads/"  # of a blob key, after the portal


def used_by(connection: Connection, events: Iterable[TicketEvent]) -> None:
    """Say of the files of replies and notes that were recorded that they are kept. It blocks: for `Database.transact`.

    It was said before the command was sent; but a database from a back-up has forgotten it, and other systems write
    commands too.
    """
    keys = {
        file.blob.key
        for event in events if isinstance(event, ReplyRequested | NoteAdded)
        for file in event.message.attachments if FOLDER in file.blob.key
    }  # fmt: skip
    if keys:
        connection.execute(
            update(uploads).where(uploads.c.blob_key.in_(keys), uploads.c.state != USED).values(state=USED)
        )
