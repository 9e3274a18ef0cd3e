"""Forgetting a person, deleting a portal: afterwards no table, blob or compacted topic has a word of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from mailroom_contracts import (
    AttachmentRef,
    BlobRef,
    Erase,
    Erased,
    ForgetPerson,
    Person,
    PersonForgotten,
    TicketCommand,
    TicketEvent,
    ids,
    topics,
)
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.forgotten import digest_of
from sqlalchemy import create_engine, inspect, text
from support.console_story import Story
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter

WORD = "xylophone"


def erasing(command: TicketCommand) -> list[TicketEvent]:
    """As the router does."""
    if isinstance(command, ForgetPerson):
        digest = digest_of(command.portal_id, command.email)
        return [PersonForgotten(id=ids.event_id(command.id, "ticket.person_forgotten", ticket=command.ticket_id), version=99,
                                at=command.at, ticket_id=command.ticket_id, portal_id=command.portal_id,
                                causation_id=command.id, actor=command.actor, person=digest)]  # fmt: skip
    assert isinstance(command, Erase)
    return [Erased(id=ids.event_id(command.id, "ticket.erased", ticket=command.ticket_id), version=99, at=command.at,
                   ticket_id=command.ticket_id, portal_id=command.portal_id, causation_id=command.id,
                   actor=command.actor, reason=command.reason)]  # fmt: skip


def tables_with(word: str, database: Path) -> list[str]:
    """The tables that have this word in any column of any row."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        found = [
            name for name in inspect(engine).get_table_names()
            if any(word in str(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{name}"')))
        ]  # fmt: skip
    engine.dispose()
    return found


def blobs_with(word: str, folder: Path) -> list[str]:
    return [file.name for file in folder.rglob("*") if file.is_file() and word.encode() in file.read_bytes()]


async def told(bus: Bus, console: RunningConsole, number: int, email: str, store: BlobStore) -> Story:
    """A ticket of this person, whose mail lies in a pack and in a file."""
    portal = console.ids["portal"]
    story = Story(number, portal=portal, queue=console.ids["queue"], address=console.ids["address"], customer=email)
    source = f"Subject: {WORD}\n\nfrom {email}".encode()
    raw = await store.add(f"{portal}/r{number}/raw.eml", source)
    whole = await store.put(f"{portal}/r{number}/text.txt", source)
    sent = story.mail(f"{WORD}: where is it?", raw=raw, text_ref=BlobRef(key=whole.key, size=whole.size))
    await bus.events(story.created(f"About my {WORD}"), sent)
    return story


async def all_done(api: httpx.AsyncClient) -> dict[str, Any]:
    async def done() -> Any:
        items = (await api.get("/erasures")).json()["items"]
        return items[0] if items and items[0]["state"] == "done" else None

    found: dict[str, Any] = await eventually(done, 60, what="the erasure being done")
    return found


async def test_a_person_is_exported_and_forgotten_and_nobody_else(
    start_console: Starter, bus: Bus, tmp_path: Path
) -> None:
    console = await start_console()
    store = BlobStore(console.settings.blob_url)
    story = await told(bus, console, 1, "jo@customer.example", store)
    await told(bus, console, 2, "Jo@Customer.example", store)
    kept = await told(bus, console, 3, "kim@customer.example", store)
    await eventually(lambda: _shown(console, 3), 30)
    pages = await console.get("/people/export", email="JO@customer.example")
    assert [len(item["messages"]) for item in pages["items"]] == [1, 1]
    assert WORD in pages["items"][0]["messages"][0]["text"]
    async with bus.answering(console, erasing) as commands:
        asked = await console.api.post("/people/erase", json={"email": "jo@customer.example"})
        assert asked.status_code == 202, asked.text
        removed = (await all_done(console.api))["removed"]
    assert {command.ticket_id for command in commands} >= {story.ticket}
    assert (removed["tickets"], removed["messages"], removed["blobs"]) == (2, 2, 4)
    await eventually(lambda: _shown(console, 1), 30)
    database = console.settings.data / "console.db"
    assert tables_with("jo@customer", database) == []
    assert tables_with("Jo@Customer", database) == []
    assert blobs_with("jo@customer", Path(console.settings.blob_url)) == []
    assert (await console.get("/tickets"))["items"][0]["id"] == kept.ticket
    assert len(blobs_with("kim@customer", Path(console.settings.blob_url))) == 2, "in a pack and in a file"
    assert (await console.get("/people/export", email="jo@customer.example"))["items"] == []


def database_of(kind: str, name: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"database": request.getfixturevalue("postgres").url(name)} if kind == "postgresql" else {}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_blobs_stay_while_somebody_elses_ticket_needs_them(
    kind: str, start_console: Starter, bus: Bus, request: pytest.FixtureRequest
) -> None:
    """Kim's mail in Jo's conversation was split off into a ticket of hers: both name the same blobs."""
    console = await start_console(**database_of(kind, "shared_blobs", request))
    portal, store = console.ids["portal"], BlobStore(console.settings.blob_url)
    about: dict[str, Any] = {"portal": portal, "queue": console.ids["queue"], "address": console.ids["address"]}
    jo, kim = Story(1, customer="jo@customer.example", **about), Story(2, customer="kim@customer.example", **about)
    raw = await store.add(f"{portal}/r1/raw.eml", f"raw {WORD} of kim".encode())
    # a file that was uploaded lies under the ticket that it was written in
    blob = await store.put(f"{portal}/{jo.ticket}/att-1", f"file {WORD} of kim".encode())
    kims = {"raw": raw, "attachments": [AttachmentRef(filename="a.pdf", size=blob.size, blob=blob.model_dump())]}
    jos = await store.put(f"{portal}/{jo.ticket}/att-2", f"file {WORD} of jo".encode())
    copied = jo.mail("Kim here", **kims)
    own = jo.mail("Jo here", attachments=[AttachmentRef(filename="b.pdf", size=jos.size, blob=jos.model_dump())])
    message = copied.message.model_copy(update={"from_": Person(email=kim.customer, name="Kim")})
    await bus.events(jo.created(), copied.model_copy(update={"message": message}), own)
    begun, added = kim.created(), kim.mail("Kim here", **kims)
    message = message.model_copy(update={"id": added.message.id, "split_from": message.id})
    await bus.events(begun, added.model_copy(update={"message": message}))
    await eventually(lambda: _shown(console, 2), 30)
    root = Path(console.settings.blob_url)
    async with bus.answering(console, erasing):
        assert (await console.api.post("/people/erase", json={"email": jo.customer})).status_code == 202
        removed = (await all_done(console.api))["removed"]
    assert (removed["tickets"], removed["messages"], removed["blobs"]) == (1, 2, 1)
    assert blobs_with(f"{WORD} of jo", root) == []
    (shown,) = (await console.get(f"/tickets/{kim.ticket}"))["messages"]
    file = await console.api.get(shown["attachments"][0]["url"].removeprefix("/api/v1"))
    source = await console.api.get(shown["raw_url"].removeprefix("/api/v1"))
    assert (file.content, source.content) == (f"file {WORD} of kim".encode(), f"raw {WORD} of kim".encode())
    async with bus.answering(console, erasing):
        assert (await console.api.post("/people/erase", json={"email": kim.customer})).status_code == 202
        await eventually(lambda: _shown(console, 0), 30)
        await all_done(console.api)
    assert blobs_with(WORD, root) == [], "with the last ticket they go"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_person_is_found_in_every_spelling_of_the_address(
    kind: str, start_console: Starter, bus: Bus, request: pytest.FixtureRequest
) -> None:
    console = await start_console(**database_of(kind, "spellings", request))
    about: dict[str, Any] = {key: console.ids[key] for key in ("portal", "queue", "address")}
    spelt = ("J\u00d6rg@B\u00fccher.example", "j\u00f6rg@xn--bcher-kva.example", "jo\u0308rg@B\u00dcCHER.EXAMPLE")
    for number, email in enumerate(spelt, 1):
        story = Story(number, customer=email, **about)
        await bus.events(story.created(), story.mail("Where is it?"))
    other = Story(4, customer="jorg@xn--bcher-kva.example", **about)
    named = other.mail("Ask j\u00d6rg@b\u00dccher.example, please")
    cc = named.message.model_copy(update={"cc": [Person(email="J\u00d6RG@b\u00fccher.example", name="J\u00f6rg")]})
    await bus.events(other.created(), named.model_copy(update={"message": cc}))
    await eventually(lambda: _shown(console, 4), 30)
    for email in spelt:
        listed = (await console.get("/tickets", customer=f" {email}"))["items"]
        assert {item["customer"]["email"] for item in listed} == set(spelt), (
            "a list by customer compares as the router does"
        )
        beside = (await console.get(f"/tickets/{listed[0]['id']}/others"))["items"]
        assert {item["id"] for item in beside} == {item["id"] for item in listed[1:]}
        told = (await console.get("/people/export", email=email))["items"]
        assert {item["customer"]["email"] for item in told} == set(spelt)
        (others,) = (await console.get("/people/export", email=email, next="others"))["items"]
        assert (others["id"], others["named_in"]) == (other.ticket, 1)
    async with bus.answering(console, erasing):
        assert (await console.api.post("/people/erase", json={"email": spelt[1]})).status_code == 202
        removed = (await all_done(console.api))["removed"]
    assert (removed["tickets"], removed["other_tickets"]) == (3, 1)
    (left,) = (await console.get("/tickets"))["items"]
    assert (left["id"], left["customer"]["email"]) == (other.ticket, "jorg@xn--bcher-kva.example")
    (shown,) = (await console.get(f"/tickets/{other.ticket}"))["messages"]
    assert shown["text"] == "Ask erased@erased.invalid, please"
    assert [person["email"] for person in shown["cc"]] == ["erased@erased.invalid"]


async def test_a_portal_is_deleted_with_everything_of_it(start_console: Starter, bus: Bus, tmp_path: Path) -> None:
    first = await start_console()
    made = (await first.api.post("/portals", json={"name": "Zebra Ltd", "domains": ["zebra.example"]})).json()
    portal = made["id"]
    headers = {"Authorization": f"Bearer {made['api_token']}"}
    async with httpx.AsyncClient(base_url=f"{first.settings.url}/api/v1", headers=headers, timeout=20) as api:
        queue = (await api.post("/queues", json={"name": "Zebra queue"})).json()
        await api.post("/agents", json={"email": "ana@zebra.example", "name": "Ana Zebra", "queue_ids": [queue["id"]]})
        address = (await api.post("/addresses", json={"kind": "internal", "local_part": "info", "full_name": "Zebra",
                                                      "queue_id": queue["id"]})).json()  # fmt: skip
        console = RunningConsole(api, first.settings, first.api, domain="zebra.example")
        console.ids = {"portal": portal, "queue": queue["id"], "address": address["id"]}
        store = BlobStore(first.settings.blob_url)
        for number in range(1, 4):
            await told(bus, console, number, "jo@zebra-customer.example", store)
        await store.put(f"{portal}/uploads/zebra-file", b"zebra")
        await eventually(lambda: _shown(console, 3), 30)
        own = await first.api.post(f"/portals/{first.ids['portal']}/delete", json={"name": "Acme"})
        assert (own.status_code, own.json()["code"]) == (409, "own_portal")
        wrong = await first.api.post(f"/portals/{portal}/delete", json={"name": "Zebra"})
        assert wrong.status_code == 422
        assert (await api.post(f"/portals/{portal}/delete", json={"name": "Zebra Ltd"})).status_code == 403
        async with bus.answering(console, erasing):
            asked = await first.api.post(f"/portals/{portal}/delete", json={"name": "Zebra  Ltd"})
            assert asked.status_code == 202, asked.text
            removed = (await all_done(first.api))["removed"]
        assert (await api.get("/queues")).status_code == 401, "its tokens end with it"
    assert {name: removed[name] for name in ("tickets", "messages", "addresses", "queues", "agents", "domains", "portals")} == {
        "tickets": 3, "messages": 3, "addresses": 1, "queues": 1, "agents": 1, "domains": 1, "portals": 1,
    }  # fmt: skip
    database = first.settings.data / "console.db"
    for word in ("zebra-customer", "ana@zebra", WORD):
        assert tables_with(word, database) == [], word
        assert blobs_with(word, Path(first.settings.blob_url)) == [], word
    assert blobs_with("zebra", Path(first.settings.blob_url)) == []

    async def told_everybody() -> bool:
        compacted = [
            await bus.latest(topic) for topic in (topics.PORTALS, topics.ADDRESSES, topics.QUEUES, topics.AGENTS)
        ]
        return not any("ebra" in str(message) for rows in compacted for message in rows.values())

    await eventually(told_everybody, 20, what="tombstones")
    (entry,) = [e for e in (await first.get("/erasures"))["items"] if e["kind"] == "portal"]
    assert (entry["subject"], entry["state"]) == ("Zebra Ltd", "done")


async def test_packed_blobs_of_one_folder_are_blanked_and_their_neighbours_are_not(tmp_path: Path) -> None:
    store, remover = BlobStore(str(tmp_path)), BlobRemover(str(tmp_path))
    refs = {
        name: await store.add(name, f"{WORD} {name}".encode())
        for name in ("p1/a/raw", "p10/a/raw", "p2/a/raw", "p1/b/raw")
    }
    await store.put("p1/c/file", WORD.encode())
    assert await remover.forget_under("p1") == 3
    assert await remover.forget_under("p1") == 0, "nothing is left of it"
    for name in ("p10/a/raw", "p2/a/raw"):
        assert await store.get(refs[name]) == f"{WORD} {name}".encode()
    assert set(await store.get(refs["p1/b/raw"])) == {0}
    kept = await store.put("p2/d/file", WORD.encode())
    await store.put("p2/d/other", WORD.encode())
    assert await remover.forget_under("p2", {kept.key, refs["p2/a/raw"].key}) == 1
    assert await store.get(kept) == WORD.encode()
    assert await store.get(refs["p2/a/raw"]) == f"{WORD} p2/a/raw".encode()
    await remover.forget(refs["p2/a/raw"].key)
    assert set(await store.get(refs["p2/a/raw"])) == {0}


async def _shown(console: RunningConsole, wanted: int) -> bool:
    return len((await console.get("/tickets"))["items"]) == wanted
