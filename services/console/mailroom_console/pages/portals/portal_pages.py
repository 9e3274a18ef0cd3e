"""The portal: its name, its mail domains, the DNS records to set, and a check of each."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mailroom_console.erasing import preview
from mailroom_console.languages import say
from mailroom_console.pages.frame.visit import Page, Visit, field_problems
from mailroom_console.portals import dkim_keys, mail_dns
from mailroom_console.portals import records as portals
from mailroom_console.portals.mail_dns import Check
from mailroom_console.principals import CONFIG
from mailroom_console.problems import Problem

from . import dns_view
from .hours_view import hours_shown, hours_typed


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/portal", show, CONFIG),
        Page("POST", "/portal", update, CONFIG),
        Page("POST", "/portal/dns-check", check, CONFIG),
        Page("POST", "/portal/dkim", make_key, CONFIG),
    ]


async def show(visit: Visit) -> Response:
    """Name, domains and records, not checked yet."""
    portal = await portals.current(visit.console, visit.who)
    return await _show(visit, portal, _form(portal), {})


async def update(visit: Visit) -> Response:
    """Save."""
    portal = await portals.current(visit.console, visit.who)
    form: dict[str, Any] = {"name": visit.text("name"), "domains": visit.text("domains"), "revision": visit.number("revision") or 0,
            "follow_up_after_days": visit.text("follow_up_after_days"), "undo_send_s": visit.text("undo_send_s"),
            "known_days": visit.text("known_days"), "tickets_kept_days": visit.text("tickets_kept_days"),
            "attachments_kept_days": visit.text("attachments_kept_days"),
            "zone": visit.text("zone").strip(), "hours": visit.text("hours"), "holidays": visit.text("holidays")}  # fmt: skip
    try:
        if (goes := await _not_told_yet(visit, portal, form)) is not None:
            return await _show(visit, portal, form, {}, goes=goes)
        await portals.change(
            visit.console, visit.who, name=form["name"], mail_domains=form["domains"].replace(",", " ").split(),
            follow_up_after_days=visit.number("follow_up_after_days"), undo_send_s=visit.number("undo_send_s"),
            known_days=visit.number("known_days"), tickets_kept_days=_kept(visit, "tickets_kept_days"),
            attachments_kept_days=_kept(visit, "attachments_kept_days"),
            office_hours=hours_typed(form["zone"], form["hours"], form["holidays"]), revision=form["revision"],
        )  # fmt: skip
    except Problem as problem:
        if problem.code == "revision_conflict":
            form["revision"] = portal["revision"]
        names = {"domain": "domains", "mail_domains": "domains"}
        shown = field_problems(problem, names)
        if problem.more.get("field") == "office_hours":
            shown = {"hours": problem.detail}
        if problem.code in ("domain_taken", "in_use", "proof_missing", "public_domain"):
            shown = {"domains": problem.detail}
        return await _show(visit, portal, form, shown, problem.status)
    return visit.go("/portal", say("Saved."))


async def _not_told_yet(visit: Visit, portal: dict[str, Any], form: dict[str, Any]) -> dict[str, int] | None:
    """What would go with the days typed: before they are saved, whoever saves them has seen it."""
    days = {name: _kept(visit, name) for name in ("tickets_kept_days", "attachments_kept_days")}
    asked = "/".join(str(each or "") for each in days.values())
    if visit.text("seen") == asked or all(portal[name] == each for name, each in days.items()):
        return None
    goes = await preview.would_go(
        visit.console, visit.who, tickets_kept_days=days["tickets_kept_days"],
        attachments_kept_days=days["attachments_kept_days"],
    )  # fmt: skip
    form["seen"] = asked
    return goes if any(goes.values()) else None


async def check(visit: Visit) -> Response:
    """Look the records of one domain up in the DNS, and compare."""
    portal = await portals.current(visit.console, visit.who)
    domain = visit.text("domain")
    results = await mail_dns.checked(visit.console, visit.who, domain, portal["domains"])
    return await _show(visit, portal, _form(portal), {}, results={domain: results})


async def make_key(visit: Visit) -> Response:
    """Make the DKIM key of a domain."""
    domain = visit.text("domain")
    try:
        await dkim_keys.make(visit.console, visit.who, domain)
    except Problem as problem:
        return visit.go("/portal", problem.detail, "bad")
    return visit.go("/portal", say("The key is made. Set the record of {domain}, then check it.", domain=domain))


def _form(portal: dict[str, Any]) -> dict[str, Any]:
    return {"name": portal["name"], "domains": "\n".join(portal["domains"]), "revision": portal["revision"],
            "follow_up_after_days": portal["follow_up_after_days"], "undo_send_s": portal["undo_send_s"],
            "known_days": portal["known_days"], "tickets_kept_days": portal["tickets_kept_days"] or "",
            "attachments_kept_days": portal["attachments_kept_days"] or "",
            **hours_shown(portal["office_hours"])}  # fmt: skip


def _kept(visit: Visit, name: str) -> int | None:
    """Days, or none for ever. What is no number is refused as one that is too small: never taken for none."""
    return (visit.number(name) or 0) if visit.text(name).strip() else None


async def _show(
    visit: Visit, portal: dict[str, Any], form: dict[str, Any], problems: dict[str, Any], status: int = 200,
    results: dict[str, list[Check]] | None = None, goes: dict[str, int] | None = None,
) -> Response:  # fmt: skip
    wanted = await mail_dns.wanted(visit.console, visit.who, portal["domains"])
    domains = [
        {"domain": domain, "records": dns_view.both(records, (results or {}).get(domain))}
        for domain, records in wanted.items()
    ]
    return await visit.show("portal.html", "portal", status, form=form, problems=problems, domains=domains, goes=goes)
