"""What the writing box shows: whom it goes to, what is warned of, what can be chosen. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mailroom_console.languages import mark, say

MANY = 10
_WARNINGS = {
    "reply_to_elsewhere": mark(
        "The mail asks for answers at another domain than it came from, and nothing proves its sender. Look at the address before you send."
    ),
    "dmarc_failed": mark("The sender of this mail could not be verified: anybody could have written it."),
}


def line(people: Iterable[Mapping[str, Any]]) -> str:
    """Mailboxes as a header writes them, which is what the fields take: `"Doe, Jo" <jo@c.example>, eve@c.example`."""
    return ", ".join(box(p) for p in people)


def box(person: Mapping[str, Any]) -> str:
    """One mailbox; a name with special characters is quoted (RFC 5322 section 3.2.4)."""
    name, email = " ".join(str(person.get("name") or "").split()), str(person.get("email") or "")
    if not name:
        return email
    if not all(c.isalnum() or c in " -_'!" for c in name):
        name = '"' + name.replace("\\", "").replace('"', "") + '"'
    return f"{name} <{email}>"


def people_of(ticket: Mapping[str, Any]) -> list[str]:
    """Whom the ticket's mails name, for completion; the latest first."""
    found: dict[str, str] = {}
    for message in reversed(ticket["messages"]):
        if message["direction"] == "note":
            continue
        named = [message["from"], *(message.get("to") or []), *(message.get("cc") or [])]
        if message["direction"] == "out":
            named = named[1:]
        for person in named:
            if person and person.get("email"):
                found.setdefault(str(person["email"]).lower(), box(person))
    return list(found.values())[:100]


def answering(ticket: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    """Whom the box proposes: `reply` and `reply_all` as lines, `warnings` in words, `message_id` where an older
    message is answered."""
    message = next((m for m in ticket["messages"] if m["id"] == message_id and m.get("answers")), None)
    if message is not None and message_id != ticket["answers_message_id"]:
        answers, chosen = message["answers"], message_id
    else:
        answers = {"reply": ticket["reply_to"], "reply_all": ticket["reply_all"], "warnings": ticket["reply_warnings"]}
        chosen = ""
    one, all_ = answers["reply"], answers["reply_all"]
    return {
        "reply": {"to": line(one["to"]), "cc": line(one["cc"])},
        "reply_all": {"to": line(all_["to"]), "cc": line(all_["cc"])},
        "to_many": _emails(one) != _emails(all_),
        "warnings": [say(_WARNINGS[w]) for w in answers["warnings"] if w in _WARNINGS],
        "message_id": chosen,
        "people": one["to"],
    }


def last_seen(ticket: Mapping[str, Any]) -> str:
    """The last message of the ticket itself: what its writer has seen when this page was made."""
    own = [m for m in ticket["messages"] if m["ticket_id"] == ticket["id"] and not m.get("copy_of")]
    mails = [m for m in own if m["direction"] != "note" and m["kind"] != "bounce"]
    return str(mails[-1]["id"]) if mails else ""


def known(ticket: Mapping[str, Any]) -> list[str]:
    """Who has written or been written to in this ticket, lower case: anybody else is new."""
    return sorted({p.rpartition("<")[2].rstrip(">").lower() for p in people_of(ticket)})


HELD = ("send_at_local", "cancel_on_mail")  # of a form that is shown again: or what was to leave tomorrow leaves now


def later(now: datetime, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Times to choose from, each as (RFC 3339, words), in the agent's zone."""
    here = now.astimezone(zone)
    morning = here.replace(hour=8, minute=0, second=0, microsecond=0)
    monday = morning + timedelta(days=7 - here.weekday())
    choices = [(here + timedelta(hours=1), say("In an hour")), (here + timedelta(hours=3), say("In 3 hours")),
               (morning + timedelta(days=1), say("Tomorrow at 8:00")), (monday, say("Monday at 8:00"))]  # fmt: skip
    return [(when.isoformat(timespec="minutes"), words) for when, words in choices]  # as a field for times has them


def with_signature(text: str, signature: str) -> str:
    """A letter with the address's signature below it (RFC 3676 section 4.3), unless it stands there already."""
    signature = signature.strip()
    if not signature or signature in text:
        return text
    return f"{text.rstrip()}\n\n-- \n{signature}"


def filled(text: str, values: Mapping[str, str]) -> str:
    """A canned answer or signature with its variables in place; those that are not known stay."""
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value).replace("{{ " + name + " }}", value)
    return text


def as_json(value: Sequence[Any] | Mapping[str, Any]) -> str:
    """For a data attribute."""
    return json.dumps(value, ensure_ascii=False)


def _emails(recipients: Mapping[str, Any]) -> set[str]:
    return {p["email"].lower() for p in (*recipients["to"], *recipients["cc"])}
