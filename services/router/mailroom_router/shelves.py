"""Where a ticket lies: its tags, put aside for a while, among the spam. Pure."""

from __future__ import annotations

from mailroom_contracts import SetSpam, SetTags, Snooze, Snoozed, SpamChanged, TagsChanged, Wake, Woken
from mailroom_mail import comparable

from .draft import Draft

MOST_TAGS = 50
LONGEST_TAG = 60


def set_tags(draft: Draft, command: SetTags) -> None:
    """Set, add and remove tags. They are compared without case and kept as written first."""
    before = draft.ticket.tags
    given = before if command.tags is None else command.tags
    gone = {clean_tag(t).lower() for t in command.remove}
    tags: dict[str, str] = {}
    known = {t.lower(): t for t in before}
    for tag in (*given, *command.add):
        name = clean_tag(tag)
        if name and name.lower() not in gone:
            tags.setdefault(name.lower(), known.get(name.lower(), name))
    wanted = list(tags.values())
    if len(wanted) > MOST_TAGS:
        draft.refuse("too_many_tags", f"A ticket has {MOST_TAGS} tags at most.")
    elif wanted == before:
        draft.ignore(command.type, "unchanged", "It has these tags already.")
    else:
        draft.emit(TagsChanged, tags=wanted, previous=before)
        draft.change(tags=wanted)


def clean_tag(tag: str) -> str:
    """A tag without white space around, without what could not be shown, cut."""
    return " ".join("".join(c if c.isprintable() and c != "," else " " for c in tag).split())[:LONGEST_TAG].strip()


def snooze(draft: Draft, command: Snooze) -> None:
    """Put the ticket aside; without a time: bring it back."""
    state = draft.ticket
    if command.until is None:
        if state.snoozed_until is None:
            draft.ignore(command.type, "unchanged", "It is not put aside.")
        else:
            wake(draft, "agent")
    elif command.until <= draft.at:
        draft.refuse("bad_time", "That time is over: name one to come.")
    elif state.status == "closed":
        draft.refuse("closed", "The ticket is closed: open it first.")
    elif state.merged_into is not None:
        draft.refuse("merged", "This ticket was merged into another one.")
    else:
        draft.emit(Snoozed, until=command.until)
        draft.change(snoozed_until=command.until)


def wake_up(draft: Draft, command: Wake) -> None:
    """The time has come, unless it was put aside anew meanwhile."""
    if draft.ticket.snoozed_until is None or draft.ticket.snoozed_until > draft.at:
        draft.ignore(command.type, "unchanged", "It is not due.")
    else:
        wake(draft, "time")


def wake(draft: Draft, reason: str) -> None:
    """It comes back, if it was put aside."""
    if draft.ticket.snoozed_until is not None:
        draft.emit(Woken, reason=reason)
        draft.change(snoozed_until=None)


def set_spam(draft: Draft, command: SetSpam) -> None:
    """Among the spam, or not."""
    state = draft.ticket
    if command.spam == state.spam:
        draft.ignore(command.type, "unchanged", "It is there already." if state.spam else "It is no spam already.")
        return
    draft.emit(SpamChanged, spam=command.spam)
    draft.change(spam=command.spam)
    if command.spam:
        draft.change(wants_online=False)
    elif state.prefer_online and state.assignee_id is None and state.status != "closed":
        draft.want_agent("online")


def is_blocked(email: str, blocked: list[str]) -> bool:
    """Whether a sender, or the domain it writes from (or one above it), is in a portal's list."""
    if not blocked or "@" not in email:
        return False
    sender = comparable(email)
    domain = sender.rpartition("@")[2]
    listed = set(blocked)
    parts = domain.split(".")
    return sender in listed or any(".".join(parts[n:]) in listed for n in range(len(parts)))
