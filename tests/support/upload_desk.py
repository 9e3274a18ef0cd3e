"""A console of which only the files of replies work: database, blob store and a clock that the test moves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.principals import TICKETS, Principal
from mailroom_console.storage import upload_states
from mailroom_console.storage.database import Database
from mailroom_console.storage.schema import agents, drafts, portals
from mailroom_console.uploads import purge as upload_purge
from mailroom_console.uploads import records as uploads
from mailroom_contracts import Actor, AttachmentRef, BlobRef, ReplyRequested, TicketMessage
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobStore
from sqlalchemy import insert

NOBODY = Principal(kind="token", id="t1", portal_id="p1", name="Test", scopes=frozenset({TICKETS}))


@dataclass
class UploadDesk:
    """`now` is what the console takes for the present."""

    database: Database
    folder: Path
    now: datetime = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    console: Console = field(init=False)
    remover: Any = field(init=False)

    def __post_init__(self) -> None:
        self.remover = BlobRemover(str(self.folder))
        self.console = cast(Console, SimpleNamespace(
            database=self.database, blobs=BlobStore(str(self.folder)), now=lambda: times.micros(self.now),
            settings=SimpleNamespace(upload_limit_bytes=1_000_000),
        ))  # fmt: skip

    async def start(self) -> None:
        await self.database.migrate()
        at = {"created_at": 0, "updated_at": 0}
        async with self.database.write() as connection:
            await connection.execute(insert(portals).values(id="p1", name="Acme", dkim=[], revision=1, **at))
            await connection.execute(
                insert(agents).values(id="a1", portal_id="p1", email="a@acme.example", name="A", role="agent",
                                      must_change=False, revision=1, **at)
            )  # fmt: skip

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def give(self, name: str, content: bytes = b"x") -> str:
        """Give a file; its id."""
        kept = await uploads.store(self.console, NOBODY, filename=name, content_type="text/plain", content=content)
        return str(kept["id"])

    async def reply(self, *upload_ids: str) -> None:
        """What a reply that names these files does with them."""
        files = await uploads.references(self.console, NOBODY, "t1", [{"id": each} for each in upload_ids])
        await uploads.use(self.console, NOBODY, files)

    async def recorded(self, content: bytes) -> None:
        """What the read model does with an event of a reply that has a file with this content."""
        key = f"p1/uploads/{hashlib.sha256(content).hexdigest()}"
        file = AttachmentRef(filename="a", size=len(content), blob=BlobRef(key=key, size=len(content)))
        message = TicketMessage(id="m1", direction="out", kind="reply", at=self.now, attachments=[file])
        event = ReplyRequested(id="e1", ticket_id="t1", portal_id="p1", version=2, at=self.now, causation_id="c1",
                               actor=Actor(kind="agent"), message=message, outbound_id="o1")  # fmt: skip
        await self.database.transact(lambda connection: upload_states.used_by(connection, [event]))

    async def draft(self, *upload_ids: str, **more: str) -> None:
        content = {"text": "Hi", "attachments": [{"id": each} for each in upload_ids], **more}
        async with self.database.write() as connection:
            await connection.execute(
                insert(drafts).values(ticket_id="t1", agent_id="a1", portal_id="p1", key="k", content=content,
                                      updated_at=0)
            )  # fmt: skip

    async def purge(self) -> int:
        return await upload_purge.purge(self.database, self.remover, now=times.micros(self.now))

    def blobs(self) -> int:
        """How many files the blob store holds."""
        return sum(path.is_file() for path in self.folder.glob("p1/uploads/*"))
