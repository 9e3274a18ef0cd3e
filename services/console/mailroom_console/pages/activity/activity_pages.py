"""Activity: health, mail that waits to be sent, dead letters, unmatched bounces."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from mailroom_console.activity import dead_letters
from mailroom_console.activity import overview as activity
from mailroom_console.addresses import records as addresses
from mailroom_console.languages import count, say
from mailroom_console.pages.frame import words
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import ADMIN
from mailroom_console.problems import Problem
from mailroom_console.tickets import reading as tickets

_SHOWN = 60_000  # characters of a dead record


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/activity", health, ADMIN),
        Page("POST", "/activity/rebuild", rebuild, ADMIN),
        Page("GET", "/activity/outbound", outbound, ADMIN),
        Page("GET", "/activity/dead", dead_list, ADMIN),
        Page("GET", "/activity/dead/{id}", dead_one, ADMIN),
        Page("POST", "/activity/dead/{id}/replay", replay, ADMIN),
        Page("POST", "/activity/dead/{id}/discard", discard, ADMIN),
        Page("GET", "/activity/bounces", bounces, ADMIN),
    ]


async def health(visit: Visit) -> Response:
    """Each service with its state, lag and throughput."""
    watch = visit.watch
    await watch.look(visit.console, visit.who, time.monotonic())
    services = watch.services(visit.console.settings.partitions)
    ready = sum(service["tone"] == "good" for service in services)
    mails = await visit.console.read.mails_today(visit.who.portal_id, visit.console.now())
    return await visit.show(
        "activity.html", "activity", numbers=await _numbers(visit), services=services,
        services_words=count(len(services), "{ready} of {n} service ready", "{ready} of {n} services ready", ready=ready), read_model=watch.read_model,
        figures={"received": sum(m["in"] for m in mails.values()), "sent": sum(m["out"] for m in mails.values())},
    )  # fmt: skip


async def rebuild(visit: Visit) -> Response:
    """Fill the ticket tables anew from Kafka, beside those that are shown."""
    await visit.console.read.ask_rebuild()
    visit.watch.asked_at = -1e9
    return visit.go(
        "/activity", say("The ticket tables are being rebuilt. Until that is done, the present ones are shown.")
    )


async def outbound(visit: Visit) -> Response:
    """Mail that waits to be sent, with its next try."""
    page = await activity.outbound_waiting(visit.console, visit.who, limit=100, after=visit.query("after") or None)
    emails = await addresses.emails(visit.console, visit.who)
    items = [item | {"address_email": emails.get(item["address_id"], say("a deleted address")), "to": ", ".join(item["to"]),
                     "words": outbound_words(item)} for item in page.items]  # fmt: skip
    return await visit.show("outbound.html", "activity", numbers=await _numbers(visit), items=items,
                            older=_next("/activity/outbound", page.next))  # fmt: skip


def outbound_words(item: dict[str, Any]) -> tuple[str, str]:
    """Colour and words for how a mail stands in its lane."""
    if item["state"] == "parked":
        return "bad", say("Waits for its address to be mended")
    if item["state"] == "waiting":
        return "warn", count(item["attempts"], "Tried once", "Tried {n} times")
    return "", {"queued": say("In line"), "attempting": say("Being sent")}.get(item["state"], str(item["state"]))


async def dead_list(visit: Visit) -> Response:
    """What could not be processed."""
    page = await dead_letters.listed(visit.console, visit.who, limit=50, after=visit.query("after") or None)
    return await visit.show("dead_letters.html", "activity", numbers=await _numbers(visit), items=page.items,
                            older=_next("/activity/dead", page.next))  # fmt: skip


async def dead_one(visit: Visit) -> Response:
    """One dead letter with its headers and value."""
    letter = await dead_letters.one(visit.console, visit.who, visit.path("id"))
    return await visit.show("dead_letter.html", "activity", letter=letter, value=readable(letter["value"]),
                            headers=sorted(letter["headers"].items()))  # fmt: skip


def readable(value: str) -> str:
    """The record's value, indented when it is JSON; cut when it is long."""
    try:
        value = json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        value = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in value)
    return (
        value
        if len(value) <= _SHOWN
        else f"{value[:_SHOWN]}\n" + count(len(value) - _SHOWN, "… and one character more", "… and {n} characters more")
    )


async def replay(visit: Visit) -> Response:
    """Put it back on its topic."""
    try:
        await dead_letters.replay(visit.console, visit.who, visit.path("id"))
    except Problem as problem:
        return visit.refused("/activity/dead", problem)
    return visit.go("/activity/dead", say("Put back. If it still cannot be processed, it comes here again."))


async def discard(visit: Visit) -> Response:
    """Take it off the list."""
    await dead_letters.discard(visit.console, visit.who, visit.path("id"))
    return visit.go("/activity/dead", say("Discarded."))


async def bounces(visit: Visit) -> Response:
    """Delivery failures that belong to no message of ours."""
    page = await tickets.unmatched_bounces(visit.console, visit.who)
    items = []
    for bounce in page.items:
        message = bounce["message"] or {}
        items.append({**bounce, "subject": message.get("subject", ""), "text": (message.get("text") or "")[:5000],
                      "sender": words.person(message.get("from")) if message else ""})  # fmt: skip
    return await visit.show("bounces.html", "activity", numbers=await _numbers(visit), items=items, older=None)


async def _numbers(visit: Visit) -> dict[str, str | int]:
    dead = await dead_letters.listed(visit.console, visit.who, limit=99)
    return {
        "outbound": len(visit.console.live.lanes(visit.who.portal_id)),
        "dead": "99+" if dead.next else len(dead.items),
        "bounces": len((await tickets.unmatched_bounces(visit.console, visit.who)).items),
    }


def _next(path: str, after: str | None) -> str | None:
    return f"{path}?{urlencode({'after': after})}" if after else None
