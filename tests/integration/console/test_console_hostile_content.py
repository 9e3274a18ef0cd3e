"""Whatever stands in an event, and whichever database it is: the event is shown or goes aside, and the rest goes on."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_console.read_model import event_reader
from mailroom_contracts import AttachmentRef, BlobRef, TicketEvent
from mailroom_runtime.bus.dead_letters import bury_record
from mailroom_runtime.bus.kafka import BusDown
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, Starter


def hostile(story: Story) -> list[TicketEvent]:
    """A ticket with what databases trip over."""
    names = [
        AttachmentRef(filename=" ".join(f"{n}x{k}ж" for k in range(600)) + ".pdf", content_type="text/plain", size=1,
                      blob=BlobRef(key="k", size=1))
        for n in range(60)
    ]  # fmt: skip
    return [
        story.created("Sub\0ject \U0001f600 \u202e"),
        story.mail("text\0 with NUL, " + "é" * 5000, cause="nul"),
        story.mail("names", cause="names", attachments=names),
        story.mail("word" * 30_000, cause="word"),
        story.mail("many " + " ".join(f"w{n}" for n in range(900)), cause="many"),
    ]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_hostile_content(
    kind: str, start_console: Starter, bus: Bus, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = iter([BusDown("Kafka does not answer")] * 2)  # just when something is to go aside

    async def bury(*given: Any, **more: Any) -> None:
        for error in away:
            raise error
        await bury_record(*given, **more)

    monkeypatch.setattr(event_reader, "bury_record", bury)
    more: dict[str, Any] = {}
    if kind == "postgresql":
        more["database"] = request.getfixturevalue("postgres").url("hostile")
    console = await start_console(**more)
    about = {"portal": console.ids["portal"], "queue": console.ids["queue"], "address": console.ids["address"]}
    first, second, after = (Story(n, **about) for n in (1, 2, 3))
    refused = second.created("Its number is too long")
    refused = refused.model_copy(update={"version": 2**70})  # no database holds that
    await bus.events(*hostile(first), refused, *hostile(after))

    async def shown() -> bool:
        found = {t["number"]: t for t in (await console.get("/tickets"))["items"]}
        if not {first.number, after.number} <= found.keys():
            return False
        return len((await console.get(f"/tickets/{found[after.number]['id']}"))["messages"]) == 4

    await eventually(shown, 20)
    ticket = await console.get(f"/tickets/{first.number}")
    assert ticket["subject"].startswith("Subject")
    assert ticket["messages"][0]["text"].replace("\0", "").startswith("text with NUL")
    numbers = {t["number"] for t in (await console.get("/tickets", q="names"))["items"]}
    assert numbers <= {first.number, after.number}

    async def aside() -> bool:
        return len((await console.get("/dead-letters", topic="ticket.events"))["items"]) == 1

    await eventually(aside, 15)
    assert console.service is not None
    assert console.service.health.ready


async def test_a_record_that_kafka_never_takes_goes_aside_and_holds_nothing_up(start_console: Starter) -> None:
    from mailroom_console.storage.schema import outbox
    from sqlalchemy import insert

    console = await start_console()
    from mailroom_console.storage.database import Database

    database = Database(console.settings.database_url)
    async with database.write() as connection:
        value = b'{"portal_id": "%s", "x": "%s"}' % (console.ids["portal"].encode(), b"x" * 2_000_000)
        await connection.execute(insert(outbox).values(topic="queues", key="q", value=value, headers=[]))
    await database.close()
    made = await console.api.post("/queues", json={"name": "Later"})
    assert made.status_code == 201

    async def aside() -> bool:
        items = (await console.get("/dead-letters", topic="queues"))["items"]
        return [item["error_type"] for item in items] == ["RecordTooLarge"]

    await eventually(aside, 15)
    dead = (await console.get("/dead-letters", topic="queues"))["items"][0]
    again = await console.api.post(f"/dead-letters/{dead['id']}/replay")
    assert (again.status_code, again.json()["code"]) == (409, "too_large")
    await eventually(lambda: _published(console), 15)


async def _published(console: Any) -> bool:
    from mailroom_console.storage.database import Database
    from mailroom_console.storage.schema import outbox
    from sqlalchemy import func, select

    database = Database(console.settings.database_url)
    try:
        async with database.read() as connection:
            return not await connection.scalar(select(func.count()).where(outbox.c.published_at.is_(None)))
    finally:
        await database.close()
