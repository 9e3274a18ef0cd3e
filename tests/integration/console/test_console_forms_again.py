"""Forms that are sent again: a form keeps its key while it is refused or its answer is lost, and does its thing once; it keeps
its files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from mailroom_contracts import AddNote, Reply, TicketCommand, TicketEvent
from support.console_story import Story, router_of
from support.waiting import eventually

from .conftest import Bus, RunningConsole

PASSWORD = "correct horse battery"
Forms = dict[str, dict[str, list[str]]]


class _Forms(HTMLParser):
    """The forms of a page, by where they go: each field with its values, as a browser would send it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: Forms = {}
        self._fields: dict[str, list[str]] | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and (given.get("method") or "").lower() == "post":
            self._fields = self.forms.setdefault(str(given.get("action")), {})
        name = given.get("name")
        if self._fields is None or not name:
            return
        if tag == "textarea":
            self._text = name
            self._fields.setdefault(name, [""])
        unticked = given.get("type") in ("checkbox", "radio") and "checked" not in given
        if tag == "input" and given.get("type") != "file" and not unticked:
            self._fields.setdefault(name, []).append(given.get("value") or "")

    def handle_data(self, data: str) -> None:
        if self._fields is not None and self._text is not None:
            self._fields[self._text][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = None
        if tag == "form":
            self._fields = None


def forms_of(page: httpx.Response) -> Forms:
    """The forms that a page shows."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


@pytest.fixture
async def browser(console: RunningConsole) -> AsyncIterator[httpx.AsyncClient]:
    """Where an administrator is signed in."""
    body = {"email": console.at("bea"), "role": "administrator", "password": PASSWORD}
    assert (await console.api.post("/agents", json=body)).status_code == 201
    async with httpx.AsyncClient(base_url=console.settings.url, timeout=30, trust_env=False) as client:
        signed = await client.post("/api/v1/session", json={"email": body["email"], "password": PASSWORD})
        assert signed.status_code == 200
        yield client


@pytest.fixture
async def ticket(console: RunningConsole, bus: Bus, story: Callable[..., Story]) -> Story:
    """Of an address that can send."""
    sends = console.put_address("gmail", f"sales@gmail-{console.domain}", gmail={"secret": "sealed:k1:x"})
    s = story(1, address=sends)
    await bus.events(s.created(), s.mail())

    async def there() -> Any:
        answer = await console.api.get(f"/tickets/{s.ticket}")
        return answer.status_code == 200 and answer.json()["messages"]

    await eventually(there, 20)
    return s


def answers(story: Story) -> Callable[[TicketCommand], list[TicketEvent]]:
    """A router that takes replies and notes."""
    reply = router_of(story)

    def answer(command: TicketCommand) -> list[TicketEvent]:
        if isinstance(command, AddNote):
            return [story.note(command.text, command.id, command.actor)]
        return reply(command)

    return answer


async def test_each_form_that_writes_on_a_ticket_has_a_key(browser: httpx.AsyncClient, ticket: Story) -> None:
    found = {
        action: fields
        for path in (f"/tickets/{ticket.ticket}", "/tickets/new")
        for action, fields in forms_of(await browser.get(path)).items()
        if "text" in fields
    }
    assert len(found) >= 4, list(found)
    keys = [fields.get("key", [""])[0] for fields in found.values()]
    assert all(keys), {action: list(fields) for action, fields in found.items()}
    assert len(set(keys)) == len(keys), "each of its own"


@pytest.mark.parametrize("kind", ["reply", "note"])
async def test_what_is_sent_again_is_done_once(
    kind: str, console: RunningConsole, bus: Bus, browser: httpx.AsyncClient, ticket: Story
) -> None:
    path = f"/tickets/{ticket.ticket}/{kind}"
    form = forms_of(await browser.get(f"/tickets/{ticket.ticket}"))[path] | {"text": ["On its way."]}
    async with bus.answering(console, answers(ticket)) as commands:
        first = await browser.post(path, data=form)
        assert first.status_code == 303, first.text[-2000:]
        # the console that remembers what was sent was started again: the key of the command is what is left
        second = await browser.post(path, data=form | {"once": [""]})
        assert second.status_code == 303
        assert second.headers["location"] == first.headers["location"]
    assert len({command.id for command in commands}) == 1
    shown = (await console.get(f"/tickets/{ticket.ticket}"))["messages"]
    assert len([message for message in shown if message["text"].startswith("On its way.")]) == 1


async def test_a_refused_form_keeps_its_key_and_its_files(
    console: RunningConsole, bus: Bus, browser: httpx.AsyncClient, ticket: Story
) -> None:
    path = f"/tickets/{ticket.ticket}/reply"
    form = forms_of(await browser.get(f"/tickets/{ticket.ticket}"))[path] | {"text": ["See the file."]}
    files = {"files": ("plan.txt", b"a plan", "text/plain")}
    refused = await browser.post(path, data=form | {"to": ["nobody"]}, files=files)
    assert refused.status_code == 422, refused.text[-2000:]
    again = forms_of(refused)[path]
    assert again["key"] == form["key"]
    assert again["text"][0].strip() == "See the file."
    assert [name.partition(" ")[2] for name in again["attached"]] == ["plan.txt"]
    async with bus.answering(console, answers(ticket)) as commands:
        sent = await browser.post(path, data=again | {"to": form["to"]})
        assert sent.status_code == 303, sent.text[-2000:]
    (command,) = commands
    assert isinstance(command, Reply)
    assert [file.filename for file in command.attachments] == ["plan.txt"]


@pytest.mark.parametrize("chosen", ["send_at", "send_at_local"])
async def test_what_was_to_leave_later_still_is_when_the_form_is_shown_again(
    chosen: str, browser: httpx.AsyncClient, ticket: Story
) -> None:
    """Sent again as it is shown, it would otherwise leave at once."""
    when = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
    forms = {
        path: fields
        for page in (f"/tickets/{ticket.ticket}", "/tickets/new")
        for path, fields in forms_of(await browser.get(page)).items()
        if "send_at_local" in fields
    }
    assert len(forms) == 3, list(forms)  # answer, forward, new message
    for path, form in forms.items():
        given = when.isoformat() if chosen == "send_at" else f"{when:%Y-%m-%dT%H:%M}"
        sent = {
            **form,
            "send_at": [""],
            "text": ["Tomorrow."],
            "to": ["nobody"],
            chosen: [given],
            "cancel_on_mail": ["1"],
        }
        refused = await browser.post(path, data=sent)
        assert refused.status_code == 422, (path, refused.text[-2000:])
        assert forms_of(refused)[path]["send_at_local"] == [f"{when:%Y-%m-%dT%H:%M}"], path


async def test_a_key_whose_form_was_changed_says_that_it_may_have_arrived(
    console: RunningConsole, bus: Bus, browser: httpx.AsyncClient, ticket: Story
) -> None:
    path = f"/tickets/{ticket.ticket}/reply"
    form = forms_of(await browser.get(f"/tickets/{ticket.ticket}"))[path]
    async with bus.answering(console, answers(ticket)):
        assert (await browser.post(path, data=form | {"text": ["One."]})).status_code == 303
    other = await browser.post(path, data=form | {"text": ["Two."]})
    assert other.status_code == 422
    assert "that may have arrived" in other.text
    assert forms_of(other)[path]["key"] != form["key"], "sent again it is another wish"


async def test_a_form_without_a_key_is_carried_out_once_too(browser: httpx.AsyncClient) -> None:
    """A token's secret is shown once: who clicked twice sees the same one in the second answer, and there is one token."""
    form = forms_of(await browser.get("/tokens"))["/tokens"] | {"name": ["shop"], "scopes": ["read"]}
    first, second = await asyncio.gather(*(browser.post("/tokens", data=form) for _ in range(2)))
    third = await browser.post("/tokens", data=form)
    assert first.status_code == 201, first.text[-2000:]
    assert first.text == second.text == third.text
    assert (await browser.get("/tokens")).text.count(">shop<") == 1
    other = await browser.post("/tokens", data=form | {"name": ["shop 2"]})
    assert other.text != first.text, "changed, it is another wish"
    refused = form | {"name": [""]}
    for _ in range(2):
        assert (await browser.post("/tokens", data=refused)).status_code == 422


async def test_a_new_one_added_twice_is_there_once(browser: httpx.AsyncClient) -> None:
    form = {"id": [""], "name": ["Greeting"], "text": ["Hello"], "queue_id": [""]}
    marks = forms_of(await browser.get("/canned"))["/canned"]
    sent = form | {name: marks[name][:1] for name in ("csrf", "once")}
    answers = [await browser.post("/canned", data=sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert (await browser.get("/canned")).text.count('value="Greeting"') == 1
