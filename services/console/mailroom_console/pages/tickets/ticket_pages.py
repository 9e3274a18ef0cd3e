"""A ticket: the conversation, and what its writing box begins with."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from mailroom_console.access import passwords
from mailroom_console.addresses import records as addresses
from mailroom_console.languages import say
from mailroom_console.pages.frame.visit import Page, Visit, local
from mailroom_console.people import agents, queues
from mailroom_console.portals import canned
from mailroom_console.principals import READ, TICKETS, Principal
from mailroom_console.problems import Problem
from mailroom_console.tickets import commands, drafts
from mailroom_console.tickets import lists as ticket_lists
from mailroom_console.tickets import reading as tickets

from . import composer, here_pages, ticket_view


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/tickets/{id}", one, READ),
        Page("POST", "/tickets/{id}/draft", draft, TICKETS, quick=True),
    ]


async def one(visit: Visit) -> Response:
    """The conversation."""
    return await show_one(visit, {})


async def show_one(
    visit: Visit, form: dict[str, Any], problems: list[str] | None = None, status: int = 200
) -> Response:
    """The ticket's page; `form` holds what was written when it was not accepted."""
    ticket = await tickets.one(visit.console, visit.who, visit.path("id"))
    names = await queues.named(visit.console, visit.who)
    found = {id: {"id": id, "name": name} for id, name in names.items()}
    people = {a["id"]: a for a in (await agents.listed(visit.console, visit.who)).items}
    address = await _address(visit, ticket["address_id"])
    choices = await commands.sending_choices(visit.console, visit.who, ticket["id"])
    senders = _senders(choices, address, ticket)
    kept = await _draft(visit, ticket["id"])
    wanted = form.get("from_address_id") or visit.query("from") or kept.get("from_address_id", "")
    chosen = next((s["id"] for s in senders if s["id"] == wanted), None)
    can_send = bool(senders) and (choices["can_reply"] or chosen is not None)
    from_id = chosen or (senders[0]["id"] if senders else "")
    queue = found.get(ticket["queue_id"])
    there = await tickets.which_are_there(visit.console, visit.who, ticket_view.named(ticket))
    entries = ticket_view.timeline(ticket, found, people, visit.number_asked("earlier"), there=there)
    return await visit.show(
        "ticket.html", "tickets", status, ticket=ticket, address=address,
        timeline=entries.shown, on_a_page=ticket_view.ON_A_PAGE, earlier=entries.earlier, later=entries.later, back=_back(visit, ticket),
        back_text=queue["name"] if queue else say("Tickets"), problems=problems or [], can_send=can_send,
        closed_reason=choices["reason"] or "", closed_help=_closed_help(visit.who), senders=senders, from_id=from_id,
        agents=[(a["id"], _with_presence(a)) for a in people.values() if _may_have(a, ticket)], queues=names.items(),
        here_now=await here_pages.words_of(visit, ticket["id"], {i: a["name"] or a["email"] for i, a in people.items()}),
        merged=await tickets.merged_into(visit.console, visit.who, ticket["id"]),
        others=await tickets.others_of(visit.console, visit.who, ticket),
        tags=await ticket_lists.tags_used(visit.console, visit.who),
        snooze_choices=composer.later(visit.console.clock(), visit.zone),
        **await _writing(visit, ticket, form, kept, from_id),
    )  # fmt: skip


async def _writing(
    visit: Visit, ticket: dict[str, Any], form: dict[str, Any], kept: dict[str, Any], from_id: str
) -> dict[str, Any]:
    """What the writing box holds: what was written and not accepted, else the draft, else what the mail asks for."""
    query = visit.query("write")
    which = form.get("kind") or (query if query in ("note", "forward") else "reply")
    answer = composer.answering(ticket, form.get("answered_id") or visit.query("answer"))
    to_all = query == "all"
    proposed = answer["reply_all" if to_all else "reply"]
    asked = query in ("all", "reply") or bool(visit.query("answer"))  # a choice just made goes before the draft
    draft = {
        name: form[name] if name in form else (kept.get(name) if not asked and kept.get("to") else None)
        for name in ("to", "cc", "bcc")
    }  # fmt: skip
    if "to" not in form and draft["to"] is None:
        draft |= {"to": proposed["to"], "cc": kept.get("cc") or proposed["cc"], "bcc": kept.get("bcc") or ""}
    for name in ("text", "html"):
        draft[name] = kept.get(name) or "" if which == "forward" or "text" not in form else form.get(name, "")
    draft["quote"] = form.get("quote") or "last"
    draft |= {name: form.get(name, "") if which == "reply" else "" for name in composer.HELD}
    forwarded = visit.query("message") or form.get("message_id", "")
    return {
        "composer": which, "to_all": to_all, "answer": answer,
        "draft": {name: value or "" for name, value in draft.items()},
        "note_draft": {"text": form.get("note", kept.get("note") or ""),
                       "html": form.get("note_html", "" if "note" in form else kept.get("note_html") or "")},
        **_keys(which, form.get("key"), kept.get("key")), "attached": form.get("attached", []),
        "seen_id": form.get("seen_id") or composer.last_seen(ticket), "people": composer.people_of(ticket),
        "known": composer.as_json(composer.known(ticket)),
        "later_choices": composer.later(visit.console.clock(), visit.zone),
        "signature": await signature_of(visit, from_id),
        "canned": await _canned(visit, ticket),
        "forwarding": {
            **{name: form.get(name, "") if which == "forward" else "" for name in ("to", "cc", "bcc", "text", "html", *composer.HELD)},
            "subject": form.get("subject") or f"Fwd: {ticket['subject']}", "message_id": forwarded,
            "choices": ticket_view.forwardable(ticket),
        },
    }  # fmt: skip


def _keys(which: str, sent: str | None, draft: str | None) -> dict[str, str]:
    """The Idempotency-Key of each form: the one it was sent with, else the draft's, which a reload keeps."""
    drafted = {"reply": draft, "note": f"{draft}-note" if draft else None, "forward": None}
    return {f"{kind}_key": (sent if kind == which else None) or drafted[kind] or passwords.drawn() for kind in drafted}


async def signature_of(visit: Visit, address_id: str) -> str:
    """The signature that stands below mail of this address, with the agent's name in it."""
    if not address_id:
        return ""
    address = await _address(visit, address_id)
    if address is None:
        return ""
    return composer.filled(
        address.get("signature") or "", {"agent.name": visit.who.name or "", "address": address["email"]}
    )


async def _canned(visit: Visit, ticket: dict[str, Any]) -> list[dict[str, str]]:
    """The queue's canned answers, filled in for this ticket."""
    values = {
        "ticket.number": ticket["number"], "customer.name": ticket["customer"]["name"] or ticket["customer"]["email"],
        "subject": ticket["subject"], "agent.name": visit.who.name or "",
    }  # fmt: skip
    found = await canned.listed(visit.console, visit.who, ticket["queue_id"])
    return [{"name": c["name"], "text": composer.filled(c["text"], values)} for c in found]


def _senders(choices: dict[str, Any], address: dict[str, Any] | None, ticket: dict[str, Any]) -> list[dict[str, Any]]:
    """What the From choice offers, the ticket's own address first."""
    offers = list(choices["send_from"])
    if choices["can_reply"] and address is not None and all(o["id"] != address["id"] for o in offers):
        offers.append(address)
    return sorted(offers, key=lambda a: (a["id"] != ticket["address_id"], a["email"]))


def _may_have(agent: dict[str, Any], ticket: dict[str, Any]) -> bool:
    if agent["id"] == ticket["assignee_id"]:
        return True
    return agent["active"] and (ticket["queue_id"] in agent["queue_ids"] or agent["role"] == "administrator")


def _with_presence(agent: dict[str, Any]) -> str:
    name = str(agent["name"] or agent["email"])
    words = {"online": say("online"), "away": say("away")}.get(agent["presence"])
    return f"{name} ({words})" if words else name


def _closed_help(principal: Principal) -> str:
    if principal.is_administrator:
        return say(
            "No address of this queue can send. Add a Gmail or SMTP address to this queue, and replies can leave from it."
        )
    return say("No address of this queue can send. An administrator can add a Gmail or SMTP address to it.")


async def _address(visit: Visit, address_id: str) -> dict[str, Any] | None:
    try:
        return await addresses.one(visit.console, visit.who, address_id)
    except Problem:  # it was deleted
        return None


async def _draft(visit: Visit, ticket_id: str) -> dict[str, Any]:
    if TICKETS not in visit.who.scopes or visit.who.agent_id is None:
        return {}
    return await drafts.get(visit.console, visit.who, ticket_id) or {}


def _back(visit: Visit, ticket: dict[str, Any]) -> str:
    return local(visit.query("back"), f"/tickets?{urlencode({'queue': ticket['queue_id']})}")


async def draft(visit: Visit) -> Response:
    """Keep what is being written; reply and note share one draft, each with its own fields."""
    ticket_id = visit.path("id")
    kept = await drafts.get(visit.console, visit.who, ticket_id) or {}
    content = {k: v for k, v in kept.items() if k not in ("ticket_id", "key", "updated_at")}
    if visit.text("kind") == "note":
        content |= {"note": visit.text("text"), "note_html": visit.text("html")}
    else:
        content |= {name: visit.text(name) for name in ("text", "html", "to", "cc", "bcc", "from_address_id")}
    if not any(content.get(name) for name in ("text", "note")):
        await drafts.forget(visit.console, visit.who, ticket_id)
        return JSONResponse({"kept": False})
    saved = await drafts.put(visit.console, visit.who, ticket_id, content)
    return JSONResponse({"kept": True, "key": saved["key"]})
