"""Who only took part in other customers' tickets is told what is known and forgotten there: real router, both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mailroom_console.erasing import event_log
from mailroom_console.storage.database import Database
from mailroom_contracts import AttachmentRef, BlobRef, Person
from mailroom_contracts import topics as all_topics
from support.router_world import mail
from support.servers import ValkeyServer
from support.waiting import eventually

from .conftest import Bus, Starter
from .test_console_event_log import (  # noqa: F401 - `kafka` is a broker whose `disks` are looked at
    Town,
    disks,
    erased,
    hurry,
    kafka,
    nowhere_but_in_tables,
    rebuilt_the_same,
    renewed,
    routing,
)
from .test_console_retention import tables_with

PAT, WORD = "pat@marked.example", "quagga"


class Guests(Town):
    """People who write into kim's conversation."""

    async def says(self, sender: str, text: str, *, cc: tuple[str, ...] = (), file: bytes = b"") -> None:
        self.number += 1
        portal = self.console.ids["portal"]
        more: dict[str, Any] = {"in_reply_to": ["m1@customer.example"]} if self.number > 1 else {}
        if file:
            blob = await self.store.put(f"{portal}/guest{self.number}/att-1", file)
            more["attachments"] = [AttachmentRef(filename="a.txt", size=len(file), blob=blob.model_dump())]
        received = mail(
            self.number, sender=sender, to=(self.console.at("support"),), portal=portal, text=text,
            cc=[Person(email=one, name="Pat Doe") for one in cc], **more,
        )  # fmt: skip
        source = f"From: {sender}\nCc: {', '.join(cc)}\n\n{text}".encode()
        raw = await self.store.add(received.raw.key, source)
        await self.bus.send(all_topics.EMAIL_RECEIVED, received.model_copy(update={"raw": BlobRef(**raw.model_dump())}))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_nothing_of_a_participant_is_left_in_other_peoples_tickets(
    kind: str, start_console: Starter, bus: Bus, kafka: str, topics: str, disks: Path, tmp_path: Path,  # noqa: F811
    valkey: ValkeyServer, start_service: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    monkeypatch.setattr(event_log, "FINISHED", 0)  # segments end after a second here
    await hurry(kafka, topics)
    more = {"database": request.getfixturevalue("postgres").url("participants")} if kind == "postgresql" else {}
    console = await start_console(**more)
    router = routing(start_service, kafka, topics, tmp_path, valkey)
    town = Guests(console, bus)
    await town.says("kim@customer.example", "Where is my order?")
    (kims,) = await town.shows(1)

    async def messages(number: int) -> Any:
        shown = await console.get(f"/tickets/{kims['id']}")
        return shown if len(shown["messages"]) == number else None

    await town.says("kim@customer.example", f"Pat, write to {PAT} yourself", cc=(PAT,))
    await eventually(lambda: messages(2), 30, what="kim's second mail")
    await town.says(PAT, f"A {WORD} is what I want", file=f"file of a {WORD}".encode())
    await eventually(lambda: messages(3), 30, what="pat's mail in kim's ticket")
    await town.says("kim@customer.example", "Thanks, all")
    await eventually(lambda: messages(4), 30, what="kim's third mail")
    assert len((await console.get("/tickets", q=WORD))["items"]) == 1

    own = await console.api.post("/people/erase", json={"email": console.at("Support")})
    assert (own.status_code, own.json()["field"]) == (422, "email"), "our own address stands everywhere"
    told = (await console.get("/people/export", email=PAT.upper(), next="others"))["items"]
    assert [(t["role"], t["number"], t["named_in"]) for t in told] == [("participant", kims["number"], 2)]
    assert [m["text"] for m in told[0]["messages"]] == [f"A {WORD} is what I want"]
    first = await console.get("/people/export", email=PAT)
    assert (first["items"], first["next"]) == ([], "others")

    assert (await console.api.post("/people/erase", json={"email": PAT})).status_code == 202
    removed = (await erased(console.api, "person"))["removed"]
    assert (removed["other_tickets"], removed["messages"], removed["blobs"]) == (1, 1, 3)
    shown = await messages(4)
    assert [m["text"] for m in shown["messages"]] == [
        "Where is my order?", "Pat, write to erased@erased.invalid yourself", "[erased]", "Thanks, all",
    ]  # fmt: skip
    assert shown["messages"][2]["from"]["email"] == "erased@erased.invalid"
    assert shown["messages"][2]["attachments"] == []
    assert [bool(m["raw_url"]) for m in shown["messages"]] == [True, False, False, True]
    assert "erased" not in str(shown["reply_all"]), "nobody writes to the place-holder"
    assert (await console.get("/tickets", q=WORD))["items"] == []
    assert len((await console.get("/tickets", q="Thanks"))["items"]) == 1
    await renewed(console.api)

    words = [WORD, PAT, "Pat@marked", "Pat Doe", '"Pat"']
    await nowhere_but_in_tables(words, console, topics, disks, tmp_path, valkey)
    database = Database(console.settings.database_url)
    assert await tables_with(words, database) == set()
    await rebuilt_the_same(console)
    assert router.running
    await database.close()
