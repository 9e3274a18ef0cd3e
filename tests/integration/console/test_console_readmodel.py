"""The read model: built from events alone, harmless repeats, rebuilt without downtime to the same rows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from mailroom_console.storage.read_schema import GENERATIONS
from mailroom_console.tickets.lists import STATUSES
from mailroom_contracts import Actor, TicketEvent, topics
from mailroom_contracts.codec import encode
from sqlalchemy import create_engine, select
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter

MakeStory = Callable[..., Story]


async def _ticket(console: RunningConsole, story: Story) -> dict[str, Any]:
    answer = await console.api.get(f"/tickets/{story.ticket}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _at_version(console: RunningConsole, story: Story) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        ticket = await _ticket(console, story)
        return ticket if ticket["version"] == story.version else None

    return dict(await eventually(there, 15))


async def test_a_ticket_as_its_events_tell_it(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    s = story(1)
    await bus.events(s.created("Broken kettle"), s.mail("It does not boil."), s.assigned("a1"))
    reply = s.reply("command-1", "Send it back, please.")
    await bus.events(reply, s.delivery(reply, "deferred", "421 later"), s.delivery(reply, "sent"), s.status("closed"))
    ticket = await _at_version(console, s)
    assert (ticket["number"], ticket["subject"], ticket["status"], ticket["assignee_id"]) == (
        s.number, "Broken kettle", "closed", "a1",
    )  # fmt: skip
    assert [(m["direction"], m["text"]) for m in ticket["messages"]] == [
        ("in", "It does not boil."), ("out", "Send it back, please."),
    ]  # fmt: skip
    assert ticket["messages"][1]["delivery"]["state"] == "sent"
    assert [h["type"] for h in ticket["history"]] == ["ticket.assigned", "ticket.status_changed"]
    address = await console.get(f"/addresses/{console.ids['address']}")
    # the events happened on another day than today, so today's counters stay where they are
    assert (address["mails_today"]["in"], address["mails_today"]["out"]) in {(0, 0), (1, 1)}


async def test_repeats_and_late_records_change_nothing(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    s = story(2)
    events: list[TicketEvent] = [s.created(), s.mail("one"), s.assigned("a1"), s.mail("two", cause="second"),
                                 s.status("pending"), s.assigned("a2")]  # fmt: skip
    await bus.events(*events)
    before = await _at_version(console, s)
    await bus.events(*events[1:5], *events)
    marker = story(3)
    await bus.events(marker.created())
    # same partition or not: wait until everything that was written has been read
    await _at_version(console, marker)
    after = await _at_version(console, s)
    assert after == before
    assert after["assignee_id"] == "a2"
    assert after["message_count"] == 2


async def test_a_record_redone_after_a_crash_in_another_order_is_not_lost(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    """A router that died after A's events were out may do B first: B then carries A's version."""
    s = story(4)
    await bus.events(s.created(), s.mail("one"))
    a = s.status("pending", cause="A")
    s.version -= 1
    b = s.assigned("a9", cause="B")
    a_again = a.model_copy(update={"version": s.version + 1})
    s.version += 1
    await bus.events(a, b, a_again)
    ticket = await _at_version(console, s)
    assert (ticket["assignee_id"], ticket["status"]) == ("a9", "pending")


async def test_a_rebuild_gives_the_same_rows_and_no_downtime(start_console: Starter, bus: Bus) -> None:
    console = await start_console()

    def story(number: int) -> Story:
        return Story(number, portal=console.ids["portal"], queue=console.ids["queue"], address=console.ids["address"])

    chance = random.Random(7)
    stories = [story(n) for n in range(100, 160)]
    for s in stories:
        await bus.events(s.created(f"Order {s.number}"), s.mail(f"text of {s.number} grüße"))
    for _ in range(300):
        s = chance.choice(stories)
        events: list[TicketEvent] = [chance.choice([
            lambda s=s: s.mail("more", cause=f"m{s.version}{s.number}"), lambda s=s: s.status(chance.choice(STATUSES)),
            lambda s=s: s.assigned(f"a{chance.randrange(3)}", cause=f"as{s.version}{s.number}"),
        ])()]  # fmt: skip
        if chance.random() < 0.3:
            reply = s.reply(f"c{s.version}{s.number}")
            events += [reply, s.delivery(reply, chance.choice(["sent", "failed", "bounced"]), "because")]
        await bus.events(*events, *(events if chance.random() < 0.2 else []))
    await asyncio.gather(*(_at_version(console, s) for s in stories))
    before = _rows(console, 0)
    shown = await console.get("/tickets", limit=200)
    assert (await console.api.post("/rebuild")).status_code == 202

    async def rebuilt() -> bool:
        assert await console.get("/tickets", limit=200) == shown  # whichever generation answers
        progress = await console.get("/rebuild")
        return not progress["rebuilding"] and progress["generation"] == 1

    await eventually(rebuilt, 30, every=0.01)
    assert _rows(console, 1) == before
    s = stories[0]
    await bus.events(s.mail("after the rebuild", cause="after"))
    assert (await _at_version(console, s))["messages"][-1]["text"] == "after the rebuild"
    found = await console.get("/tickets", q="rebuild")
    assert [t["id"] for t in found["items"]] == [s.ticket]


async def test_a_restart_goes_on_where_it_was(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    s = Story(5, portal=console.ids["portal"], queue=console.ids["queue"], address=console.ids["address"])
    await bus.events(s.created(), s.mail("one"))
    await _at_version(console, s)
    await console.stop()
    await bus.events(s.mail("two", cause="later"))
    console = await start_console()
    ticket = await _at_version(console, s)
    assert [m["text"] for m in ticket["messages"]] == ["one", "two"]


async def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    s = story(6)
    await bus.events(s.created())
    record = encode(topics.TICKET_EVENTS, s.mail("x", cause="x"), source="router")
    name = topics.TICKET_EVENTS.full_name(bus.settings.topic_prefix)
    broken = b'{"type": "ticket.message_added", "portal_id": "%s", "version": "many"}' % console.ids["portal"].encode()
    await (await bus.producer.post_raw(name, key=record.key, value=broken, headers=record.headers))
    await bus.events(s.mail("after the poison", cause="y"))
    await _at_version(console, s)

    async def listed() -> list[dict[str, Any]]:
        return list((await console.get("/dead-letters", topic="ticket.events"))["items"])

    (dead,) = await eventually(listed, 15)
    assert dead["service"] == "console"
    whole = await console.get(f"/dead-letters/{dead['id']}")
    assert whole["value"] == broken.decode()
    assert (await console.api.post(f"/dead-letters/{dead['id']}/discard")).json()["state"] == "discarded"
    assert await listed() == []


async def test_lists_filter_page_and_search(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    me = console.ids["ana"]
    stories = [story(n) for n in range(30)]
    for n, s in enumerate(stories):
        await bus.events(s.created(f"Subject {n}"), s.mail(f"word{n} Überraschung shared"))
        if n % 3 == 0:
            await bus.events(s.assigned(me))
        if n % 5 == 0:
            await bus.events(s.status("closed"))
        if n == 7:
            reply = s.reply("c7")
            await bus.events(reply, s.delivery(reply, "failed", "550"))
    await asyncio.gather(*(_at_version(console, s) for s in stories))

    async def numbers(**filters: Any) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            page = await console.get("/tickets", limit=4, **filters, **({"next": after} if after else {}))
            found += [t["number"] for t in page["items"]]
            after = page["next"]
            if after is None:
                assert len(found) == len(set(found))
                return found

    def expected(keep: Callable[[int], bool]) -> list[str]:
        return [s.number for n, s in sorted(enumerate(stories), key=lambda p: p[1].at, reverse=True) if keep(n)]

    assert await numbers() == expected(lambda n: True)
    assert await numbers(status="closed") == expected(lambda n: n % 5 == 0)
    assert await numbers(queue_id=console.ids["queue"], status="open") == expected(lambda n: n % 5 != 0)
    assert await numbers(assignee_id=me) == expected(lambda n: n % 3 == 0)
    assert await numbers(unassigned=True) == expected(lambda n: n % 3 != 0)
    assert await numbers(view="unassigned") == expected(lambda n: n % 3 != 0 and n % 5 != 0)
    assert await numbers(view="failed") == expected(lambda n: n == 7)
    assert await numbers(view="waiting") == expected(lambda n: n % 5 != 0 and n != 7)
    assert await numbers(q="word12") == [stories[12].number]
    found = await numbers(q="Überrasch shared", status="closed")  # in the order of arrival, over partitions any
    assert set(found) == {stories[n].number for n in range(30) if n % 5 == 0}
    assert await numbers(q="nobody-wrote-this") == []
    queue = await console.get(f"/queues/{console.ids['queue']}")
    assert (queue["open"], queue["waiting"]) == (24, 16)
    assert (await console.api.get("/tickets", params={"next": "garbage"})).json()["code"] == "bad_cursor"
    by_number = await console.get(f"/tickets/{stories[3].number.lower()}")
    assert by_number["id"] == stories[3].ticket


async def test_unmatched_bounces_are_listed(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    from mailroom_contracts import InputIgnored, TicketMessage

    s = story(8)
    common = s._common("receipt-x", "ticket.input_ignored", Actor(kind="router"))
    await bus.events(
        InputIgnored(**common, input_type="email.routed", code="unmatched_bounce", reason="Nothing of ours.",
                     receipt_id="receipt-x",
                     detail=TicketMessage(id="b1", direction="in", kind="bounce", subject="Undelivered", at=s.at))
    )  # fmt: skip

    async def listed() -> list[dict[str, Any]]:
        return list((await console.get("/unmatched-bounces"))["items"])

    (bounce,) = await eventually(listed, 10)
    assert bounce["message"]["subject"] == "Undelivered"


def _rows(console: RunningConsole, generation: int) -> dict[str, list[dict[str, Any]]]:
    """Every row of a generation, but for `seq`, which counts arrival over partitions."""
    tables = GENERATIONS[generation]
    engine = create_engine(f"sqlite:///{console.settings.data / 'console.db'}")
    found: dict[str, list[dict[str, Any]]] = {}
    with engine.connect() as connection:
        for table in tables.all:
            if table is tables.offsets:
                continue
            rows = [{k: v for k, v in row._mapping.items() if k != "seq"} for row in connection.execute(select(table))]
            found[table.name.partition("_")[2]] = sorted(rows, key=repr)
    engine.dispose()
    assert found["tickets"]
    return found
