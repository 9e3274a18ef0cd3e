"""Replies and other commands: answered when they show, once per key, refused in words."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from mailroom_contracts import AddNote, Assign, Reply, ResendMessage, SetStatus, TicketCommand, TicketEvent, ids
from mailroom_runtime.blobs.store import BlobStore
from support.console_story import Story, router_of
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter

MakeStory = Callable[..., Story]


def _gmail(console: RunningConsole, name: str = "sales", active: bool = True) -> str:
    """A send-capable address, put where connecting one would put it."""
    return console.put_address(
        "gmail", f"{name}@gmail-{console.domain}", active=active, gmail={"secret": "sealed:k1:x"}
    )


async def _known(console: RunningConsole, bus: Bus, s: Story) -> None:
    await bus.events(s.created(), s.mail())

    async def there() -> bool:
        return (await console.api.get(f"/tickets/{s.ticket}")).status_code == 200

    await eventually(there, 10)


async def test_a_reply_is_answered_once_it_shows_and_done_once(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    s = story(1, address=_gmail(console))
    await _known(console, bus, s)
    body = {"text": "On its way.", "cc": ["Boss <boss@customer.example>"],
            "attachments": [{"filename": "../a\r\nb.pdf", "content_type": "application/pdf",
                             "content_base64": base64.b64encode(b"%PDF-1.4").decode()}]}  # fmt: skip
    async with bus.answering(console, router_of(s)) as commands:
        answers = await asyncio.gather(
            *(
                console.api.post(f"/tickets/{s.ticket}/replies", json=body, headers={"Idempotency-Key": "key-1"})
                for _ in range(3)
            )
        )
        assert [a.status_code for a in answers] == [202, 202, 202], [a.text for a in answers]
        assert len({a.json()["message_id"] for a in answers}) == 1
        again = await console.api.post(f"/tickets/{s.ticket}/replies", json=body, headers={"Idempotency-Key": "key-1"})
        assert (again.json()["message_id"], again.json()["shown"]) == (answers[0].json()["message_id"], True)
    command = commands[0]
    assert isinstance(command, Reply)
    assert {c.id for c in commands} == {ids.command_id(console.ids["portal"], s.ticket, "key-1")}
    assert command.cc[0].email == "boss@customer.example"
    (attachment,) = command.attachments
    assert attachment.filename
    assert not set("/\r\n\\") & set(attachment.filename)
    assert await BlobStore(console.settings.blob_url).get(attachment.blob) == b"%PDF-1.4"
    ticket = await console.get(f"/tickets/{s.ticket}")
    assert [m["id"] for m in ticket["messages"] if m["direction"] == "out"] == [answers[0].json()["message_id"]]
    other = await console.api.post(
        f"/tickets/{s.ticket}/replies", json=body | {"text": "Else"}, headers={"Idempotency-Key": "key-1"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_without_a_router_the_answer_is_202_after_the_wait(start_console: Starter, bus: Bus) -> None:
    console = await start_console(wait_s=0.5)
    s = Story(2, portal=console.ids["portal"], queue=console.ids["queue"], address=_gmail(console))
    await _known(console, bus, s)
    reply = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x"})
    assert (reply.status_code, reply.json()["shown"]) == (202, False)
    assert (await console.api.patch(f"/tickets/{s.ticket}", json={"status": "closed"})).status_code == 202


async def test_a_receive_only_address_refuses_at_once_and_offers_others(
    console: RunningConsole, bus: Bus, story: MakeStory
) -> None:
    offered = _gmail(console)
    _gmail(console, "off", active=False)
    s = story(3)
    await _known(console, bus, s)
    async with bus.answering(console, lambda _: []) as commands:
        answer = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x"})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "receive_only")
        assert console.at("support") in problem["detail"]
        assert [a["id"] for a in problem["send_from"]] == [offered]
        options = await console.get(f"/tickets/{s.ticket}/reply-options")
        assert (options["can_reply"], options["code"]) == (False, "receive_only")
        assert commands == []


async def test_what_the_router_refuses_is_said(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    s = story(4, address=_gmail(console))
    await _known(console, bus, s)

    def answer(command: TicketCommand) -> list[TicketEvent]:
        return [s.refused(command, "receive_only", "This address only receives.")]

    async with bus.answering(console, answer):
        refused = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x"},
                                         headers={"Idempotency-Key": "k"})  # fmt: skip
        assert (refused.status_code, refused.json()["code"]) == (409, "receive_only")
        again = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x"},
                                       headers={"Idempotency-Key": "k"})  # fmt: skip
        assert (again.status_code, again.json()["detail"]) == (409, "This address only receives.")


async def test_notes_changes_and_resends_are_commands(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    s = story(5, address=_gmail(console))
    await _known(console, bus, s)
    first = s.reply("c0")
    await bus.events(first, s.delivery(first, "failed", "550 no"))

    def answer(command: TicketCommand) -> list[TicketEvent]:
        match command:
            case AddNote():
                return [s.note(command.text, command.id, command.actor)]
            case Assign():
                assert command.assignee_id is not None
                return [s.assigned(command.assignee_id, command.id, command.actor)]
            case SetStatus():
                return [s.status(command.status, command.id, command.actor)]
            case ResendMessage():
                again = first.model_copy(update={"resend": True, "version": s.version + 1, "causation_id": command.id,
                                                 "id": ids.event_id(command.id, "resend"), "actor": command.actor})  # fmt: skip
                s.version += 1
                return [again]
            case _:
                raise AssertionError(command.type)

    async with bus.answering(console, answer) as commands:
        note = await console.api.post(f"/tickets/{s.ticket}/notes", json={"text": "Called them."})
        assert (note.status_code, note.json()["shown"]) == (201, True)
        changed = await console.api.patch(
            f"/tickets/{s.ticket}", json={"assignee_id": console.ids["ana"], "status": "pending"}
        )
        assert changed.status_code == 200
        assert (changed.json()["assignee_id"], changed.json()["status"]) == (console.ids["ana"], "pending")
        resent = await console.api.post(f"/messages/{first.message.id}/resend")
        assert resent.status_code == 202
        message = await console.get(f"/messages/{first.message.id}")
        assert message["delivery"]["state"] == "queued"
        assert (await console.get(f"/tickets/{s.ticket}"))["failed"] == 0
        assert [c.type for c in commands] == [
            "ticket.add_note", "ticket.assign", "ticket.set_status", "ticket.resend_message",
        ]  # fmt: skip
        assert {c.actor.kind for c in commands} == {"api"}
    for body, field in (({"status": "lost"}, "status"), ({"assignee_id": "nobody"}, "assignee_id"),
                        ({"queue_id": "nowhere"}, "queue_id")):  # fmt: skip
        bad = await console.api.patch(f"/tickets/{s.ticket}", json=body)
        assert (bad.status_code, bad.json()["field"]) == (422, field)


async def test_headers_cannot_be_injected(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    s = story(6, address=_gmail(console))
    await _known(console, bus, s)
    async with bus.answering(console, router_of(s)) as commands:
        for cc in ("a@b.example\r\nBcc: x@y.example", "a@b.example\nX: y", "x\u2028@b.example", "no address",
                   "Name\r\n <a@b.example>", {"email": "a@b.example", "name": "x\r\nBcc: e@e.example"}):  # fmt: skip
            answer = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x", "cc": [cc]})
            assert (answer.status_code, answer.json()["field"]) == (422, "cc"), cc
        assert commands == []


async def test_uploads_and_their_limit(start_console: Starter, bus: Bus) -> None:
    console = await start_console(upload_limit_bytes=100_000)
    s = Story(7, portal=console.ids["portal"], queue=console.ids["queue"], address=_gmail(console))
    await _known(console, bus, s)
    kept = await console.api.post("/attachments", files=[("file", ("plan.txt", b"x" * 70_000, "text/plain"))])
    assert kept.status_code == 201, kept.text
    (item,) = kept.json()["items"]
    assert (item["filename"], item["content_type"], item["size"]) == ("plan.txt", "text/plain", 70_000)
    big = await console.api.post("/attachments", files=[("file", ("big", b"x" * 100_001, "text/plain"))])
    assert (big.status_code, big.json()["code"]) == (413, "too_large")
    both = [{"id": item["id"]}, {"filename": "b", "content_base64": base64.b64encode(b"y" * 70_000).decode()}]
    reply = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x", "attachments": both})
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")
    async with bus.answering(console, router_of(s)) as commands:
        fine = await console.api.post(f"/tickets/{s.ticket}/replies", json={"text": "x", "attachments": both[:1]})
        assert fine.status_code == 202
    assert isinstance(commands[0], Reply)
    assert commands[0].attachments[0].filename == "plan.txt"


async def test_raw_source_and_attachments_come_safely(console: RunningConsole, bus: Bus, story: MakeStory) -> None:
    blobs = BlobStore(console.settings.blob_url)
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 20
    files: list[dict[str, Any]] = []
    for n, (name, kind, content) in enumerate((
        ("photo.png", "image/png", png), ("lie.png", "image/png", b"<script>alert(1)</script>"),
        ("page.html", "text/html", b"<script>alert(1)</script>"), ("x.svg", "image/svg+xml", b"<svg onload=alert(1)>"),
        ('a"b\r\nSet-Cookie: x=y;\u202efdp.exe', "text/html; charset=\r\nX: y", b"MZ"),
    )):  # fmt: skip
        ref = await blobs.put(f"p/att{n}", content)
        files.append({"filename": name, "content_type": kind, "size": len(content), "blob": ref.model_dump()})
    raw = await blobs.put("p/raw", b"From: jo\r\n\r\n\xff\x00bytes")
    s = story(8)
    mail = s.created(), s.mail("see files", cause="m", attachments=files, raw=raw)
    await bus.events(*mail)

    async def there() -> Any:
        answer = await console.api.get(f"/tickets/{s.ticket}")
        return answer.status_code == 200 and answer.json()["messages"]

    (message,) = await eventually(there, 10)
    source = await console.api.get(message["raw_url"].removeprefix("/api/v1"))
    assert source.content == b"From: jo\r\n\r\n\xff\x00bytes"
    dispositions = []
    for attachment in message["attachments"]:
        got = await console.api.get(attachment["url"].removeprefix("/api/v1"))
        assert got.status_code == 200
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"].startswith("sandbox")
        assert "set-cookie" not in got.headers
        dispositions.append(got.headers["content-disposition"].partition(";")[0])
    assert dispositions == ["inline", "attachment", "attachment", "attachment", "attachment"]
    assert (await console.api.get(f"/messages/{message['id']}/attachments/99")).status_code == 404
