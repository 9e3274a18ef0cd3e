"""A calendar object (RFC 5545, RFC 5546, RFC 6047) in words: an invitation, a change, a cancellation, or who answered what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from . import calendar_entry
from .calendar_entry import Entry, Property
from .model import Attachment

_MOST_INVITATIONS = 5
_LONGEST_UID = 500
TYPES = frozenset({"text/calendar", "application/ics"})
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_DURATION = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:\d{1,4}S)?)?")
# RFC 5545 section 3.2.12
_ANSWERS = {
    "ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentatively accepted (is not sure yet)", "DELEGATED": "delegated",
    "COMPLETED": "has completed", "IN-PROCESS": "has begun",
}  # fmt: skip
_NO_ANSWER = frozenset({"", "NEEDS-ACTION"})
_REPLIES = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})
# What programs put into the text part of an answer, which says nothing.
_FILLERS = frozenset(
    {"invitation answer attached.", "this is an event reply. it is not supported by your email client."}
)


@dataclass(frozen=True, slots=True)
class Told:
    """An entry in words. `answers`: it is somebody's answer to an invitation of ours, whose description is not theirs;
    `changes`: it changes or cancels one; `ours` are the words of the invitation that a text part may repeat; `uid` is the
    entry's (RFC 5545 section 3.8.4.7), by which an answer is known to belong to its invitation."""

    text: str
    answers: bool
    changes: bool
    ours: tuple[str, ...] = ()
    uid: str = ""

    def says(self, text: str) -> bool:
        """Whether a text part says nothing beyond the calendar: the invitation told again, or a program's filler."""
        squeezed = "".join(text.split())
        if not squeezed or " ".join(text.lower().split()) in _FILLERS:
            return True
        return squeezed in "".join(self.text.split()) or any(
            len(one) > 3 and "".join(one.split()) in squeezed for one in self.ours
        )


def tell(data: bytes, charset: str | None, type_method: str, sender: str) -> Told | None:
    """The first entry of a calendar object in words; None where there is none.

    `type_method` is the method that the Content-Type names, `sender` the address of the mail's author: neither is
    trusted alone, since programs contradict themselves (KMail's counter-proposal says REPLY inside and request outside).
    """
    entry = calendar_entry.read(data, charset)
    if not entry.kind:
        return None
    method = entry.method or type_method.upper()
    person = _person(entry, sender)
    state = (person.parameters.get("PARTSTAT", "") if person else "").upper()
    if method in _REPLIES or type_method.upper() in ("REPLY", "COUNTER"):
        first = _answer(method, person, state, entry, sender)
        comment = "\n".join(one.text for one in entry.properties.get("COMMENT", ()) if one.text)
        lines = [first, *(["", comment] if comment else []), "", *_facts(entry, description=False)]
        ours = tuple(filter(None, (entry.text("DESCRIPTION"),)))
        return Told(_joined(lines), answers=True, changes=False, ours=ours, uid=_uid(entry))
    summary = entry.text("SUMMARY")
    cancelled = method == "CANCEL" or entry.text("STATUS").upper() == "CANCELLED"
    changed = method == "REQUEST" and entry.text("SEQUENCE").lstrip("0").isdigit()
    head = f"Cancelled: {summary}" if cancelled else f"Changed: {summary}" if changed else summary
    comment = "\n".join(one.text for one in entry.properties.get("COMMENT", ()) if one.text)
    lines = [head, *([comment] if comment else []), *_facts(entry, description=True)]
    return Told(_joined(lines), answers=False, changes=cancelled or changed)


def uids(attachments: Iterable[Attachment]) -> tuple[str, ...]:
    """The UIDs of the invitations among some files, each once: by them their answers are known."""
    found = [
        _uid(calendar_entry.read(one.content, None))
        for one in attachments
        if one.content_type in TYPES or (one.filename or "").lower().endswith(".ics")
    ]
    return tuple(dict.fromkeys(uid for uid in found[:_MOST_INVITATIONS] if uid))


def _uid(entry: Entry) -> str:
    return entry.text("UID")[:_LONGEST_UID] if entry.kind == "VEVENT" or entry.kind == "VTODO" else ""


def _joined(lines: list[str]) -> str:
    text = "\n".join(lines).strip("\n")
    return text + "\n" if text else ""


def _person(entry: Entry, sender: str) -> Property | None:
    """Whose answer it is: the attendee who wrote the mail, else the one that has answered, else the only one."""
    attendees = entry.properties.get("ATTENDEE", [])
    for one in attendees:
        if sender and one.email.lower() == sender.lower():
            return one
    answered = [one for one in attendees if one.parameters.get("PARTSTAT", "").upper() not in _NO_ANSWER]
    return (answered or attendees or [None])[0]  # type: ignore[list-item]


def _answer(method: str, person: Property | None, state: str, entry: Entry, sender: str) -> str:
    who = person.who if person else sender or "Somebody"
    if person is not None and sender and person.email.lower() != sender.lower():
        who = f"{who} (by {sender})"
    summary = entry.text("SUMMARY")
    about = f": {summary}" if summary else "."
    if method == "DECLINECOUNTER":
        return f"{who} does not take the other time that was proposed{about}"
    if method == "REFRESH":
        return f"{who} asks for the invitation once more{about}"
    if method == "COUNTER":
        said = f", {_ANSWERS[state]}" if state in _ANSWERS else ""
        return f"{who} proposes another time{said}{about}"
    if state == "DELEGATED" and person is not None and (other := person.parameters.get("DELEGATED-TO", "")):
        return f"{who} delegated to {re.sub('(?i)mailto:', '', other)}{about}"
    if state in _ANSWERS:
        return f"{who} {_ANSWERS[state]}{about}"
    return f"{who} has given no answer yet and names this time{about}"


def _facts(entry: Entry, *, description: bool) -> list[str]:
    lines = []
    start, end = entry.first("DTSTART"), entry.first("DTEND") or entry.first("DUE")
    if start is not None:
        lines.append(f"When: {_when(start)}")
    if end is not None:
        lines.append(f"Until: {_when(end)}")
    elif (duration := entry.text("DURATION")) and (found := _DURATION.fullmatch(duration)) is not None:
        names = ("weeks", "days", "hours", "minutes")
        lines.append("Lasts: " + " ".join(f"{n} {name}" for n, name in zip(found.groups(), names, strict=True) if n))
    if place := entry.text("LOCATION"):
        lines.append(f"Where: {place}")
    if description and (why := entry.text("DESCRIPTION")):
        lines += ["", why]
    return lines


def _when(time: Property) -> str:
    zone = time.parameters.get("TZID", "")
    shown = _TIME.sub(_time, time.value.strip(), count=1)
    return f"{shown} ({zone})" if zone and not shown.endswith("UTC") and ":" in shown else shown


def _time(match: re.Match[str]) -> str:
    year, month, day, hour, minute, utc = match.groups()
    date = f"{year}-{month}-{day}"
    return f"{date} {hour}:{minute}{' UTC' if utc else ''}" if hour else date
