"""Formatted text by the API: commands carry safe HTML, a text beside it, and the pictures that it shows."""

from __future__ import annotations

import base64
from collections.abc import Callable

from mailroom_contracts import AddNote, Reply
from mailroom_runtime.blobs.store import BlobStore
from support.console_story import Story, router_of
from support.waiting import eventually

from .conftest import Bus, RunningConsole

PNG = b"\x89PNG\r\n\x1a\n" + b"1234" * 10


async def test_html_is_made_safe_and_carries_its_pictures(
    console: RunningConsole, bus: Bus, story: Callable[..., Story]
) -> None:
    gmail = console.put_address("gmail", f"rich@gmail-{console.domain}", active=True, gmail={"secret": "sealed:k1:x"})
    s = story(41, address=gmail)
    await bus.events(s.created(), s.mail())

    async def there() -> bool:
        return (await console.api.get(f"/tickets/{s.ticket}")).status_code == 200

    await eventually(there, 10)
    given = await console.api.post("/attachments", files={"file": ("shot.png", PNG, "image/png")})
    upload = given.json()["items"][0]["id"]
    html = (
        "<p>Dear <b>Jo</b><script>x()</script></p>"
        f'<img src="cid:{upload}@pictures.mailroom"><img src="cid:{"0" * 32}@pictures.mailroom">'
        f'<img src="cid:logo@acme.example"><img src="data:image/png;base64,{base64.b64encode(PNG + b"2").decode()}">'
    )
    logo = {"filename": "logo.png", "content_type": "image/png", "content_base64": base64.b64encode(PNG).decode(),
            "content_id": "logo@acme.example"}  # fmt: skip
    async with bus.answering(console, router_of(s)) as commands:
        answer = await console.api.post(f"/tickets/{s.ticket}/replies", json={"html": html, "attachments": [logo]})
        assert answer.status_code == 202, answer.text
        note = await console.api.post(f"/tickets/{s.ticket}/notes", json={"text": "Both", "html": "<i>Both</i>"})
        assert note.status_code in (201, 202), note.text  # the router of this test knows replies alone
        bad = await console.api.post(f"/tickets/{s.ticket}/replies", json={"html": html, "attachments": [
            logo | {"content_id": 'x"><script>'}]})  # fmt: skip
        assert bad.status_code == 422
        empty = await console.api.post(f"/tickets/{s.ticket}/replies", json={"html": "<script>x()</script>"})
        assert empty.status_code == 422
    reply, added = commands
    assert isinstance(reply, Reply)
    assert isinstance(added, AddNote)
    assert reply.html is not None
    assert "script" not in reply.html
    assert "data:" not in reply.html
    assert "0000" not in reply.html
    assert reply.text.startswith("Dear Jo")
    assert len(reply.attachments) == 3
    for file in reply.attachments:
        assert file.inline
        assert f"cid:{file.content_id}" in reply.html
        assert (await BlobStore(console.settings.blob_url).get(file.blob)).startswith(PNG)
    assert (added.text, added.html) == ("Both", "<i>Both</i>")
