"""Search on both databases: whole words first, then beginnings; phrases, scripts without spaces, accents; nobody else's words."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_console.tickets import search
from mailroom_contracts import TagsChanged
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter

TEXTS = {
    0: "The parcel of my order arrived",
    1: "Orders are ordered orderly, in good time",
    2: "Write to lisa@lamps.example, please",
    3: "The example lamps of lisa",
    4: "東京都庁に行きたい",
    5: "Die Straße in München hat die Größe 12-34",
    6: "34 lamps, and 12 more",
    7: "Yes\n[A picture of rhubarb]\nbye",
    8: "Not to lisa@lamps.examples, which is no place",
}


async def _told(console: RunningConsole, bus: Bus) -> dict[str, int]:
    """The tickets, and a portal beside them whose words begin alike; number -> which one."""
    portal, queue, address = (console.ids[name] for name in ("portal", "queue", "address"))
    others = [Story(100 + n, portal="another", queue="q", address="a") for n in range(30)]
    for n, other in enumerate(others):
        await bus.events(other.created("Orders"), other.mail(f"ordera{chr(97 + n % 26)}{n} rhubarb"))
    stories = {n: Story(n, portal=portal, queue=queue, address=address) for n in TEXTS}
    for n, story in stories.items():
        told = story.created(f"Subject {n}"), story.mail(TEXTS[n])
        tags = TagsChanged(**story._common("", "ticket.tags_changed"), tags=["odd" if n % 2 else "even"])
        await bus.events(*told, tags)

    async def all_there() -> bool:
        shown = (await console.get("/tickets", limit=50))["items"]
        return len(shown) == len(TEXTS) and all(ticket["message_count"] and ticket["tags"] for ticket in shown)

    await eventually(all_there, 20)
    return {story.number: n for n, story in stories.items()}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_search(
    start_console: Starter, bus: Bus, database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = {"database": request.getfixturevalue("postgres").url("search")} if database == "postgresql" else {}
    console = await start_console(**url)
    which = await _told(console, bus)

    async def found(q: str, limit: int = 50, **filters: str) -> list[int]:
        numbers: list[int] = []
        after: dict[str, str] = {}
        while True:
            page = await console.get("/tickets", q=q, limit=limit, **filters, **after)
            numbers += [which[ticket["number"]] for ticket in page["items"]]
            if page["next"] is None:
                assert len(numbers) == len(set(numbers))
                return numbers
            after = {"next": page["next"]}

    assert await found("order") == [0, 1], "whole words first, then beginnings"
    assert await found("order", limit=1) == [0, 1], "page by page too"
    assert await found("orde") == [0, 1] or await found("orde") == [1, 0]
    assert await found("or") == []
    assert await found("lisa@lamps.example") == [2], "what punctuation splits is a phrase"
    assert set(await found("lisa lamps example")) == {2, 3, 8}
    assert set(await found("lisa@lamps.exa")) == {2, 8}, "an address that is not written to its end yet"
    assert await found("lisa@lamps.exa", limit=1) == await found("lisa@lamps.exa")
    assert await found("lisa@lamps.example plea") == [2]
    assert await found("lisa@lamps.example pla") == [8], "as it is written it is nowhere with that"
    assert await found("12-34") == [5]
    assert set(await found("12 34")) == {5, 6}
    assert await found("mr-00000004") == [4]
    assert await found("京都") == [4]
    assert await found("庁") == [4]
    assert await found("京庁") == []
    assert await found("STRASSE munchen grosse") == [5]
    assert await found("rhubarb") == [], "neither what stands for a picture, nor another portal's"
    assert await found('"good time"') == [1]
    assert await found('"time good"') == []
    assert await found("2 Write") == [2], "no phrase runs from one text into the next, but words do"
    assert await found("2.Write") == []
    filtered: dict[int, list[list[int]]] = {search.FEW: [], 0: []}
    for most, seen in filtered.items():  # tickets that pass a filter: looked through for words, or passed by the hits
        monkeypatch.setattr(search, "FEW", most)
        for q in ("lamps", "subject", "orde", "lisa@lamps.example", "lisa@lamps.exa"):
            seen += [await found(q, customer=f"jo{number}@customer.example") for number in (1, 2, 8)]
            seen += [await found(q, tag=tag, limit=2) for tag in ("even", "odd")]
    with_few, by_hits = filtered.values()
    assert with_few == by_hits
    assert [sorted(found) for found in with_few[:5]] == [[], [2], [8], [2, 6, 8], [3]]
    everything = {q: await found(q) for q in ("lamps", "subject", "orde", "mr", "lamps subject")}
    for window in (1, 3):  # of tickets that are looked through one by one, where the words are common (PostgreSQL)
        monkeypatch.setattr(search, "WINDOW", window)
        monkeypatch.setattr(search, "FIRST_BATCH", 2)
        for q, hits in everything.items():
            assert await found(q, limit=1) == hits
    assert (await console.api.get("/tickets", params={"q": "order", "next": "garbage"})).json()["code"] == "bad_cursor"

    (ticket,) = (await console.get("/tickets", q="munchen"))["items"]
    assert [piece["text"] for piece in ticket["found"]["excerpt"] if piece["hit"]] == ["München"]
    (ticket,) = (await console.get("/tickets", q="subject munchen"))["items"]
    assert [piece["text"] for piece in ticket["found"]["subject"] if piece["hit"]] == ["Subject"]
    assert all("found" not in ticket for ticket in (await console.get("/tickets"))["items"])


async def test_a_hit_in_an_older_message_is_shown_where_it_stands(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    story = Story(1, portal=console.ids["portal"], queue=console.ids["queue"], address=console.ids["address"])
    long = f"{'blah ' * 300}the serial number is QX-77<b> {'blah ' * 300}"
    await bus.events(story.created(), story.mail(long, cause="one"), story.mail("Any news?", cause="two"))

    async def hit() -> Any:
        items = (await console.get("/tickets", q="qx-77"))["items"]
        return items[0]["found"]["excerpt"] if items and items[0]["message_count"] == 2 else None

    excerpt = await eventually(hit, 15)
    assert [piece["text"] for piece in excerpt if piece["hit"]] == ["QX-77"]
    assert sum(len(piece["text"]) for piece in excerpt) < 210
    assert excerpt[0]["text"] == "…"
