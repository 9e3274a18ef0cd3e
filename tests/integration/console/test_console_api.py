"""The API's contract: addresses, queues, agents, presence, portal; constraints, revisions, what other services read."""

from __future__ import annotations

import asyncio
import json
import stat
from typing import Any

from mailroom_contracts import Address, Agent, Queue, topics
from mailroom_runtime.redis.presence import presence_key
from support.servers import ValkeyServer
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter


async def _problem(console: RunningConsole, method: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
    answer = await console.api.request(method, path, json=body, **options)
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    problem = dict(answer.json())
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return problem


async def test_a_fresh_local_stack_holds_what_interfaces_says(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    (portal,) = (await console.get("/portals"))["items"]
    assert (portal["name"], portal["domains"]) == ("Acme", ["acme.example"])
    (queue,) = (await console.get("/queues"))["items"]
    (address,) = (await console.get("/addresses"))["items"]
    agents = {a["email"]: a for a in (await console.get("/agents"))["items"]}
    assert queue["name"] == "Support"
    assert (address["email"], address["kind"], address["prefer_online"], address["auto_reply"]["enabled"]) == (
        console.at("support"), "internal", True, True,
    )  # fmt: skip
    assert address["queue_id"] == queue["id"]
    assert address["state"] == "active"
    assert agents[console.at("ana")]["queue_ids"] == [queue["id"]]
    assert queue["agent_ids"] == [agents[console.at("ana")]["id"]]
    for name in ("api-token", "admin-login.json"):
        assert stat.S_IMODE((console.settings.data / name).stat().st_mode) == 0o600

    async def published() -> bool:
        return len(await bus.latest(topics.AGENTS)) == 2 and len(await bus.latest(topics.ADDRESSES)) == 1

    await eventually(published, 15)
    (seen,) = (await bus.latest(topics.ADDRESSES)).values()
    assert isinstance(seen, Address)
    assert seen.email == console.at("support")
    (told,) = (await bus.latest(topics.QUEUES)).values()
    assert isinstance(told, Queue)
    assert told.agent_ids == queue["agent_ids"]


async def test_an_internal_address_from_adding_to_deleting(console: RunningConsole, bus: Bus) -> None:
    body = {"kind": "internal", "local_part": "Sales", "full_name": "Acme Sales", "queue_id": console.ids["queue"]}
    answer = await console.api.post("/addresses", json=body)
    assert answer.status_code == 201, answer.text
    address = answer.json()
    assert address["email"] == console.at("sales")
    assert (await _problem(console, "POST", "/addresses", body))["code"] == "address_taken"
    changed = await console.api.patch(
        f"/addresses/{address['id']}", json={"full_name": "Sales team", "revision": address["revision"]}
    )
    assert changed.json()["revision"] == address["revision"] + 1
    late = await _problem(console, "PATCH", f"/addresses/{address['id']}",
                          {"full_name": "Another", "revision": address["revision"]})  # fmt: skip
    assert (late["status"], late["code"], late["revision"]) == (409, "revision_conflict", address["revision"] + 1)
    assert (await console.get(f"/addresses/{address['id']}"))["full_name"] == "Sales team"
    disabled = (await console.api.patch(f"/addresses/{address['id']}", json={"active": False})).json()
    assert disabled["state"] == "inactive"
    assert (await console.api.delete(f"/addresses/{address['id']}")).status_code == 204
    assert (await _problem(console, "GET", f"/addresses/{address['id']}"))["status"] == 404

    async def gone() -> bool:
        return address["id"] not in await bus.latest(topics.ADDRESSES)

    await eventually(gone, 10)
    again = (await console.api.post("/addresses", json=body)).json()
    assert again["id"] == address["id"]
    assert again["revision"] > disabled["revision"]  # so that no reader takes it for old news


async def test_two_writers_at_once_and_only_one_wins(console: RunningConsole) -> None:
    path = f"/addresses/{console.ids['address']}"
    revision = (await console.get(path))["revision"]
    answers = await asyncio.gather(
        *(console.api.patch(path, json={"full_name": f"Name {n}", "revision": revision}) for n in range(6))
    )
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409, 409]
    winner = next(a.json() for a in answers if a.status_code == 200)
    assert (await console.get(path))["full_name"] == winner["full_name"]


async def test_what_is_wrong_with_an_address_is_said_by_field(console: RunningConsole) -> None:
    queue = console.ids["queue"]
    for body, field in (
        ({"kind": "internal", "local_part": "a b", "queue_id": queue}, "local_part"),
        ({"kind": "internal", "local_part": "a+b", "queue_id": queue}, "local_part"),
        ({"kind": "internal", "local_part": "sales"}, "queue_id"),
        ({"kind": "internal", "local_part": "sales", "queue_id": "nowhere"}, "queue_id"),
        ({"kind": "internal", "local_part": "sales", "queue_id": queue, "domain": "other.example"}, "domain"),
        ({"kind": "internal", "local_part": "sales", "queue_id": queue, "full_name": "A\r\nBcc: x@y.example"}, "full_name"),
        ({"kind": "smtp", "email": "nonsense", "queue_id": queue, "password": "x"}, "email"),
        ({"kind": "smtp", "email": "a@b.example", "queue_id": queue, "password": "x"}, "smtp.host"),
        ({"kind": "smtp", "email": console.at("a"), "queue_id": queue, "password": "x"}, "email"),
        ({"kind": "smtp", "email": "a@b.example", "queue_id": queue, "smtp": {"host": "h.example", "port": 99999},
          "password": "x"}, "smtp.port"),
        ({"kind": "smtp", "email": "a@b.example", "queue_id": queue, "smtp": {"host": "h.example"}}, "password"),
        ({"kind": "pigeon"}, "kind"),
    ):  # fmt: skip
        problem = await _problem(console, "POST", "/addresses", body)
        assert (problem["status"], problem["field"]) == (422, field), (body, problem)
    template = await _problem(console, "PATCH", f"/addresses/{console.ids['address']}",
                              {"auto_reply": {"content": "Hello {{customer.password}}"}})  # fmt: skip
    assert template["code"] == "bad_template"
    assert "customer.name" in template["detail"]


async def test_an_smtp_account_is_tried_first_and_its_password_never_comes_back(
    console: RunningConsole, bus: Bus
) -> None:
    body = {
        "kind": "smtp", "email": "sales@customer.example", "queue_id": console.ids["queue"],
        "smtp": {"host": "127.0.0.1", "port": 1}, "password": "hunter2hunter2",
        "forwards_to": console.ids["address"],
    }  # fmt: skip
    problem = await _problem(console, "POST", "/addresses", body)
    assert (problem["status"], problem["code"], problem["reason"]) == (422, "smtp_check_failed", "no_answer")
    assert "hunter2" not in json.dumps(problem)
    assert len((await console.get("/addresses"))["items"]) == 1


async def test_queues_are_unique_and_not_deleted_in_use(console: RunningConsole, bus: Bus) -> None:
    queue = (
        await console.api.post("/queues", json={"name": " Billing  team ", "agent_ids": [console.ids["ana"]]})
    ).json()
    assert (queue["name"], queue["agent_ids"]) == ("Billing team", [console.ids["ana"]])
    assert (await _problem(console, "POST", "/queues", {"name": "Billing team"}))["code"] == "name_taken"
    ana = await console.get(f"/agents/{console.ids['ana']}")
    assert queue["id"] in ana["queue_ids"]
    in_use = await _problem(console, "DELETE", f"/queues/{console.ids['queue']}")
    assert (in_use["code"], console.at("support") in in_use["detail"]) == ("in_use", True)
    old = await _problem(console, "PATCH", f"/queues/{queue['id']}", {"name": "X", "revision": queue["revision"] + 5})
    assert old["code"] == "revision_conflict"
    renamed = (await console.api.patch(f"/queues/{queue['id']}", json={"name": "Invoices", "agent_ids": []})).json()
    assert (renamed["name"], renamed["agent_ids"]) == ("Invoices", [])
    another = (await console.api.post("/queues", json={"name": "Billing team"})).json()
    assert another["id"] != queue["id"]
    assert (await console.api.delete(f"/queues/{queue['id']}")).status_code == 204

    async def told() -> bool:
        agents = await bus.latest(topics.AGENTS)
        mine = agents.get(console.ids["ana"])
        return (
            isinstance(mine, Agent)
            and queue["id"] not in mine.queue_ids
            and (queue["id"] not in await bus.latest(topics.QUEUES))
        )

    await eventually(told, 10)


async def test_agents_and_presence(start_console: Starter, valkey: ValkeyServer) -> None:
    console = await start_console()
    ana = console.ids["ana"]
    key = presence_key(console.settings.topic_prefix, console.ids["portal"], ana)
    client = valkey.client()
    assert (await console.get(f"/agents/{ana}"))["presence"] == "offline"
    online = await console.api.put(f"/agents/{ana}/presence", json={"presence": "online"})
    assert (online.status_code, online.json()["presence"]) == (200, "online")
    assert (client.get(key), client.pttl(key)) == (b"online", -1)
    await console.api.put(f"/agents/{ana}/presence", json={"presence": "away", "ttl_s": 45})
    assert 0 < client.pttl(key) <= 45_000
    await console.api.put(f"/agents/{ana}/presence", json={"presence": "offline"})
    assert client.get(key) is None
    assert (await _problem(console, "PUT", f"/agents/{ana}/presence", {"presence": "asleep"}))["field"] == "presence"
    assert (await _problem(console, "PUT", f"/agents/{ana}/presence", {"presence": "online", "ttl_s": -1}))[
        "status"
    ] == 422
    valkey.stop()
    assert (await _problem(console, "PUT", f"/agents/{ana}/presence", {"presence": "online"}))["status"] == 503
    assert (await console.get(f"/agents/{ana}"))["presence"] == "unknown"
    valkey.start()
    made = await console.api.post("/agents", json={"email": console.at("Ben"), "queue_ids": [console.ids["queue"]]})
    assert made.status_code == 201, made.text
    ben = made.json()
    assert (ben["email"], ben["role"], "/first-start?token=" in ben["invite_url"]) == (console.at("ben"), "agent", True)
    assert (await _problem(console, "POST", "/agents", {"email": console.at("ben")}))["code"] == "email_taken"
    assert (await console.api.delete(f"/agents/{ben['id']}")).status_code == 204
    admin = next(a for a in (await console.get("/agents"))["items"] if a["role"] == "administrator")
    last = await _problem(console, "PATCH", f"/agents/{admin['id']}", {"role": "agent"})
    assert last["code"] == "last_administrator"


async def test_presence_that_lasts_until_it_is_changed_outlives_an_emptied_redis(
    start_console: Starter, valkey: ValkeyServer
) -> None:
    console = await start_console()
    made = await console.api.post("/agents", json={"email": console.at("ben"), "queue_ids": []})
    ana, ben = console.ids["ana"], made.json()["id"]
    keys = {a: presence_key(console.settings.topic_prefix, console.ids["portal"], a) for a in (ana, ben)}
    client = valkey.client()

    async def after_a_loss(of_ana: dict[str, Any]) -> bytes | None:
        await console.api.put(f"/agents/{ana}/presence", json=of_ana)
        client.flushall()
        await eventually(lambda: client.get(keys[ben]) is not None, 10, what="Ben's presence, put back")
        return client.get(keys[ana])  # type: ignore[return-value]

    await console.api.put(f"/agents/{ben}/presence", json={"presence": "away"})
    assert await after_a_loss({"presence": "online"}) == b"online"
    assert client.pttl(keys[ana]) == -1
    assert await after_a_loss({"presence": "online", "ttl_s": 600}) is None, "a heartbeat comes again by itself"
    assert await after_a_loss({"presence": "online"}) == b"online"
    assert await after_a_loss({"presence": "offline"}) is None
    await console.stop()
    client.flushall()
    again = await start_console()
    await eventually(lambda: client.get(keys[ben]) == b"away", 10, what="what was set before a restart")
    await again.api.patch(f"/agents/{ben}", json={"active": False})
    await again.api.put(f"/agents/{ana}/presence", json={"presence": "online"})
    client.flushall()
    await eventually(lambda: client.get(keys[ana]) is not None, 10, what="Ana's presence, put back")
    assert client.get(keys[ben]) is None, "who is disabled is nowhere"


async def test_the_portal_and_another_one(console: RunningConsole) -> None:
    shop = f"Shop-{console.domain}"
    changed = await console.api.patch("/portals/current", json={"domains": [console.domain, shop]})
    assert changed.json()["domains"] == [console.domain, shop.lower()]
    in_use = await _problem(console, "PATCH", "/portals/current", {"domains": [shop]})
    assert in_use["code"] == "in_use"
    taken = await console.root.post("/portals", json={"name": "Evil", "domains": [console.domain]})
    assert (taken.status_code, taken.json()["code"]) == (409, "domain_taken")
    assert [p["id"] for p in (await console.get("/portals"))["items"]] == [console.ids["portal"]]


async def test_errors_are_problems_and_openapi_is_complete(console: RunningConsole) -> None:
    assert (await _problem(console, "GET", "/nothing"))["code"] == "not_found"
    assert (await _problem(console, "DELETE", "/tickets"))["status"] == 405
    bad = await _problem(console, "POST", "/queues", {"name": {"secret": "do-not-repeat"}})
    assert (bad["field"], "do-not-repeat" in json.dumps(bad)) == ("name", False)
    nobody = await _problem(console, "GET", "/tickets", headers={"Authorization": "Bearer mr_wrong"})
    assert (nobody["status"], nobody["code"]) == (401, "unauthorized")
    document = (await console.api.get("/openapi.json")).json()
    for path in ("/addresses", "/addresses/{address_id}/check-forwarding", "/tickets/{ticket_id}/replies",
                 "/messages/{message_id}/resend", "/agents/{agent_id}/presence"):  # fmt: skip
        assert path in document["paths"]


async def test_a_first_start_without_seed_makes_one_portal_and_prints_a_password_once(
    start_console: Starter, capsys: Any
) -> None:
    console = await start_console(seed="")
    (portal,) = (await console.get("/portals"))["items"]
    assert (portal["name"], portal["domains"]) == ("Default", [])
    printed = capsys.readouterr().err
    password = printed.partition("one-time password ")[2].split()[0]
    signed_in = await console.api.post("/session", json={"email": "admin@localhost", "password": password})
    assert (signed_in.status_code, signed_in.json()["must_change_password"]) == (200, True)
    await console.stop()
    await start_console(seed="")
    assert "password" not in capsys.readouterr().err
