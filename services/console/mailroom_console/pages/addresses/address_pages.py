"""Email addresses: the list, adding one of three kinds, updating, disabling, deleting."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mailroom_console.addresses import records as addresses
from mailroom_console.addresses import sign_ins, smtp_accounts
from mailroom_console.languages import mark, say
from mailroom_console.pages.frame.deletion import Deletion, Doomed
from mailroom_console.pages.frame.pager import part_of
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.people import queues
from mailroom_console.portals import records as portals
from mailroom_console.principals import CONFIG
from mailroom_console.problems import Problem, not_found

from . import address_form, address_view


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/addresses", listing, CONFIG),
        Page("GET", "/addresses/add", kinds, CONFIG),
        Page("GET", "/addresses/add/{kind}", add_form, CONFIG),
        Page("POST", "/addresses/add/{kind}", add, CONFIG),
        Page("GET", "/addresses/{id}", one, CONFIG),
        Page("POST", "/addresses/{id}", update, CONFIG),
        Page("POST", "/addresses/{id}/active", switch, CONFIG),
        *DELETION.pages(),
    ]


async def listing(visit: Visit) -> Response:
    """All addresses with state and today's mail."""
    items = await addresses.everything(visit.console, visit.who)
    if connected := next((a for a in items if a["id"] == visit.query("connected")), None):
        said = address_view.connected(connected, visit.who.email)
        return visit.go(f"/addresses/{connected['id']}", said)
    names = await queues.named(visit.console, visit.who)
    emails = {a["id"]: a["email"] for a in items}
    part = part_of(visit, items)
    shown = [address_view.shown(a, names, emails) for a in part.items]
    refused = visit.query("oauth_error")[:300]
    return await visit.show("addresses.html", "addresses", addresses=shown, part=part, oauth_error=refused)


async def kinds(visit: Visit) -> Response:
    """The three kinds, explained."""
    portal = await portals.current(visit.console, visit.who)
    return await visit.show("address_add.html", "addresses", domains=portal["domains"])


async def add_form(visit: Visit) -> Response:
    """The form of one kind; after a sign-in that did not work, with what had been typed."""
    if _kind(visit) == "smtp" and (kept := await sign_ins.draft(visit.console, visit.who, visit.query("draft"))):
        return await show_add(visit, address_form.of_draft(kept), {"sign_in": visit.query("oauth_error")[:600]})
    return await show_add(visit, address_form.blank(), {})


async def add(visit: Visit) -> Response:
    """Add an internal or SMTP address."""
    kind = _kind(visit)
    values = address_form.read(visit)
    try:
        given = address_form.given(values, visit.text("password"), kind) | {"kind": kind}
        made = await addresses.create(visit.console, visit.who, given)
    except Problem as problem:
        return await show_add(visit, values, address_form.problems(problem, kind), problem.status)
    said = say("{email} is ready. Mail to it becomes tickets.", email=made["email"])
    if kind == "smtp":
        said = say("The login worked, and {email} is saved. Now set the forwarding, and check it.", email=made["email"])
    return visit.go(f"/addresses/{made['id']}", said)


async def one(visit: Visit) -> Response:
    """One address with its settings and state."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    refused = visit.query("oauth_error")[:600]
    return await show_one(visit, address, address_form.of(address), {"sign_in": refused} if refused else {})


async def update(visit: Visit) -> Response:
    """Save the settings."""
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    values = address_form.read(visit)
    try:
        given = address_form.given(values, visit.text("password"), address["kind"], before=address)
        await addresses.change(visit.console, visit.who, address["id"], given)
    except Problem as problem:
        if problem.code != "revision_conflict":
            return await show_one(visit, address, values, address_form.problems(problem, address["kind"]),
                                  status=problem.status)  # fmt: skip
        fresh = await addresses.one(visit.console, visit.who, address["id"])
        differs = address_form.differences(values, address_form.of(fresh))
        return await show_one(visit, fresh, values | {"revision": fresh["revision"]}, {}, differs, problem.status)
    return visit.go(f"/addresses/{address['id']}", say("Saved."))


async def switch(visit: Visit) -> Response:
    """Disable or enable."""
    active = visit.flag("active")
    given = {"active": active, "revision": visit.number("revision")}
    address = await addresses.change(visit.console, visit.who, visit.path("id"), given)
    said = (
        say("{email} takes mail and sends again.", email=address["email"])
        if active
        else say("{email} is disabled.", email=address["email"])
    )
    return visit.go(f"/addresses/{address['id']}", said)


async def _doomed(visit: Visit) -> Doomed:
    address = await addresses.one(visit.console, visit.who, visit.path("id"))
    told = [say("Mail to {email} is refused from now on.", email=address["email"])]
    if address["kind"] == "gmail":
        told = [say("Its inbox is not read any more. Nothing is deleted at Google.")]
    if address["kind"] == "smtp":
        told = [say("Mail that is still forwarded belongs to the internal address from now on.")]
    if address["can_send"]:
        told += [say("Replies cannot leave from it any more. What still waits is told to its agents as not sent.")]
    told += [say("Its tickets and their history stay."), say("Disabling does the same, and can be undone.")]
    said = say("{email} is deleted. Its tickets stay.", email=address["email"])
    return Doomed(address["id"], address["email"], say("address"), told, said)


DELETION = Deletion("addresses", "/addresses", _doomed, addresses.remove, afterwards="/addresses")


async def show_one(
    visit: Visit, address: dict[str, Any], form: dict[str, Any], problems: dict[str, Any], conflict: str = "",
    status: int = 200, said: str = "",
) -> Response:  # fmt: skip
    """The address's page, with a form that may hold what was not accepted."""
    items = await addresses.everything(visit.console, visit.who)
    names = await queues.named(visit.console, visit.who)
    emails = {a["id"]: a["email"] for a in items}
    shown = address_view.shown(address, names, emails)
    more = {"flashes": [{"kind": "good", "text": said}]} if said else {}
    account = address["smtp"] or {}
    shown["provider_name"] = next((p["name"] for p in sign_ins.offered(visit.console) if p["id"] == account.get("provider")),
                                  account.get("provider"))  # fmt: skip
    shown["shares_with"] = [a["email"] for a in items if a["forwards_to"] and a["forwards_to"] == address["forwards_to"]
                            and a["id"] != address["id"]]  # fmt: skip
    shown["forwarded_from"] = [a for a in items if a["forwards_to"] == address["id"]]
    return await visit.show(
        "address.html", "addresses", status, address=shown, form=form, problems=problems, conflict=conflict,
        queues=list(names.items()), sample=address_form.sample(form, names), presets=smtp_accounts.presets(),
        providers=sign_ins.offered(visit.console),
        internals=[(a["id"], a["email"]) for a in items if a["kind"] == "internal"], **more,
    )  # fmt: skip


async def show_add(visit: Visit, form: dict[str, Any], problems: dict[str, Any], status: int = 200) -> Response:
    kind = _kind(visit)
    portal = await portals.current(visit.console, visit.who)
    names = await queues.named(visit.console, visit.who)
    if not form["queue_id"] and len(names) == 1:
        form = form | {"queue_id": next(iter(names))}
    items = await addresses.everything(visit.console, visit.who) if kind == "smtp" else []
    return await visit.show(
        "address_form.html", "addresses", status, kind=kind, form=form, problems=problems, domains=portal["domains"],
        queues=list(names.items()), sample=address_form.sample(form, names), presets=smtp_accounts.presets(),
        providers=sign_ins.offered(visit.console),
        internals=[(a["id"], a["email"]) for a in items if a["kind"] == "internal"],
    )  # fmt: skip


def _kind(visit: Visit) -> str:
    kind = visit.path("kind")
    if kind not in ("internal", "smtp"):
        raise not_found(mark("kind of address"))
    return kind
