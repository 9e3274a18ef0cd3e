"""Portals kept apart, roles kept apart: every route, by another portal's token and session, by an agent, by nobody."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, RunningConsole

MakeStory = Callable[..., Story]
OPEN = {("POST", "/session"), ("POST", "/invitation")}  # how one comes in
LISTS = {
    "/addresses", "/queues", "/agents", "/tickets", "/dead-letters", "/outbound", "/unmatched-bounces", "/audit",
    "/tokens", "/portals",
}  # fmt: skip
# bodies that would be carried out if the thing were the caller's own
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/addresses/{address_id}"): {"full_name": "Hijacked"},
    ("POST", "/addresses/{address_id}/test-mail"): {"to": "thief@evil.example"},
    ("PATCH", "/queues/{queue_id}"): {"name": "Hijacked"},
    ("PATCH", "/agents/{agent_id}"): {"name": "Hijacked"},
    ("PUT", "/agents/{agent_id}/presence"): {"presence": "online"},
    ("PATCH", "/tickets/{ticket_id}"): {"status": "closed"},
    ("POST", "/tickets/{ticket_id}/replies"): {"text": "x"},
    ("POST", "/tickets/{ticket_id}/notes"): {"text": "x"},
    ("POST", "/tickets/{ticket_id}/confirm-sender"): {"email": "a@b.example"},
    ("PUT", "/tickets/{ticket_id}/draft"): {"text": "x"},
    ("POST", "/tickets/{ticket_id}/forward"): {"to": ["thief@evil.example"], "text": "x"},
    ("POST", "/tickets/{ticket_id}/snooze"): {"until": None},
    ("POST", "/tickets/{ticket_id}/merge"): {"into": "another"},
    ("POST", "/tickets/{ticket_id}/split"): {"message_id": "another"},
    ("PUT", "/canned/{canned_id}"): {"name": "Hijacked", "text": "x"},
    ("POST", "/portals/{portal_id}/delete"): {"name": "Acme"},
    ("POST", "/addresses/smtp/connect"): {"provider": "microsoft", "email": "a@b.example"},
}


async def _routes(console: RunningConsole) -> list[tuple[str, str]]:
    document = (await console.api.get("/openapi.json")).json()
    return [(m.upper(), path) for path, methods in document["paths"].items() for m in methods]


async def _other_portal(console: RunningConsole) -> httpx.AsyncClient:
    made = await console.root.post(
        "/portals", json={"name": f"Not {console.domain}", "domains": [f"not-{console.domain}"]}
    )
    return httpx.AsyncClient(
        base_url=console.api.base_url, headers={"Authorization": f"Bearer {made.json()['api_token']}"}, timeout=20,
        trust_env=False,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _session(
    console: RunningConsole, email: str, role: str, queues: list[str]
) -> AsyncIterator[httpx.AsyncClient]:
    made = await console.api.post(
        "/agents", json={"email": email, "role": role, "queue_ids": queues, "password": "correct horse battery"}
    )
    assert made.status_code == 201, made.text
    async with httpx.AsyncClient(base_url=console.api.base_url, timeout=20, trust_env=False) as client:
        signed = await client.post("/session", json={"email": email, "password": "correct horse battery"})
        assert signed.status_code == 200
        client.headers["X-CSRF-Token"] = signed.json()["csrf_token"]
        yield client


async def _filled(console: RunningConsole, bus: Bus, s: Story) -> dict[str, str]:
    """A ticket with a message, a token, and a dead letter of Acme: ids to try."""
    first = s.created(), s.mail("confidential")
    await bus.events(*first)

    async def there() -> Any:
        answer = await console.api.get(f"/tickets/{s.ticket}")
        return answer.status_code == 200 and answer.json()["messages"]

    (message,) = await eventually(there, 10)
    token = (await console.api.post("/tokens", json={"name": "t", "scopes": ["read"]})).json()
    canned = (await console.api.post("/canned", json={"name": "c", "text": "confidential"})).json()
    name = f"{bus.settings.topic_prefix}.email.received.v1.dead"
    value = b'{"portal_id": "%s"}' % console.ids["portal"].encode()
    await (await bus.producer.post_raw(name, key=b"k", value=value, headers=[("mailroom_error", b"why")]))

    async def dead() -> Any:
        return (await console.get("/dead-letters"))["items"]

    (letter,) = await eventually(dead, 15)
    return {
        "address_id": console.ids["address"], "queue_id": console.ids["queue"], "agent_id": console.ids["ana"],
        "ticket_id": s.ticket, "message_id": message["id"], "index": "0", "token_id": token["id"],
        "dead_id": letter["id"], "portal_id": console.ids["portal"], "canned_id": canned["id"],
    }  # fmt: skip


def _filled_path(path: str, known: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda match: known[match[1]], path)


async def test_another_portals_token_finds_nothing(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    known = await _filled(console, bus, story(1))
    before = await _everything(console)
    async with await _other_portal(console) as other:
        tried = 0
        for method, path in await _routes(console):
            if "{" not in path:
                continue
            answer = await other.request(method, _filled_path(path, known), json=BODIES.get((method, path), {}))
            assert answer.status_code in (403, 404), (method, path, answer.status_code, answer.text)
            assert "confidential" not in answer.text
            tried += 1
        assert tried > 30
        for path in LISTS:
            items = (await other.get(path)).json()["items"]
            assert not {known[k] for k in known if k != "index"} & {i.get("id") for i in items}, path
        for field, value in (("queue_id", known["queue_id"]), ("forwards_to", known["address_id"])):
            stolen = await other.post(
                "/addresses", json={"kind": "internal" if field == "queue_id" else "smtp", "local_part": "x",
                                    "email": "x@y.example", "password": "x", "smtp": {"host": "h.example"}, field: value},
            )  # fmt: skip
            assert stolen.status_code == 422, stolen.text
        assert (await other.get("/tickets", params={"queue_id": known["queue_id"]})).json()["items"] == []
        assert (await other.get("/tickets", params={"q": "confidential"})).json()["items"] == []
        assert (await other.post("/portals", json={"name": "Third"})).status_code == 403
        queue = (await other.post("/queues", json={"name": "Own"})).json()
        added = await other.patch(f"/queues/{queue['id']}", json={"agent_ids": [known["agent_id"]]})
        assert added.status_code == 422
    assert await _everything(console) == before


async def test_nobody_gets_in_without_a_token(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    known = await _filled(console, bus, story(2))
    async with httpx.AsyncClient(base_url=console.api.base_url, timeout=20, trust_env=False) as nobody:
        for method, path in await _routes(console):
            if (method, path) in OPEN:
                continue
            answer = await nobody.request(method, _filled_path(path, known), json={})
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert answer.json()["code"] == "unauthorized"


async def test_a_session_needs_its_csrf_token_for_every_write(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    known = await _filled(console, bus, story(3))
    async with _session(console, console.at("boss"), "administrator", []) as session:
        del session.headers["X-CSRF-Token"]
        assert (await session.get("/tickets")).status_code == 200
        for method, path in await _routes(console):
            if method == "GET" or (method, path) in OPEN:
                continue
            answer = await session.request(method, _filled_path(path, known), json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), (method, path)


async def test_agents_see_their_queues_and_configure_nothing(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    known = await _filled(console, bus, story(4))
    async with (
        _session(console, console.at("in"), "agent", [known["queue_id"]]) as inside,
        _session(console, console.at("out"), "agent", []) as outside,
    ):
        assert [t["id"] for t in (await inside.get("/tickets")).json()["items"]] == [known["ticket_id"]]
        assert (await outside.get("/tickets")).json()["items"] == []
        assert (await outside.get("/tickets", params={"q": "confidential"})).json()["items"] == []
        for path in (f"/tickets/{known['ticket_id']}", f"/messages/{known['message_id']}"):
            assert (await inside.get(path)).status_code == 200
            assert (await outside.get(path)).status_code == 404
        for method, path in await _routes(console):
            config = path.startswith(("/addresses", "/queues", "/agents", "/tokens", "/portals", "/dead", "/audit",
                                      "/rebuild", "/smtp-check"))  # fmt: skip
            if method == "GET" and not path.startswith(("/tokens", "/dead", "/audit")):
                continue
            if not config or path.endswith("/presence"):
                continue
            body = BODIES.get((method, path), {"name": "x", "scopes": ["read"], "kind": "internal", "email": "a@b.c",
                                               "smtp": {}, "password": "x"})  # fmt: skip
            answer = await inside.request(method, _filled_path(path, known), json=body)
            assert answer.status_code == 403, (method, path, answer.status_code, answer.text)
        other = await inside.put(f"/agents/{known['agent_id']}/presence", json={"presence": "online"})
        assert other.status_code == 403
        own = (await inside.get("/me")).json()["id"]
        assert (await inside.put(f"/agents/{own}/presence", json={"presence": "online"})).status_code == 200
        # what is given to an agent is seen, whatever its queue
        s = story(5)
        outsider = (await outside.get("/me")).json()["id"]
        done = story(6)
        await bus.events(done.created(), done.mail(), done.assigned(outsider), done.status("closed"))
        await bus.events(s.created(), s.mail(), s.assigned(outsider))

        async def given() -> bool:
            return [t["id"] for t in (await outside.get("/tickets", params={"view": "mine"})).json()["items"]] == [
                s.ticket
            ]

        await eventually(given, 10)  # what is closed is asked for by its status
        closed = (await outside.get("/tickets", params={"view": "mine", "status": "closed"})).json()["items"]
        assert [t["id"] for t in closed] == [done.ticket]
        assert (await outside.get(f"/tickets/{s.ticket}")).status_code == 200


@pytest.mark.parametrize(
    ("scopes", "allowed", "refused"),
    [
        (["read"], [("GET", "/tickets")], [("POST", "/queues"), ("GET", "/tokens"), ("POST", "/portals")]),
        (["read", "config"], [("POST", "/queues")], [("GET", "/audit"), ("POST", "/rebuild")]),
        (["tickets"], [], [("GET", "/tickets"), ("POST", "/queues")]),
    ],
)
async def test_tokens_do_what_their_scopes_say(
    console: RunningConsole, scopes: list[str], allowed: list[tuple[str, str]], refused: list[tuple[str, str]]
) -> None:
    made = (await console.api.post("/tokens", json={"name": "limited", "scopes": scopes})).json()
    assert made["token"].startswith("mr_")
    headers = {"Authorization": f"Bearer {made['token']}"}
    async with httpx.AsyncClient(base_url=console.api.base_url, headers=headers, timeout=20, trust_env=False) as client:
        for method, path in allowed:
            assert (await client.request(method, path, json={"name": "New"})).status_code < 300
        for method, path in refused:
            answer = await client.request(method, path, json={"name": "New"})
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), path
        assert made["token"] not in (await console.api.get("/tokens")).text
        assert (await console.api.delete(f"/tokens/{made['id']}")).status_code == 204
        assert (await client.get("/tickets")).status_code == 401


async def test_nobody_gives_more_than_they_have(console: RunningConsole) -> None:
    made = (await console.api.post("/tokens", json={"name": "admin", "scopes": ["admin", "read"]})).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    answer = await console.api.post("/tokens", json={"name": "more", "scopes": ["platform"]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def _everything(console: RunningConsole) -> dict[str, Any]:
    return {
        path: [
            {k: v for k, v in item.items() if k != "used_at"} for item in (await console.get(path))["items"]
        ]
        for path in sorted(LISTS - {"/audit"})
    }  # fmt: skip
