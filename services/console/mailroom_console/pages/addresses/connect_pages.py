"""Checks and connections of addresses: SMTP login, forwarding, automatic reply, Google."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response

from mailroom_console.addresses import account_check, forwarding, own_internal, smtp_accounts
from mailroom_console.addresses import records as addresses
from mailroom_console.addresses import trial_mails as test_mails
from mailroom_console.languages import say
from mailroom_console.mailboxes import email_address
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.people import queues
from mailroom_console.principals import CONFIG
from mailroom_console.problems import Problem

from . import address_form
from .address_pages import show_one


def pages() -> list[Page]:
    """The routes. They stand before /addresses/{id}."""
    return [
        Page("POST", "/addresses/smtp/check", check_login, CONFIG, quick=True),
        Page("POST", "/addresses/preview", preview, CONFIG, quick=True),
        Page("POST", "/addresses/{id}/auto-reply/test", send_test, CONFIG),
        Page("POST", "/addresses/{id}/check-forwarding", check_forwarding, CONFIG),
        Page("POST", "/addresses/{id}/own-internal", make_own_internal, CONFIG),
    ]


async def check_login(visit: Visit) -> Response:
    """Try the login that is being typed: `{ok, text}`. A stored password is used only for the stored account."""
    form = address_form.read(visit)
    email = email_address(form["email"] or visit.text("address_email"))
    account = smtp_accounts.account(address_form.smtp(form), email)
    password = visit.text("password")
    if not password:
        password = await _stored_password(visit, account)
    if not password:
        return JSONResponse({"ok": False, "text": say("Type the password first.")})
    problem = await account_check.look(visit.console, account, password, email=email)
    if problem is None:
        return JSONResponse(
            {
                "ok": True,
                "text": say("{host} accepts this login, and mail from {email}.", host=account["host"], email=email),
            }
        )
    return JSONResponse({"ok": False, "text": problem.text, "code": problem.code})


async def _stored_password(visit: Visit, account: dict[str, Any]) -> str:
    """The sealed password of the address that is edited, when host and login name are the stored ones."""
    address_id = visit.text("address_id")
    if not address_id:
        return ""
    async with visit.console.database.read() as connection:
        row = await addresses.row_of(connection, visit.who, address_id)
    if not row.smtp or not row.smtp.get("secret") or row.smtp.get("auth") == "oauth":
        return ""  # tokens are nobody's password
    if (account["host"], account["username"]) != (row.smtp["host"], row.smtp["username"]):
        return ""
    return visit.console.sealer.open(row.smtp["secret"], bound_to=row.id)


async def preview(visit: Visit) -> Response:
    """The automatic reply for a sample mail, while it is being written."""
    names = await queues.named(visit.console, visit.who)
    queue_name = names.get(visit.text("queue_id"), say("Support"))
    shown = await asyncio.to_thread(address_form.preview, visit.text("subject"), visit.text("content"), queue_name)
    return JSONResponse(shown)


async def send_test(visit: Visit) -> Response:
    """Send the text that is being edited to the one who edits it. Nothing is saved."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    form = address_form.read(visit)
    try:
        sent = await test_mails.send(visit.console, visit.who, address["id"], to=visit.who.email,
                                     subject=form["auto_subject"], content=form["auto_content"])  # fmt: skip
    except Problem as problem:
        shown = {"auto_content": problem.detail} if problem.code == "bad_template" else {"": [problem.detail]}
        return await show_one(visit, address, form, shown, status=problem.status)
    said = say("A test is on its way to {to}. Your changes are not saved yet.", to=sent["to"])
    return await show_one(visit, address, form, {}, said=said)


async def make_own_internal(visit: Visit) -> Response:
    """An internal address that only this one is forwarded to."""
    address_id = visit.path("id")
    try:
        made = await own_internal.make(visit.console, visit.who, address_id)
    except Problem as problem:
        return visit.refused(f"/addresses/{address_id}", problem)
    said = say("{email} is made. Now let the provider forward to it, and check the forwarding.", email=made["email"])
    return visit.go(f"/addresses/{address_id}", said)


async def check_forwarding(visit: Visit) -> Response:
    """Send a probe, and wait on the address's page to see it come back."""
    address_id = visit.path("id")
    try:
        await forwarding.check(visit.console, visit.who, address_id)
    except Problem as problem:
        return visit.refused(f"/addresses/{address_id}", problem)
    return visit.go(f"/addresses/{address_id}", say("A probe mail is on its way. This page shows when it comes back."))
