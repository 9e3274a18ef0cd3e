"""Signing an SMTP address in at its provider, and out; and what is found about an address while it is typed."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from mailroom_console.addresses import discovery, sign_ins
from mailroom_console.addresses import records as addresses
from mailroom_console.languages import say
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import CONFIG
from mailroom_console.problems import Problem

from . import address_form
from .address_pages import show_add, show_one


def pages() -> list[Page]:
    """The routes. They stand before /addresses/add/{kind} and /addresses/{id}."""
    return [
        Page("POST", "/addresses/smtp/discover", discover, CONFIG, quick=True),
        Page("POST", "/addresses/add/smtp/sign-in", leave, CONFIG),
        Page("POST", "/addresses/{id}/sign-in", leave_again, CONFIG),
        Page("GET", "/addresses/{id}/sign-out", ask_sign_out, CONFIG),
        Page("POST", "/addresses/{id}/sign-out", sign_out, CONFIG),
    ]


async def discover(visit: Visit) -> Response:
    """Host, port and encryption of the address that is typed, and where it signs in."""
    try:
        found = await discovery.look(visit.console, visit.text("email"))
    except Problem as problem:
        return JSONResponse({"found": False, "text": problem.detail})
    return JSONResponse(discovery.shown(found))


async def leave(visit: Visit) -> Response:
    """On to the provider; what was typed waits."""
    values = address_form.read(visit)
    provider = visit.text("sign_in")
    try:
        given = address_form.given(values | {"auth": "oauth"}, "", "smtp")
        given["smtp"] = address_form.of_provider(given.get("smtp") or {}, visit.console.providers.get(provider))
        email = str(given.pop("email"))
        url = await sign_ins.connect(visit.console, visit.who, provider=provider, email=email, given=given)
    except Problem as problem:
        return await show_add(visit, values, address_form.problems(problem, "smtp"), problem.status)
    return await _leave(visit, provider, url)


async def leave_again(visit: Visit) -> Response:
    """On to the provider, for an address that is there already."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    provider = visit.text("sign_in") or str((address["smtp"] or {}).get("provider") or "")
    try:
        url = await sign_ins.connect(
            visit.console, visit.who, provider=provider, email=address["email"], address_id=address["id"]
        )
    except Problem as problem:
        shown = address_form.problems(problem, "smtp")
        return await show_one(visit, address, address_form.of(address), shown, status=problem.status)
    return await _leave(visit, provider, url)


async def ask_sign_out(visit: Visit) -> Response:
    """What signing out means."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    told = [say("Replies cannot leave from it any more; what waits is kept for two weeks."),
            say("The sign-in is forgotten here, and taken back at the provider where that can be done."),
            say("Its tickets and settings stay; it can be connected again.")]  # fmt: skip
    return await visit.show(
        "confirm.html", "addresses", title=say("Disconnect {email}?", email=address['email']), back=f"/addresses/{address['id']}",
        problems=[], consequences=told, action=f"/addresses/{address['id']}/sign-out", hidden={}, forbidden=False,
        confirm_text=say("Disconnect"),
    )  # fmt: skip


async def sign_out(visit: Visit) -> Response:
    """Forget the sign-in, and take it back at the provider."""
    address_id = visit.path("id")
    try:
        revoked = await sign_ins.disconnect(visit.console, visit.who, address_id)
    except Problem as problem:
        return visit.refused(f"/addresses/{address_id}", problem)
    said = say("Disconnected. The access was taken back at the provider.") if revoked else say(
        "Disconnected. The provider has no way for us to take the access back: remove it in the account’s own settings there."
    )  # fmt: skip
    return visit.go(f"/addresses/{address_id}", said)


async def _leave(visit: Visit, provider: str, url: str) -> Response:
    known = visit.console.providers.get(provider)
    return await visit.show(
        "leave.html", "", me=None, url=url, provider=known.name if known else provider, provider_id=provider
    )
