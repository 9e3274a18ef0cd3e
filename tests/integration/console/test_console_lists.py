"""Lists of a tag and of an address, on both databases: in their order and page by page, whatever happens to the tickets."""

from __future__ import annotations

import pytest
from mailroom_contracts import TagsChanged
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, Starter


def tagged(story: Story, *tags: str) -> TagsChanged:
    return TagsChanged(**story._common("", "ticket.tags_changed"), tags=list(tags))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_lists_of_a_tag_and_of_an_address(
    start_console: Starter, bus: Bus, database: str, request: pytest.FixtureRequest
) -> None:
    url = {"database": request.getfixturevalue("postgres").url("lists")} if database == "postgresql" else {}
    console = await start_console(**url)
    portal, queue = console.ids["portal"], console.ids["queue"]
    stories = [Story(n, portal=portal, queue=queue, address=f"address-{n % 2}") for n in range(6)]
    which = {story.number: n for n, story in enumerate(stories)}
    elsewhere = Story(9, portal="another", queue="q", address="address-1")
    for n, story in enumerate(stories):
        await bus.events(story.created(), tagged(story, "VIP", *(["odd"] if n % 2 else [])))
    await bus.events(elsewhere.created(), tagged(elsewhere, "VIP"))

    async def listed(**filters: str) -> list[int]:
        numbers: list[int] = []
        after: dict[str, str] = {}
        while True:
            page = await console.get("/tickets", limit=2, **filters, **after)
            numbers += [which[ticket["number"]] for ticket in page["items"]]
            if page["next"] is None:
                return numbers
            after = {"next": page["next"]}

    async def is_so(wanted: list[int], **filters: str) -> None:
        async def look() -> bool:
            return await listed(**filters) == wanted

        await eventually(look, 15, what=f"{filters}: {wanted}")

    await is_so([5, 4, 3, 2, 1, 0], tag="vip")
    assert await listed(tag="VIP ", sort="oldest") == [0, 1, 2, 3, 4, 5]
    assert await listed(tag="odd") == [5, 3, 1]
    assert await listed(tag="absent") == []
    assert await listed(tag="odd", queue_id=queue, status="open", unassigned="true") == [5, 3, 1]
    assert await listed(address_id="address-0") == [4, 2, 0]
    assert await listed(address_id="address-1", tag="vip", queue_id=queue) == [5, 3, 1]

    # what happens to a ticket later moves it in its tags' lists, too
    stories[1].at = stories[5].at
    await bus.events(stories[1].mail("Any news?"), stories[3].status("closed"), tagged(stories[5], "vip"))
    await is_so([1], tag="odd", status="open")
    assert await listed(tag="odd", status="closed") == [3]
    assert await listed(tag="odd", sort="oldest") == [3, 1]
    assert set(await listed(tag="vip")) == set(range(6))
    assert await listed(tag="vip", view="waiting") == [1]
    assert await listed(address_id="address-1", status="closed") == [3]
