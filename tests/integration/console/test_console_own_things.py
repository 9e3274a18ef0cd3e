"""What belongs to whom: outgoing mail and bounces of one's own queues, stored passwords, a password of one's own first."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from mailroom_contracts import Actor, InputIgnored, LaneEntry, OutboundMail, Person, TicketMessage, topics
from support.submission import Submission
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Story

MakeStory = Callable[..., Story]
PASSWORD = "correct horse battery"
WITHOUT = ("/password", "/session", "/me", "/invitation", "/openapi.json")  # open, or the way to one's own password


@contextlib.asynccontextmanager
async def signed_in(console: RunningConsole, email: str, **agent: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The session of a new agent."""
    made = await console.api.post("/agents", json={"email": email, "password": PASSWORD, **agent})
    assert made.status_code == 201, made.text
    async with httpx.AsyncClient(base_url=console.settings.url, timeout=20, trust_env=False) as client:
        session = await client.post("/api/v1/session", json={"email": email, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = session.json()["csrf_token"]
        yield client


async def test_agents_see_outgoing_mail_and_bounces_of_their_own_queues_only(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    other = (await console.api.post("/queues", json={"name": "Sales"})).json()["id"]
    body = {"kind": "internal", "local_part": "sales", "queue_id": other}
    sales = (await console.api.post("/addresses", json=body)).json()["id"]
    for number, queue, address in ((1, console.ids["queue"], console.ids["address"]), (2, other, sales)):
        s = story(number, queue=queue, address=address)
        await bus.events(s.created(f"of {queue}"))
        order = OutboundMail(id=f"out{queue}", portal_id=s.portal, ticket_id=s.ticket, message_id="m", kind="reply",
                             address_id=address, to=[Person(email="jo@c.example")], created_at=s.at)  # fmt: skip
        await bus.send(topics.EMAIL_LANES, LaneEntry(outbound_id=order.id, address_id=address, portal_id=s.portal,
                                                     state="waiting", order=order, queued_at=datetime.now(UTC)), partition=0)  # fmt: skip
        cause = f"receipt-of-{queue}"
        await bus.events(InputIgnored(
            **s._common(cause, "ticket.input_ignored", Actor(kind="router")), input_type="email.routed",
            code="unmatched_bounce", reason="Nothing of ours.", receipt_id=cause,
            detail=TicketMessage(id=f"b{queue}", direction="in", kind="bounce", subject=f"of {queue}", at=s.at, address_id=address),
        ))  # fmt: skip

    async def seen(client: httpx.AsyncClient, base: str = "/api/v1") -> tuple[set[str], set[str]]:
        waiting = (await client.get(f"{base}/outbound")).json()["items"]
        bounces = (await client.get(f"{base}/unmatched-bounces")).json()["items"]
        return {row["outbound_id"] for row in waiting}, {row["message"]["subject"] for row in bounces}

    mine, theirs = console.ids["queue"], other
    everything = ({f"out{mine}", f"out{theirs}"}, {f"of {mine}", f"of {theirs}"})

    async def arrived() -> bool:
        return await seen(console.api, "") == everything

    await eventually(arrived, 20)
    for queues, expected in (([mine], mine), ([theirs], theirs)):
        async with signed_in(console, console.at(f"agent-{expected}"), queue_ids=queues) as agent:
            assert await seen(agent) == ({f"out{expected}"}, {f"of {expected}"})
            pages = "".join(
                [(await agent.get(path)).text for path in ("/activity", "/activity/outbound", "/activity/bounces")]
            )
            hidden = mine if expected == theirs else theirs
            assert f"of {hidden}" not in pages
    async with signed_in(console, console.at("nobody"), queue_ids=[]) as agent:
        assert await seen(agent) == (set(), set())


@pytest.mark.parametrize("change", ["host", "port", "tls", "username"])
async def test_a_stored_password_is_given_again_when_it_would_go_elsewhere(
    console: RunningConsole, change: str
) -> None:
    async with Submission("PLAIN") as server, Submission("PLAIN") as thief:
        account = {"host": "127.0.0.1", "port": server.port, "tls": "none", "username": "shop"}
        body = {"kind": "smtp", "email": f"{change}@customer.example", "queue_id": console.ids["queue"],
                "smtp": account, "password": "hunter2hunter2", "forwards_to": console.ids["address"]}  # fmt: skip
        made = await console.api.post("/addresses", json=body)
        assert made.status_code == 201, made.text
        path = f"/addresses/{made.json()['id']}"
        elsewhere = {"host": "localhost", "port": thief.port, "tls": "starttls", "username": "another"}[change]
        tried = len(server.logins)
        refused = await console.api.patch(path, json={"smtp": {**account, change: elsewhere}})
        assert (refused.status_code, refused.json()["field"]) == (422, "password"), refused.text
        alone = await console.api.patch(path, json={"smtp": {change: elsewhere}})
        assert (alone.status_code, alone.json()["field"]) == (422, "password"), alone.text
        assert (len(server.logins), thief.connections) == (tried, 0), "nobody was given it"
        kept = await console.api.patch(path, json={"smtp": {**account, "max_connections": 3}})
        assert kept.status_code == 200, "what does not concern where it goes needs no password"


async def test_before_anything_else_a_password_of_ones_own(console: RunningConsole) -> None:
    """On every route of the API and on every page, by whoever has a password that somebody else chose."""
    email = console.at("first")
    async with signed_in(console, email, role="administrator") as first:
        with sqlite3.connect(console.settings.data / "console.db", timeout=30) as database:
            database.execute("UPDATE agents SET must_change = 1 WHERE email = ?", [email])
        document = (await console.api.get("/openapi.json")).json()
        for path, methods in document["paths"].items():
            for method in methods:
                if path in WITHOUT:
                    continue
                answer = await first.request(method, "/api/v1" + re.sub(r"{\w+}", "1", path), json={})
                assert (answer.status_code, answer.json()["code"]) == (403, "password_change_required"), (method, path)
        for path in (
            "/",
            "/tickets",
            "/addresses",
            "/addresses/add",
            "/queues",
            "/agents",
            "/activity",
            "/portal",
            "/account",
        ):
            page = await first.get(path, follow_redirects=True)
            assert page.url.path == "/account", (path, page.url)
        changed = await first.post("/api/v1/password", json={"old": PASSWORD, "new": "one of my own"})
        assert changed.status_code == 204, changed.text
        session = await first.post("/api/v1/session", json={"email": email, "password": "one of my own"})
        assert json.loads(session.text)["must_change_password"] is False
        assert (await first.get("/api/v1/tickets")).status_code == 200
