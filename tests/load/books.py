"""The books after a run: what was accepted, what the topics say, what the API shows, what the mailbox got.

Nothing here asks a service's own metrics.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from mailroom_contracts import topics
from mailroom_runtime.bus.kafka import read_to_end
from mailroom_runtime.process.settings import ServiceSettings


@dataclass
class Books:
    """What each source says, by the Message-ID of the customers' mails."""

    accepted: set[str] = field(default_factory=set)
    due: dict[str, float] = field(default_factory=dict)  # when each mail was due (seconds since 1970)
    taken: dict[str, float] = field(default_factory=dict)  # when it was accepted
    ticketed: dict[str, float] = field(default_factory=dict)  # when it was first in a ticket
    on_topics: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # -> (ticket, message)
    in_console: Counter[str] = field(default_factory=Counter)
    replies_wanted: dict[str, str] = field(default_factory=dict)  # outbound id -> customer
    replies_got: Counter[str] = field(default_factory=Counter)  # Message-ID in the mailbox -> how often
    replies_by_ticket: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0

    def result(self) -> dict[str, Any]:
        """accepted = ticketed = shown, each reply sent once."""
        lost = [m for m in self.accepted if m not in self.on_topics]
        doubled = [m for m in self.accepted if len(self.on_topics.get(m, ())) > 1]
        hidden = [m for m in self.accepted if self.in_console[m] == 0]
        shown_twice = [m for m in self.accepted if self.in_console[m] > 1]
        waits = [self.ticketed[m] - at for m, at in self.taken.items() if m in self.ticketed]
        refused = [at - self.due[m] for m, at in self.taken.items() if m in self.due]
        return {
            "longest_wait_s": round(max(waits, default=0.0), 1),  # of an accepted mail for its ticket
            "longest_refused_s": round(max(refused, default=0.0), 1),  # "later" was answered, or nobody did
            "accepted": len(self.accepted),
            "lost": len(lost),
            "doubled": len(doubled) + len(shown_twice),
            "not_shown": len(hidden),
            "replies": len(self.replies_wanted),
            "replies_lost": sum(1 for m in self.replies_wanted if self.replies_got[m] == 0),
            "replies_doubled": sum(1 for m in self.replies_wanted if self.replies_got[m] > 1),
            "two_replies_on_a_ticket": sum(1 for n in self.replies_by_ticket.values() if n > 1),
            "examples": {"lost": lost[:5], "doubled": (doubled + shown_twice)[:5], "not_shown": hidden[:5]},
        }


async def read_topics(settings: ServiceSettings, books: Books) -> None:
    """Every message and automatic reply of ticket.events, as a subscriber sees them."""
    seen: set[str] = set()
    async for record in read_to_end(settings, [topics.TICKET_EVENTS.full_name(settings.topic_prefix)]):
        event = json.loads(record.value or b"{}")
        if event.get("id") in seen:
            continue
        seen.add(str(event.get("id")))
        message = event.get("message") or {}
        if event.get("type") == "ticket.message_added" and not message.get("copy_of"):
            key = (str(event["ticket_id"]), str(message["id"]))
            name = str(message.get("message_id"))
            books.on_topics.setdefault(name, set()).add(key)
            books.ticketed.setdefault(name, record.timestamp / 1000)
        elif event.get("type") == "ticket.auto_replied":
            books.replies_wanted[str(message["message_id"])] = str(event["ticket_id"])
            books.replies_by_ticket[str(event["ticket_id"])] += 1


def read_console(api: httpx.Client, books: Books) -> None:
    """Every ticket and its messages, as an agent sees them."""
    after: str | None = None
    while True:
        page = api.get("/tickets", params={"next": after} if after else {}).raise_for_status().json()
        for item in page["items"]:
            ticket = api.get(f"/tickets/{item['id']}").raise_for_status().json()
            books.in_console.update(m["message_id"] for m in ticket["messages"] if m["direction"] == "in")
        after = page.get("next")
        if not after:
            return


def read_mailbox(url: str, books: Books) -> None:
    """What the world got."""
    letters = httpx.get(f"{url}/messages", params={"limit": 100_000}, timeout=60).raise_for_status().json()
    books.replies_got.clear()
    for letter in letters if isinstance(letters, list) else letters["items"]:
        headers = {name.lower(): value for name, value in dict(letter["headers"]).items()}
        books.replies_got[str(headers.get("message-id", "")).strip("<>")] += 1


async def settle(
    settings: ServiceSettings, api: httpx.Client, mailbox: str, books: Books, timeout_s: float
) -> dict[str, Any]:
    """Read the books until they agree, or the time is over; the last result."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while True:
        books.on_topics.clear()
        books.replies_wanted.clear()
        books.replies_by_ticket.clear()
        books.in_console.clear()
        await read_topics(settings, books)
        try:
            await asyncio.to_thread(read_console, api, books)
            await asyncio.to_thread(read_mailbox, mailbox, books)
        except httpx.HTTPError:
            pass
        result = books.result()
        good = not (result["lost"] or result["not_shown"] or result["replies_lost"])
        # each conversation's first mail is answered; what is answered twice cannot get better by waiting
        if (good and len(books.replies_wanted) > 0) or loop.time() > end:
            return result
        await asyncio.sleep(1)
