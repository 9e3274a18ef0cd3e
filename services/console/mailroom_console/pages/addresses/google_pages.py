"""Connecting Gmail: what is asked and why, on to Google, reconnecting, disconnecting."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mailroom_console.addresses import google
from mailroom_console.addresses import records as addresses
from mailroom_console.languages import mark, say
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import CONFIG
from mailroom_console.problems import Problem

_PERMISSIONS = [
    (
        mark("Read mail and its labels"),
        mark("New mail in the inbox becomes tickets. Nothing is changed or deleted there."),
    ),
    (mark("Send mail"), mark("The replies that your agents write leave through Gmail, in the same thread.")),
    (mark("See your email address"), mark("To know which inbox this is.")),
]


def pages() -> list[Page]:
    """The routes. They stand before /addresses/add/{kind}."""
    return [
        Page("GET", "/addresses/add/gmail", ask, CONFIG),
        Page("POST", "/addresses/add/gmail", connect, CONFIG),
        Page("GET", "/addresses/{id}/reconnect", ask_again, CONFIG),
        Page("POST", "/addresses/{id}/reconnect", reconnect, CONFIG),
        Page("GET", "/addresses/{id}/disconnect", ask_disconnect, CONFIG),
        Page("POST", "/addresses/{id}/disconnect", disconnect, CONFIG),
    ]


async def ask(visit: Visit) -> Response:
    """Which permissions are asked for, and why."""
    return await _show(visit, None)


async def ask_again(visit: Visit) -> Response:
    """The same, to reconnect an address."""
    return await _show(visit, await addresses.one(visit.console, visit.who, visit.path("id")))


async def connect(visit: Visit) -> Response:
    """On to Google."""
    days = visit.number("import_days")
    try:
        url = await google.connect(visit.console, visit.who, import_days=days or None)
    except Problem as problem:
        return await _show(visit, None, [problem.detail], problem.status)
    return await visit.show("leave.html", "", me=None, url=url)


async def reconnect(visit: Visit) -> Response:
    """On to Google, for an address that is there already."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    try:
        url = await google.connect(visit.console, visit.who, address_id=address["id"])
    except Problem as problem:
        return await _show(visit, address, [problem.detail], problem.status)
    return await visit.show("leave.html", "", me=None, url=url)


async def ask_disconnect(visit: Visit) -> Response:
    """What disconnecting means."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    told = [say("Its inbox is not read any more, and replies cannot leave from it."),
            say("The permission is taken back at Google."), say("Its tickets and settings stay; it can be connected again.")]  # fmt: skip
    return await visit.show(
        "confirm.html", "addresses", title=say("Disconnect {email}?", email=address['email']), back=f"/addresses/{address['id']}",
        problems=[], consequences=told, action=f"/addresses/{address['id']}/disconnect", hidden={}, forbidden=False,
        confirm_text=say("Disconnect"),
    )  # fmt: skip


async def disconnect(visit: Visit) -> Response:
    """Forget the access, and take it back at Google."""
    address_id = visit.path("id")
    try:
        await google.disconnect(visit.console, visit.who, address_id)
    except Problem as problem:
        return visit.refused(f"/addresses/{address_id}", problem)
    return visit.go(f"/addresses/{address_id}", say("Disconnected. The permission was taken back at Google."))


async def _show(
    visit: Visit, address: dict[str, Any] | None, problems: list[str] | None = None, status: int = 200
) -> Response:
    path = f"/addresses/{address['id']}" if address else "/addresses/add"
    return await visit.show(
        "gmail_connect.html", "addresses", status, address=address, back=path, problems=problems or [],
        permissions=_PERMISSIONS, configured=bool(visit.console.settings.google_client_id),
        action=f"{path}/reconnect" if address else "/addresses/add/gmail",
        redirect_uri=google.redirect_uri(visit.console),
    )  # fmt: skip
