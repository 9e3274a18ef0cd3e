"""Live pages stay live while a lot happens elsewhere: 20 events a second of another ticket, and the open ticket shows its own change
within 2 s, a list is never more than 3 s old."""

from __future__ import annotations

import asyncio
import secrets
import statistics
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
from playwright.sync_api import Browser, Page, expect

from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(200)
RATE = 20  # events a second
SHOWN_S, LIST_S = 2.0, 3.0


@contextmanager
def busy(site: StandingStack, ticket: dict[str, Any]) -> Iterator[None]:
    """20 events a second of that ticket, as the router would write them, until the block ends."""
    over = threading.Event()

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
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))

    thread = threading.Thread(target=lambda: asyncio.run(write()))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def asked(page: Page) -> list[float]:
    """When the page asked for itself anew."""
    times: list[float] = []
    page.on("request", lambda request: times.append(time.monotonic()) if "x-mailroom-live" in request.headers else None)
    return times


def test_pages_stay_live_under_load(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    site.write(f"Watched {tag}", to="support@acme.example")
    site.write(f"Elsewhere {tag}", to="support@acme.example", sender="Eve <eve@customer.example>")
    watched, elsewhere = site.ticket(f"Watched {tag}"), site.ticket(f"Elsewhere {tag}")
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{watched['id']}")
    listed, _ = site.desk(browser)
    listed.goto("/tickets?view=all")
    looks = asked(listed)
    took: list[float] = []
    with busy(site, elsewhere):
        expect(listed.locator(f"#ticket-{elsewhere['id']} .tag")).to_contain_text("n", timeout=20_000)
        began, before = time.monotonic(), len(looks)
        for number in range(5):
            site.call("PATCH", f"/tickets/{watched['id']}", tags=[f"round-{number}"])  # answered once it shows
            changed = time.monotonic()
            expect(page.locator(".ticket-head .badge.tag")).to_have_text(f"round-{number}", timeout=20_000)
            took.append(time.monotonic() - changed)
        listed.wait_for_timeout(2 * LIST_S * 1000 + 500)  # the event loop must turn for its requests to be seen
        lasted, count = time.monotonic() - began, len(looks) - before
    told = f"shown after {', '.join(f'{t:.2f}' for t in took)} s; the list looked {count} times in {lasted:.1f} s"
    print(told)
    assert statistics.median(took) <= SHOWN_S, told
    assert count >= lasted / LIST_S, told
