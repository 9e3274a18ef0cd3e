"""What a portal keeps no longer is removed: with a real router, on both databases; and what others need, too, is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mailroom_console.erasing import due, event_log, retention
from mailroom_console.storage.database import Database
from mailroom_console.storage.schema import expiries
from mailroom_console.times import micros, now
from mailroom_contracts import (
    Actor,
    AttachmentRef,
    CommandRefused,
    Erased,
    Expire,
    FilesRemoved,
    Merged,
    RemoveFiles,
    SetStatus,
    TicketCommand,
    TicketEvent,
    ids,
)
from mailroom_contracts import topics as all_topics
from mailroom_runtime.blobs.store import BlobStore
from sqlalchemy import func, inspect, select, text
from support.console_story import Story
from support.servers import ValkeyServer
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter
from .test_console_erasing import blobs_with
from .test_console_event_log import (  # noqa: F401 - `kafka` is a broker whose `disks` are looked at
    WORD,
    Town,
    disks,
    hurry,
    kafka,
    nowhere_but_in_tables,
    renewed,
    routing,
)
from .test_console_forms_again import forms_of
from .test_console_own_things import signed_in


async def tables_with(words: list[str], database: Database) -> set[str]:
    """The tables that have one of these words in any column of any row."""
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda c: inspect(c).get_table_names())
        return {
            name for name in names for row in await connection.execute(text(f'SELECT * FROM "{name}"'))
            if any(word in str(tuple(row)) for word in words)
        }  # fmt: skip


async def close(console: RunningConsole, ticket: str) -> None:
    changed = await console.api.patch(f"/tickets/{ticket}", json={"status": "closed"})
    assert changed.status_code in (200, 202), changed.text

    async def closed() -> bool:
        return bool((await console.get(f"/tickets/{ticket}"))["status"] == "closed")

    await eventually(closed, 30, what="the ticket being closed")


async def keep(console: RunningConsole, **days: int | None) -> None:
    changed = await console.api.patch("/portals/current", json=days)
    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in days} == days


async def begun(database: Database, number: int) -> None:
    async def there() -> bool:
        async with database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(expiries)) == number

    await eventually(there, 30, what=f"{number} tickets being removed")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_a_ticket_whose_time_is_over_nothing_is_left(
    kind: str, start_console: Starter, bus: Bus, kafka: str, topics: str, disks: Path, tmp_path: Path,  # noqa: F811
    valkey: ValkeyServer, start_service: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    monkeypatch.setattr(event_log, "FINISHED", 0)  # segments end after a second here
    monkeypatch.setattr(retention, "REST_S", 0.0)
    await hurry(kafka, topics)
    more = {"database": request.getfixturevalue("postgres").url("retention")} if kind == "postgresql" else {}
    console = await start_console(**more)
    router = routing(start_service, kafka, topics, tmp_path, valkey)
    town = Town(console, bus)
    await town.writes("jo@marked.example", f"{WORD}: where is it?")
    await town.writes("lee@customer.example", "Opened again")
    await town.writes("kim@customer.example", "Closed later")
    await town.writes("max@customer.example", "Never closed")
    tickets = {item["customer"]["email"].partition("@")[0]: item["id"] for item in await town.shows(4)}
    note = await console.api.post(f"/tickets/{tickets['jo']}/notes", json={"text": f"My {WORD}"},
                                  headers={"Idempotency-Key": "n"})  # fmt: skip
    assert note.status_code in (200, 201, 202), note.text
    for who in ("jo", "lee"):
        await close(console, tickets[who])
    boundary = micros(now())
    await close(console, tickets["kim"])
    for module in (due, retention):  # what was closed up to now was closed for so many days
        monkeypatch.setattr(module, "closed_before", lambda _days, _now: boundary)
    router.kill()
    # asked for before the console looks, and done after it: the router alone can know
    opened = SetStatus(id="open-lee", ticket_id=tickets["lee"], portal_id=console.ids["portal"], status="open",
                       at=now(), actor=Actor(kind="api"))  # fmt: skip
    await bus.send(all_topics.TICKET_COMMANDS, opened)
    await keep(console, tickets_kept_days=30)
    database = Database(console.settings.database_url)
    await begun(database, 2)
    router.start()
    await town.shows(3)
    expected = {"lee@customer.example": "open", "kim@customer.example": "closed", "max@customer.example": "open"}

    async def opened_again() -> bool:
        left = (await console.get("/tickets"))["items"]
        return {item["customer"]["email"]: item["status"] for item in left} == expected

    await eventually(opened_again, 30, what="what stays, as it is")
    await begun(database, 0)
    (told,) = (await console.get("/erasures"))["items"]
    assert (told["kind"], told["state"], told["removed"]["tickets"], told["removed"]["messages"]) == (
        "retention", "done", 1, 2,
    )  # fmt: skip
    assert told["event_log"]["state"] == "kept"
    trail = (await console.get("/audit"))["items"]
    assert [e["actor"]["name"] for e in trail if e["action"] == "retention.removed"] == ["Mailroom"]

    await renewed(console.api)
    assert (await console.get("/erasures"))["items"][0]["event_log"]["state"] == "gone"
    words = [WORD, "jo@marked.example", '"Jo"']
    await nowhere_but_in_tables(words, console, topics, disks, tmp_path, valkey)
    assert await tables_with(words, database) == set()
    assert await tables_with(["lee@customer.example"], database) != set()
    assert len(blobs_with("kim@customer.example", Path(console.settings.blob_url))) == 1
    assert router.running
    await database.close()


def routers(command: TicketCommand) -> list[TicketEvent]:
    """As the router does for a ticket that stays closed; of ticket 3, which was opened again, it refuses."""
    kind = {Expire: "ticket.erased", RemoveFiles: "ticket.files_removed"}[type(command)]
    about: dict[str, Any] = {
        "id": ids.event_id(command.id, kind, ticket=command.ticket_id), "version": 99, "at": command.at,
        "ticket_id": command.ticket_id, "portal_id": command.portal_id, "causation_id": command.id,
        "actor": command.actor,
    }  # fmt: skip
    if command.ticket_id == Story(3, portal=command.portal_id, queue=routers.queue, address="").ticket:  # type: ignore[attr-defined]
        return [CommandRefused(**about, command_type=command.type, code="not_due", reason="Open.")]
    if isinstance(command, Expire):
        return [Erased(**about, reason="retention")]
    assert isinstance(command, RemoveFiles)
    return [FilesRemoved(**about, message_ids=command.message_ids, days=command.days)]


async def test_files_go_before_their_tickets_but_for_those_that_another_ticket_needs(
    start_console: Starter, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "REST_S", 0.0)
    console = await start_console()
    routers.queue = console.ids["queue"]  # type: ignore[attr-defined]
    portal, store = console.ids["portal"], BlobStore(console.settings.blob_url)
    about = {"portal": portal, "queue": console.ids["queue"], "address": console.ids["address"]}
    stories = {number: Story(number, **about) for number in (1, 2, 3, 4)}
    stories[2].at = stories[1].at  # one mail to two queues: it has one time
    for number, story in stories.items():
        receipt = f"r{min(number, 2) if number > 2 else 1}{number if number > 2 else ''}"
        raw = await store.put(f"{portal}/{receipt}/raw.eml", f"raw {WORD} {receipt}".encode())
        blob = await store.put(f"{portal}/{receipt}/att-1", f"file {WORD} {receipt}".encode())
        file = AttachmentRef(filename="invoice.pdf", content_type="application/pdf", size=blob.size,
                             blob=blob.model_dump())  # fmt: skip
        begun_by = story.created(f"Invoice {number}")
        sent = story.mail("See the invoice", raw=raw.model_dump(), attachments=[file])
        closed = [story.status("closed")] if number != 2 else []
        await bus.events(begun_by, sent, *closed)

    async def there() -> bool:
        return len((await console.get("/tickets"))["items"]) == 4

    await eventually(there, 30)
    root = Path(console.settings.blob_url)
    assert len(blobs_with(WORD, root)) == 6
    async with bus.answering(console, routers) as commands:
        await keep(console, attachments_kept_days=2)

        async def removed() -> Any:
            shown = (await console.get(f"/tickets/{stories[4].ticket}"))["messages"][0]
            return shown if shown["attachments"][0]["removed_after_days"] else None

        shown = await eventually(removed, 30, what="files being removed")
        assert (shown["attachments"][0]["filename"], shown["attachments"][0]["removed_after_days"]) == (
            "invoice.pdf",
            2,
        )
        assert (shown["raw_url"], shown["text"]) == (None, "See the invoice")
        await eventually(lambda: len(blobs_with(f"{WORD} r24", root)) == 0, 30, what="the blobs being gone")
        assert (await console.api.get(shown["attachments"][0]["url"].removeprefix("/api/v1"))).status_code == 404

        async def refused() -> bool:
            return sum(command.ticket_id == stories[3].ticket for command in commands) >= 2

        await eventually(refused, 30, what="the one that was opened again being asked for again")
        assert len(blobs_with(f"{WORD} r23", root)) == 2, "nothing of what the router refused"
        assert len(blobs_with(f"{WORD} r1", root)) == 2, "ticket 2 is open, and has the same mail"

        # now the ticket itself; and of the other one, when that is closed, too
        await keep(console, tickets_kept_days=3, attachments_kept_days=2)

        async def one_left() -> bool:
            items = (await console.get("/tickets"))["items"]
            return {item["id"] for item in items} == {stories[2].ticket, stories[3].ticket}

        await eventually(one_left, 30, what="the tickets being erased")
        assert len(blobs_with(f"{WORD} r1", root)) == 2
        await bus.events(stories[2].status("closed"))
        await eventually(lambda: len(blobs_with(f"{WORD} r1", root)) == 0, 30, what="the shared mail being gone")

        async def told() -> Any:  # blobs go first, then it is counted
            kinds = {e["kind"]: e for e in (await console.get("/erasures"))["items"]}
            return kinds if kinds["retention"]["removed"]["tickets"] == 3 else None

        kinds = await eventually(told, 30, what="three tickets being told of")
    assert kinds["files"]["event_log"]["state"] == "gone", "files were never in the event log"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_how_much_would_go_is_told_before_it_is_saved(
    kind: str, start_console: Starter, bus: Bus, request: pytest.FixtureRequest
) -> None:
    more = {"database": request.getfixturevalue("postgres").url("preview")} if kind == "postgresql" else {}
    console = await start_console(**more)
    about = {"portal": console.ids["portal"], "queue": console.ids["queue"], "address": console.ids["address"]}
    file = AttachmentRef(filename="a.pdf", content_type="application/pdf", size=1,
                         blob={"key": f"{about['portal']}/r/att-1", "size": 1})  # fmt: skip
    # closed so many days ago, with a file or without; the last one is open
    for number, (days, files) in enumerate(
        ((100, [file]), (100, []), (20, [file]), (20, []), (3, [file]), (None, [])), 1
    ):
        story = Story(number, **about)
        story.at = now() - timedelta(days=days or 200)
        events: list[TicketEvent] = [story.created(), story.mail("x", attachments=files), story.mail("y")]
        await bus.events(*events, *([story.status("closed")] if days is not None else []))
    # what was merged goes after the ticket that it is shown in, which stays
    merged = Story(7, **about)
    merged.at = now() - timedelta(days=100)
    into = Story(6, **about)
    await bus.events(
        merged.created(),
        merged.mail("z"),
        Merged(**merged._common("m", "ticket.merged", Actor(kind="api")), into=into.ticket),
    )

    async def there() -> bool:
        return len((await console.get("/tickets"))["items"]) == 6

    await eventually(there, 30)

    async def told(**days: int) -> tuple[int, int, int]:
        found = await console.get("/portals/current/would-go", **days)
        return found["tickets"], found["messages"], found["files_of_tickets"]

    assert await told() == (0, 0, 0)
    assert await told(tickets_kept_days=30) == (2, 4, 0)
    assert await told(tickets_kept_days=30, attachments_kept_days=10) == (2, 4, 1)
    assert await told(attachments_kept_days=2) == (0, 0, 3)
    wrong = await console.api.get("/portals/current/would-go", params={"tickets_kept_days": 0})
    assert wrong.status_code == 422
    assert (await console.get("/portals/current"))["tickets_kept_days"] is None

    async with signed_in(console, console.at("bea"), role="administrator") as browser:
        form = forms_of(await browser.get("/portal"))["/portal"]
        for language, days, words in (
            ("en", "28", "Not saved yet"),
            ("de", "29", "Noch nicht gespeichert"),
            ("vi", "30", "Chưa lưu"),
        ):
            asked = await browser.post(
                "/portal", data=form | {"tickets_kept_days": [days]}, headers={"Accept-Language": language}
            )
            assert asked.status_code == 200
            assert words in asked.text
            assert ("Tickets: 2," in asked.text) == (language != "vi")
        assert (await console.get("/portals/current"))["tickets_kept_days"] is None, "nothing is saved yet"
        again = forms_of(asked)["/portal"]
        assert (await browser.post("/portal", data=again | {"tickets_kept_days": ["2"]})).status_code == 200, "others"
        saved = await browser.post("/portal", data=again)
        assert saved.status_code == 303, saved.text[-2000:]
    assert (await console.get("/portals/current"))["tickets_kept_days"] == 30


async def test_what_cannot_be_kept_so_is_refused(start_console: Starter) -> None:
    console = await start_console()
    for wrong in ({"tickets_kept_days": 0}, {"tickets_kept_days": 4000}, {"attachments_kept_days": -1},
                  {"tickets_kept_days": 30, "attachments_kept_days": 31}):  # fmt: skip
        assert (await console.api.patch("/portals/current", json=wrong)).status_code == 422, wrong
    await keep(console, tickets_kept_days=30, attachments_kept_days=30)
    await keep(console, tickets_kept_days=None)
    assert (await console.get("/portals/current"))["attachments_kept_days"] == 30
