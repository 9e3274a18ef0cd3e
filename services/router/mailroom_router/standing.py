"""How an outgoing message stands with each of its recipients, and so in the whole. Pure.

Reports come from the server that sends it and, hours later, as mails from servers behind it; they come late, twice and
in any order. So each recipient's outcome only ever moves on: `merged` takes the further of two, and the message is the
sum (RFC 3464 section 2.3.3; docs/decisions/0020).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailroom_contracts import Delivery, MessageSummary, RecipientReport
from mailroom_mail import comparable

TROUBLE = frozenset({"failed", "bounced", "refused"})
FINAL = TROUBLE | {"cancelled"}
_OWN = {"queued": 0, "deferred": 1, "sent": 2, "cancelled": 5, "refused": 6, "failed": 7, "bounced": 8}
_REPORTED = {"deferred": 3, "sent": 4}  # a server behind ours still tries, or has delivered it
MOST_NAMED = 3
KEPT_REASON = 200  # characters of each recipient's reason in the ticket's state


def _rank(one: RecipientReport) -> int:
    return (_REPORTED if one.by_report else {}).get(one.state, _OWN.get(one.state, -1))


def further(before: RecipientReport, told: RecipientReport) -> RecipientReport:
    """The outcome that counts of two for one recipient. Of two final ones the same, whichever came first; of two that
    are not final and equally far the one told last, whose reason is the newer.
    """
    first, second = _rank(before), _rank(told)
    if first != second:
        return before if first > second else told
    if before.state in FINAL:
        return max(
            before, told, key=lambda one: (bool(one.status), bool(one.reason), one.status or "", one.reason or "")
        )
    return told


def merged(known: Iterable[RecipientReport], told: Iterable[RecipientReport]) -> list[RecipientReport]:
    """Each recipient once, in the order in which they were known, with the further of the outcomes told."""
    found: dict[str, RecipientReport] = {}
    for one in (*known, *told):
        key = comparable(one.recipient)
        found[key] = (
            further(found[key], one.model_copy(update={"recipient": found[key].recipient})) if key in found else one
        )
    return list(found.values())


def summed(recipients: Sequence[RecipientReport]) -> str:
    """The message's state: a loss is never hidden by what went well, and nothing is *sent* while we still try."""
    own = {one.state for one in recipients if not one.by_report}
    every = {one.state for one in recipients}
    for state in ("bounced", "failed", "refused"):
        if state in every:
            return state
    for state in ("deferred", "queued", "cancelled"):
        if state in own:
            return state
    return "sent" if every else "queued"


def is_waiting(recipients: Iterable[RecipientReport]) -> bool:
    """Whether we ourselves still try for somebody."""
    return any(one.state in ("queued", "deferred") and not one.by_report for one in recipients)


def unreached(recipients: Iterable[RecipientReport]) -> list[str]:
    """Whom the message did not reach and never will by itself."""
    return [one.recipient for one in recipients if one.state in FINAL]


def not_again(recipients: Sequence[RecipientReport], asked: Sequence[str] | None) -> tuple[str, str] | None:
    """Why a message is not sent again, as code and words; None where it may be. `asked`: to whom, None for the lost."""
    lost = unreached(recipients)
    if not lost and (asked is None or is_waiting(recipients)):
        return "not_failed", f"The message is {summed(recipients)}: there is nothing to send again."
    if is_waiting(recipients):
        return "still_waiting", "It is still being sent to others: wait for the end of that, or cancel it first."
    ours = [one.recipient for one in recipients]
    if asked is not None and (not asked or any(recipient_meant(one, ours) is None for one in asked)):
        return "unknown_recipient", "Name recipients that the message has, or none for those whom it did not reach."
    return None


def whom_again(recipients: Sequence[RecipientReport], asked: Sequence[str] | None) -> list[str]:
    """To whom a message goes again: those whom it did not reach, unless somebody says otherwise."""
    ours = [one.recipient for one in recipients]
    if asked is None:
        return unreached(recipients)
    return list(dict.fromkeys(meant for one in asked if (meant := recipient_meant(one, ours)) is not None))


def begun_again(recipients: Sequence[RecipientReport], wanted: Sequence[str]) -> list[RecipientReport]:
    """How the message stands when it is sent again to some: for them all begins anew."""
    return [
        RecipientReport(recipient=one.recipient, state="queued") if one.recipient in wanted else one
        for one in recipients
    ]


def shown(recipients: Sequence[RecipientReport]) -> list[RecipientReport]:
    """The recipients that have a name: older states of messages may hold one without."""
    return [one for one in recipients if one.recipient]


def of_message(message: MessageSummary) -> list[RecipientReport]:
    """Every recipient of a message with how it stands: those of whom nothing is kept by the state of the whole."""
    delivery = message.delivery or Delivery(state="queued")
    told = delivery.recipients
    named = {comparable(one.recipient) for one in told}
    rest = _rest(delivery.state) if named else delivery.state
    everybody = message.recipients or ([] if told else [""])
    known = [RecipientReport(recipient=who, state=rest) for who in everybody if comparable(who) not in named]
    order = {comparable(who): place for place, who in enumerate(everybody)}
    return sorted((*told, *known), key=lambda one: order.get(comparable(one.recipient), len(order)))


def _rest(state: str) -> str:
    """How those stand of whom nothing is kept while something is of others."""
    return "sent" if state in TROUBLE else state


def recipient_meant(reported: str, ours: Sequence[str]) -> str | None:
    """Which of a message's recipients a report speaks of, or None: then it says nothing about this message.

    An address without a real domain (`user@internal`, as Cyrus writes it) or none at all can only be the one who is
    left: the only recipient, or the only one with that name before the @.
    """
    wanted = comparable(reported)
    for one in ours:
        if comparable(one) == wanted:
            return one
    local, _, domain = wanted.rpartition("@")
    if "." in domain and local:
        return None
    if len(ours) == 1:
        return ours[0]
    near = [one for one in ours if comparable(one).rpartition("@")[0] == (local or domain)]
    return near[0] if len(near) == 1 else None


def reason_of(recipients: Sequence[RecipientReport]) -> str | None:
    """Why, for people: whom it did not reach and what was said of it; else what the servers that still try say."""
    lost = [one for one in recipients if one.state in TROUBLE]
    late = [one for one in recipients if one.state == "deferred"]
    told, lead = (lost, "Could not be delivered") if lost else (late, "Still being tried")
    if not told:
        return None
    if len(recipients) == 1:
        said = told[0].reason or told[0].status
        return f"{lead}: {said}"[:500] if said else f"{lead}."
    parts = [
        f"{one.recipient}: {one.reason or one.status}" if one.reason or one.status else one.recipient
        for one in told[:MOST_NAMED]
    ]
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return f"{lead} to {'; '.join(parts)}{more}"[:500]


def short(delivery: Delivery) -> Delivery:
    """What the ticket's state keeps of it, so that `of_message` finds every recipient's outcome again; reasons cut."""
    rest, longest = _rest(delivery.state), KEPT_REASON if len(delivery.recipients) <= 20 else 40
    kept = [
        one.model_copy(update={"reason": one.reason[:longest]}) if one.reason and len(one.reason) > longest else one
        for one in delivery.recipients
    ]
    telling = [one for one in kept if one.by_report or one.reason or one.status or one.state != rest]
    if not telling and kept and rest != delivery.state:
        telling = kept
    return delivery.model_copy(update={"recipients": telling, "server_reply": None})
