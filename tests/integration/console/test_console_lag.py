"""The console's loop is never held up, whatever is long: a conversation, a mail of 25 MB, a search."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import httpx
from mailroom_contracts import AttachmentRef, BlobRef, Forward, TicketCommand, TicketEvent
from mailroom_runtime.blobs.store import BlobStore
from support.console_story import Story, router_of
from support.doubling import busy
from support.loop_turns import LONGEST_S, turns
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter
from .test_console_forms_again import forms_of

PASSWORD = "correct horse battery"
PARAGRAPH = "Grüße aus Köln: the parcel has not come, and the tracking number says nothing since Monday.\n"
LARGE = 25 << 20
HOSTILE = {
    "what is in every mail, and what is in none": "parcel tracking " + " ".join(f"{word}xyz" for word in "abcdefgh"),
    "what is behind much else": "rhubarb",
    "many beginnings": "par tra num say not com kol gru",
    "many words": " ".join(f"w{n}" for n in range(180)),
    "one word": "a" * 900,
    "quotes": '"' * 900,
    "beginnings": " ".join("abcdefghijkl"),
    "pairs": "東京" * 400,
    "marks": "e" + "\u0301" * 900,
    "operators": "NEAR(" * 150 + "^* - OR AND NOT {a} : ",
}


def _large(blobs: dict[str, BlobRef]) -> dict[str, Any]:
    files = [
        AttachmentRef(filename=name, content_type=kind, size=blobs["file"].size, content_id=name, blob=blobs[blob])
        for name, kind, blob in (
            ("x.bin", "application/octet-stream", "file"),
            ("x.txt", "text/plain", "text"),
            ("x.eml", "message/rfc822", "raw"),
            ("x.png", "image/png", "file"),
        )
    ]
    return {
        "html": "<p>" + PARAGRAPH * 200,
        "raw": blobs["raw"],
        "text_ref": blobs["text"],
        "html_ref": blobs["html"],
        "attachments": files,
    }


def _template() -> dict[str, str]:
    """Another one each time: what was compiled once is kept."""
    return {"subject": "Hello", "content": secrets.token_hex(4) + "{{subject}} " * 1600}


async def _stored(console: RunningConsole) -> dict[str, BlobRef]:
    text = (PARAGRAPH * (LARGE // len(PARAGRAPH.encode()))).encode()
    head = (
        b"From: jo@c.example\r\nSubject: Large\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    contents = {
        "text": text,
        "html": b"<p>" + text.replace(b"\n", b"</p><p>"),
        "raw": head + text.decode().encode("latin-1"),  # not what it says: each odd byte is written out
        "file": b"\x89PNG\r\n\x1a\n" + bytes(LARGE),
    }
    store = BlobStore(console.settings.blob_url)
    return {name: await store.put(f"lag/{name}", content) for name, content in contents.items()}


def _answers(*stories: Story) -> Callable[[TicketCommand], list[TicketEvent]]:
    """A router that takes replies; a forward is one that needs no event of its own kind here."""
    of = {story.ticket: story for story in stories}

    def answer(command: TicketCommand) -> list[TicketEvent]:
        story = of[command.ticket_id]
        if isinstance(command, Forward):
            return [story.reply(command.id, command.text, command.actor)]
        return router_of(story)(command)

    return answer


async def test_nothing_that_is_asked_holds_the_loop_up(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    sends = console.put_address(
        "smtp",
        "sales@shop.example",
        smtp={"host": "mail.shop.example", "port": 587, "tls": "starttls", "username": "u", "secret": "sealed:k1:x"},
    )
    about = {"portal": console.ids["portal"], "queue": console.ids["queue"], "address": sends}
    long, large = Story(1, **about), Story(2, **about)
    blobs = await _stored(console)
    text = (PARAGRAPH * 1000)[:40_000]
    await bus.events(long.created(), *(long.mail(text, html=f"<p>{text}</p>", reply_text=text) for _ in range(300)))
    many = [Story(number, **about) for number in range(3, 28)]
    for story in many:  # what is looked for stands in none of what a list shows
        mails = [story.mail(PARAGRAPH * 20 + " rhubarb " + text * 3) for _ in range(5)]
        await bus.events(story.created(), *mails, story.mail("Thanks"))
    await bus.events(large.created(), large.mail(PARAGRAPH * 200, **_large(blobs)))
    body = {"email": console.at("bea"), "role": "administrator", "password": PASSWORD}
    assert (await console.api.post("/agents", json=body)).status_code == 201

    async def there() -> bool:
        counts = {ticket["id"]: ticket["message_count"] for ticket in (await console.get("/tickets"))["items"]}
        return counts == {long.ticket: 300, large.ticket: 1} | {story.ticket: 6 for story in many}

    await eventually(there, 60)
    letter = (await console.get(f"/tickets/{large.ticket}"))["messages"][0]["id"]
    headers = dict(console.api.headers)
    # a thread of its own: what the one who asks computes is no part of the console's turn
    with httpx.Client(base_url=console.settings.url, timeout=60, trust_env=False) as client:

        def ask(method: str, path: str, **more: Any) -> int:
            api = {"headers": headers} if path.startswith("/api") else {}
            with client.stream(method, path, **api, **more) as answer:
                for _ in answer.iter_raw():
                    pass
                return answer.status_code

        signed = await asyncio.to_thread(
            client.post, "/api/v1/session", json={"email": body["email"], "password": PASSWORD}
        )
        assert signed.status_code == 200
        forms = {
            story.ticket: forms_of(await asyncio.to_thread(client.get, f"/tickets/{story.ticket}"))
            for story in (long, large)
        }

        def post(story: Story, kind: str, **fields: Any) -> tuple[str, str, dict[str, Any]]:
            path = f"/tickets/{story.ticket}/{kind}"
            return (
                "POST",
                path,
                {"data": forms[story.ticket][path] | {"text": ["x"], "to": ["ops@acme.example"], **fields}},
            )

        def api(story: Story, kind: str, **fields: Any) -> tuple[str, str, dict[str, Any]]:
            return "POST", f"/api/v1/tickets/{story.ticket}/{kind}", {"json": {"text": "x", **fields}}

        to = ["ops@acme.example"]
        asked: dict[str, tuple[str, str, dict[str, Any]]] = {
            "a long ticket": ("GET", f"/tickets/{long.ticket}", {}),
            "a long ticket by the API": ("GET", f"/api/v1/tickets/{long.ticket}", {}),
            "the letter that forwards it": ("GET", f"/tickets/{long.ticket}?kind=forward", {}),
            "an answer with all history": post(long, "reply", quote=["all"]),
            "an answer with all history by the API": api(long, "replies", quote="all"),
            "a long ticket forwarded": post(long, "forward", message_id=[""]),
            "a long ticket forwarded by the API": api(long, "forward", to=to),
            "a preview of an automatic reply": ("POST", "/api/v1/auto-reply-preview", {"json": _template}),
            "a large mail's ticket": ("GET", f"/tickets/{large.ticket}", {}),
            "a large mail forwarded": post(large, "forward", message_id=[letter], with_files=["1"]),
            "a large mail forwarded by the API": api(large, "forward", to=to, message_id=letter),
            **{f"a large mail's {what}": ("GET", f"/messages/{letter}/{what}", {})
               for what in ("frame", "text", "raw", "raw?save=1", "attachments/0", "texts/1", "posts/2", "pictures/3")},
            **{f"a large mail's {what} by the API": ("GET", f"/api/v1/messages/{letter}{what}", {})
               for what in ("", "/raw", "/attachments/1")},
            **{f"a search: {what}": ("GET", "/tickets", {"params": {"q": q}}) for what, q in HOSTILE.items()},
            **{f"a search by the API: {what}": ("GET", "/api/v1/tickets", {"params": {"q": q}}) for what, q in HOSTILE.items()},
        }  # fmt: skip
        held_up: dict[str, str] = {}
        async with bus.answering(console, _answers(long, large)):
            for what, (method, path, more) in asked.items():
                longest = float("inf")
                for _ in range(2):  # what is compiled and started once holds nobody up twice
                    async with turns() as took:
                        given = {name: value() if callable(value) else value for name, value in more.items()}
                        status = await asyncio.to_thread(ask, method, path, **given)
                        await asyncio.sleep(0)
                    assert status < 400, (what, status)
                    longest = min(longest, max(took))
                if longest > LONGEST_S * busy():
                    held_up[what] = f"{longest * 1000:.0f} ms"
    assert held_up == {}
