"""A running console: files that no reply used go, blob and all; what an event names stays, whoever wrote the command."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from mailroom_console.uploads import purge as upload_purge
from mailroom_contracts import AttachmentRef, BlobRef
from mailroom_runtime.blobs.store import BlobStore
from sqlalchemy import create_engine, text
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, Starter


async def test_unused_files_go_and_used_ones_stay(
    start_console: Starter, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_purge, "EVERY_S", 0.1)
    monkeypatch.setattr(upload_purge, "LOOK_EVERY_S", 0.1)
    console = await start_console()
    blobs = BlobStore(console.settings.blob_url)
    keys = {name: f"{console.ids['portal']}/uploads/{hashlib.sha256(name.encode()).hexdigest()}"
            for name in ("used", "unused")}  # fmt: skip
    for name in keys:
        given = await console.api.post("/attachments", files=[("file", (name, name.encode(), "text/plain"))])
        assert given.status_code == 201, given.text
    s = Story(1, portal=console.ids["portal"], queue=console.ids["queue"], address=console.ids["address"])
    file = AttachmentRef(filename="used", size=4, blob=BlobRef(key=keys["used"], size=4))
    await bus.events(s.created(), s.mail(), s.reply("c1", attachments=[file]))
    engine = create_engine(f"sqlite:///{console.settings.data / 'console.db'}")

    async def states() -> dict[str, str]:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT filename, state FROM uploads"))
            return {str(row.filename): str(row.state) for row in rows}

    async def marked() -> bool:
        return await states() == {"used": "used", "unused": "waiting"}

    async def purged() -> bool:
        return await states() == {"used": "used"}

    def age() -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE uploads SET created_at = 0"))

    await eventually(marked, 10)
    await asyncio.to_thread(age)  # not in the loop: the console, which may be writing just now, runs there too
    await eventually(purged, 10)
    engine.dispose()
    assert {name: await blobs.exists(key) for name, key in keys.items()} == {"used": True, "unused": False}
