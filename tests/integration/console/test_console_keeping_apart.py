"""Who may do what: portals kept apart, administrators made by administrators only, tries counted, tickets never lost."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import httpx
import pytest
from mailroom_console.portals.domain_proof import record
from mailroom_console.portals.public_providers import is_public
from mailroom_contracts import Assign, MoveQueue, topics
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter


@pytest.mark.parametrize("domain", ["gmail.com", "eu.gmail.com", "co.uk", "outlook.com", "web.de"])
async def test_what_is_everybodys_is_nobodys(console: RunningConsole, domain: str) -> None:
    assert is_public(domain)
    answer = await console.api.patch("/portals/current", json={"domains": [console.domain, domain]})
    assert (answer.status_code, answer.json()["code"]) == (409, "public_domain")
    made = await console.root.post("/portals", json={"name": secrets.token_hex(4), "domains": [domain]})
    assert (made.status_code, made.json()["code"]) == (409, "public_domain")


async def test_a_domain_needs_a_proof(console: RunningConsole) -> None:
    domain = f"company{secrets.token_hex(4)}.org"
    answer = await console.api.patch("/portals/current", json={"domains": [console.domain, domain]})
    if answer.status_code == 503:  # no DNS server answers here: what is not proven is not given either
        assert answer.json()["code"] == "dns_unavailable"
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "proof_missing")
        wanted = record(console.ids["portal"], domain)
        assert answer.json()["record"] == {"type": "TXT", "name": f"_mailroom.{domain}", "value": wanted.value}
    assert (await console.get("/portals/current"))["domains"] == [console.domain]


async def test_no_setting_of_one_portal_takes_anything_of_another(console: RunningConsole) -> None:
    """Every way to name an address or a domain, tried by a second portal on what the first one has."""
    made = await console.root.post("/portals", json={"name": secrets.token_hex(4), "domains": [f"b{console.domain}"]})
    headers = {"Authorization": f"Bearer {made.json()['api_token']}"}
    before = {path: await console.get(path) for path in ("/portals/current", "/addresses", "/queues", "/agents")}
    async with httpx.AsyncClient(base_url=console.api.base_url, headers=headers, timeout=20, trust_env=False) as other:
        queue = (await other.post("/queues", json={"name": "Theirs"})).json()["id"]
        smtp = {"kind": "smtp", "queue_id": queue, "smtp": {"host": "127.0.0.1", "port": 1}, "password": "x"}
        tried: list[tuple[str, str, Any]] = [
            ("PATCH", "/portals/current", {"domains": [f"b{console.domain}", console.domain]}),
            (
                "POST",
                "/addresses",
                {"kind": "internal", "local_part": "x", "domain": console.domain, "queue_id": queue},
            ),
            ("POST", "/addresses", {"kind": "internal", "email": console.at("support"), "queue_id": queue}),
            ("POST", "/addresses", {**smtp, "email": console.at("new")}),
            ("POST", "/addresses", {**smtp, "email": console.at("support")}),
            ("POST", "/addresses", {**smtp, "email": f"x@b{console.domain}", "forwards_to": console.ids["address"]}),
            ("POST", "/agents", {"email": console.at("ana")}),
            ("POST", "/agents", {"email": f"x@b{console.domain}", "queue_ids": [console.ids["queue"]]}),
            ("PATCH", f"/queues/{queue}", {"agent_ids": [console.ids["ana"]]}),
            ("PATCH", f"/queues/{console.ids['queue']}", {"name": "Taken"}),
            ("PATCH", f"/addresses/{console.ids['address']}", {"queue_id": queue}),
            ("DELETE", f"/addresses/{console.ids['address']}", None),
        ]
        for method, path, body in tried:
            answer = await other.request(method, path, json=body)
            assert 400 <= answer.status_code < 500, (method, path, body, answer.text)
    assert before == {path: await console.get(path) for path in before}


async def test_the_scope_config_makes_no_administrators(console: RunningConsole) -> None:
    token = await console.api.post("/tokens", json={"name": "ci", "scopes": ["read", "config"]})
    headers = {"Authorization": f"Bearer {token.json()['token']}"}
    boss = (await console.api.post("/agents", json={"email": console.at("boss"), "role": "administrator"})).json()["id"]
    async with httpx.AsyncClient(base_url=console.api.base_url, headers=headers, timeout=20, trust_env=False) as config:
        for method, path, body in (
            ("POST", "/agents", {"email": console.at("evil"), "role": "administrator", "password": "long enough 1"}),
            ("PATCH", f"/agents/{console.ids['ana']}", {"role": "administrator"}),
            ("PATCH", f"/agents/{boss}", {"role": "agent"}),
            ("PATCH", f"/agents/{boss}", {"active": False}),
            ("POST", f"/agents/{boss}/invitation", None),
            ("DELETE", f"/agents/{boss}", None),
        ):
            answer = await config.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), (method, path)
        assert (await config.post("/agents", json={"email": console.at("new")})).status_code == 201


async def test_wrong_passwords_at_once_are_counted_like_one_after_another(console: RunningConsole) -> None:
    body = {"email": f"nobody@{console.domain}", "password": "wrong password"}
    async with httpx.AsyncClient(base_url=console.api.base_url, timeout=60, trust_env=False) as stranger:
        answers = await asyncio.gather(*(stranger.post("/session", json=body) for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [401] * 8 + [429] * 8
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 429)


async def test_a_test_mail_goes_to_ones_own_address_only(console: RunningConsole) -> None:
    path = f"/addresses/{console.ids['address']}/test-mail"
    refused = await console.api.post(path, json={"to": "stranger@elsewhere.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_address")
    sent = [(await console.api.post(path, json={"to": console.at("ana")})).status_code for _ in range(21)]
    assert sent == [202] * 20 + [429]


async def test_tickets_of_agents_and_queues_that_are_gone_come_back(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    about = {"portal": console.ids["portal"], "queue": console.ids["queue"], "address": console.ids["address"]}
    left, lost = Story(1, **about), Story(2, **{**about, "queue": "queue-that-was-deleted"})
    await bus.events(left.created(), left.assigned(console.ids["ana"]), lost.created())
    await eventually(lambda: _has(console, left.number), 15)
    assert (await console.api.delete(f"/agents/{console.ids['ana']}")).status_code == 204

    async def asked() -> bool:
        commands = [message for _, message in await bus.all(topics.TICKET_COMMANDS)]
        unassigned = [c for c in commands if isinstance(c, Assign) and c.ticket_id == left.ticket]
        moved = [c for c in commands if isinstance(c, MoveQueue) and c.ticket_id == lost.ticket]
        return (
            bool(unassigned) and {c.assignee_id for c in unassigned} == {None} and len({c.id for c in unassigned}) == 1
            and bool(moved) and {c.queue_id for c in moved} == {console.ids["queue"]}
        )  # fmt: skip

    await eventually(asked, 20)


async def _has(console: RunningConsole, number: str) -> bool:
    return number in {t["number"] for t in (await console.get("/tickets"))["items"]}
