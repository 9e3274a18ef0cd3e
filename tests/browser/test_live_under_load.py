"""Live pages stay live while a lot happens elsewhere: 20 events a second of another ticket, and the open ticket shows each change
of its own within 2 s, a list is never more than 3 s old."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from mailroom_contracts import Actor, TagsChanged, ids, topics
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.settings import ServiceSettings
from playwright.sync_api import Browser, expect

from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(200)
RATE = 20  # events a second
SHOWN_S, LIST_S = 2.0, 3.0
ROUNDS = 10


@contextmanager
def busy(site: StandingStack, ticket: dict[str, Any]) -> Iterator[list[float]]:
    """20 events a second of that ticket, as the router would write them, until the block ends; when each was written."""
    over = threading.Event()
    written: list[float] = []

    async def write() -> None:
        settings = ServiceSettings(kafka=f"127.0.0.1:{site.ports['kafka']}")
        async with Producer(settings, "router") as producer:
            began, number = time.monotonic(), 0
            while not over.is_set():
                number += 1
                event = TagsChanged(
                    id=ids.derive("load", ticket["id"], str(number)), ticket_id=ticket["id"],
                    portal_id=ticket["portal_id"], version=1000 + number, at=datetime.now(UTC),
                    causation_id=ids.derive("load-cause", ticket["id"], str(number)), actor=Actor(kind="router"),
                    tags=[f"n{number}"],
                )  # fmt: skip
                await producer.send(topics.TICKET_EVENTS, event)
                written.append(time.monotonic())
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))

    thread = threading.Thread(target=lambda: asyncio.run(write()))
    thread.start()
    try:
        yield written
    finally:
        over.set()
        thread.join()


def age(written: list[float], shown: str) -> float:
    """How old a list is that shows the tag of that event: for how long the next one has been there."""
    number = int(shown.removeprefix("n"))
    return time.monotonic() - written[number] if number < len(written) else 0.0


def test_pages_stay_live_under_load(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    site.write(f"Watched {tag}", to="support@acme.example")
    site.write(f"Elsewhere {tag}", to="support@acme.example", sender="Eve <eve@customer.example>")
    watched, elsewhere = site.ticket(f"Watched {tag}"), site.ticket(f"Elsewhere {tag}")
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{watched['id']}")
    listed, _ = site.desk(browser)
    listed.goto("/tickets?view=all")
    own, others = page.locator(".ticket-head .badge.tag"), listed.locator(f"#ticket-{elsewhere['id']} .tag")
    took: list[float] = []
    ages: list[float] = []
    with busy(site, elsewhere) as written:
        expect(others).to_contain_text("n", timeout=20_000)
        for number in range(ROUNDS):
            asked = time.monotonic()
            site.call("PATCH", f"/tickets/{watched['id']}", tags=[f"round-{number}"])
            while own.all_inner_texts() != [f"round-{number}"]:
                assert time.monotonic() - asked < 20, f"round {number} is never shown"
                ages.append(age(written, others.inner_text()))
                page.wait_for_timeout(50)  # the pages go on meanwhile
            took.append(time.monotonic() - asked)
        until = time.monotonic() + 2 * LIST_S
        while time.monotonic() < until:
            ages.append(age(written, others.inner_text()))
            listed.wait_for_timeout(50)
    told = f"shown after {', '.join(f'{t:.2f}' for t in took)} s; the list was at most {max(ages):.2f} s old"
    print(told)
    assert max(took) <= SHOWN_S, told
    assert max(ages) <= LIST_S, told
