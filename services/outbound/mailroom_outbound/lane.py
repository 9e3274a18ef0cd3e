"""What happens to one waiting mail: pure steps from one lane entry to the next, with the report that goes with it.

A step without an entry is the end: the lane's topic gets a tombstone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailroom_contracts import DeliveryReport, LaneEntry, OutboundMail, RecipientReport
from mailroom_mail import comparable

from .courier import Delivered, Failed, Hold, Outcome
from .schedule import Policy, mail_delay_s

MOST_UNCERTAIN = 1  # further tries of a mail that may have arrived: nobody gets more than two copies
MOST_INTERRUPTED = 2  # further tries after a process ended with it in hand: it has hardly ever left


@dataclass(frozen=True, slots=True)
class Step:
    """The next entry (None: it is done) and what is reported about it (None: nothing new)."""

    entry: LaneEntry | None
    report: DeliveryReport | None


def queued(order: OutboundMail, now: datetime) -> LaneEntry:
    """A new entry for an order, or the wish to cancel one. What is held until a time counts as written then."""
    held = order.not_before if order.action == "send" and order.not_before and order.not_before > now else None
    return LaneEntry(
        outbound_id=order.id,
        address_id=order.address_id,
        portal_id=order.portal_id,
        state="queued",
        order=order,
        queued_at=held or now,
        next_at=held,
        cancel=order.action == "cancel",
    )


def begin(entry: LaneEntry, now: datetime) -> LaneEntry:
    """The record that must be kept before an attempt is made."""
    return entry.model_copy(
        update={
            "state": "attempting",
            "attempts": entry.attempts + 1,
            "attempt_at": now,
            "next_at": None,
            "parked_at": None,
            "parked_s": parked_s(entry, now),
        }
    )


def conclude(entry: LaneEntry, outcome: Outcome, *, policy: Policy, now: datetime) -> Step:
    """What an attempt's outcome makes of an entry in state attempting."""
    served, refused = _settled(entry, outcome)
    match outcome:
        case Delivered():
            return _delivered(entry, outcome, served, refused, now)
        case Failed(reason=reason):
            return Step(None, report(entry, "failed", now, reason=reason, recipients=_all(served, refused)))
    kept = entry.model_copy(
        update={"done_recipients": served, "failed_recipients": refused, "last_reason": outcome.reason}
    )
    if outcome.uncertain:
        return _uncertain(kept, outcome.reason, policy=policy, now=now)
    if outcome.hold is Hold.ACCOUNT:
        return park(kept, outcome.reason, now)
    wait_s = mail_delay_s(entry.outbound_id, entry.attempts, policy)
    if outcome.retry_after_s is not None:
        # an account's own trouble ends sooner or later than this mail's own schedule says
        wait_s = outcome.retry_after_s
    return defer(kept, now + timedelta(seconds=wait_s), outcome.reason, policy=policy, now=now, also=outcome.recipients)


def defer(
    entry: LaneEntry,
    next_at: datetime,
    reason: str,
    *,
    policy: Policy,
    now: datetime,
    also: tuple[RecipientReport, ...] = (),
) -> Step:
    """Wait until then; or give up, when the mail would be too old then."""
    if entry.cancel:
        return cancel(entry, now)
    too_old = (next_at - entry.queued_at).total_seconds() - entry.parked_s > policy.max_age_s
    too_late = entry.order.not_after is not None and next_at > entry.order.not_after
    if too_old or too_late:
        why = f"given up after {_span(policy.max_age_s)}" if too_old else "given up, since it would come too late"
        recipients = _all(entry.done_recipients, entry.failed_recipients)
        return Step(None, report(entry, "failed", now, reason=f"{why}. Last: {reason}", recipients=recipients))
    waiting = entry.model_copy(update={"state": "waiting", "next_at": next_at, "last_reason": reason})
    return Step(
        waiting, report(waiting, "deferred", now, reason=reason, next_try_at=next_at, recipients=list(also))
    )  # fmt: skip


def _uncertain(entry: LaneEntry, reason: str, *, policy: Policy, now: datetime) -> Step:
    """It may have arrived: once more after a longer pause, and never again; whoever reads the ticket is told."""
    tries = entry.uncertain + 1
    if entry.cancel or tries > MOST_UNCERTAIN:
        often = "" if tries == 1 else f" That was so {tries} times."
        return _not_again(entry, "cancelled" if entry.cancel else "failed", f"{often} {reason}", now)
    why = f"It may have arrived. It is sent once more later. {reason}"
    kept = entry.model_copy(update={"uncertain": tries})
    return defer(kept, now + timedelta(seconds=policy.uncertain_s), why, policy=policy, now=now)


def interrupted(entry: LaneEntry, now: datetime) -> LaneEntry | Step:
    """An attempt that its process did not survive may have got through: it counts as one that was never answered.

    Gives the entry as it goes on, at once, since nearly every such mail was not on its way yet; or the end.
    """
    tries = entry.uncertain + 1
    if tries > MOST_INTERRUPTED:
        return _not_again(entry, "failed", f" That was so {tries} times: its sending was interrupted.", now)
    return entry.model_copy(update={"state": "waiting", "uncertain": tries})


def _not_again(entry: LaneEntry, state: str, why: str, now: datetime) -> Step:
    recipients = _all(entry.done_recipients, entry.failed_recipients)
    reason = f"It may have arrived, and is not sent again.{why}"
    return Step(None, report(entry, state, now, reason=reason, recipients=recipients))


def park(entry: LaneEntry, reason: str, now: datetime) -> Step:
    """Wait for a person to mend the account; the clock of the mail's age stands still."""
    if entry.cancel:
        return cancel(entry, now)
    parked = entry.model_copy(
        update={
            "state": "parked",
            "parked_at": entry.parked_at or now,
            "next_at": None,
            "last_reason": reason,
        }
    )
    return Step(parked, report(parked, "parked", now, reason=reason))


def release(entry: LaneEntry, now: datetime) -> LaneEntry:
    """The account may work again: a parked entry is due now."""
    return entry.model_copy(
        update={"state": "waiting", "next_at": now, "parked_at": None, "parked_s": parked_s(entry, now)}
    )


def expire(entry: LaneEntry, *, policy: Policy, now: datetime) -> Step | None:
    """The end of an entry that may not be sent any more, or None."""
    if entry.cancel:
        return cancel(entry, now)
    if entry.order.not_after is not None and now > entry.order.not_after:
        reason = "it was not sent in time" + (f": {entry.last_reason}" if entry.last_reason else "")
        return Step(None, report(entry, "failed", now, reason=reason))
    if entry.parked_at is not None and (now - entry.parked_at).total_seconds() > policy.parked_max_s:
        reason = f"the account was not mended within {_span(policy.parked_max_s)}: {entry.last_reason}"
        return Step(None, report(entry, "failed", now, reason=reason))
    return None


def refuse(entry: LaneEntry, reason: str, now: datetime) -> Step:
    """It may not leave from that address."""
    return Step(None, report(entry, "refused", now, reason=reason))


def cancel(entry: LaneEntry, now: datetime) -> Step:
    """It is not sent, since somebody asked so."""
    reason = "cancelled before it was sent"
    if entry.state == "attempting":
        reason = "cancelled; it was just being sent when the sending process stopped, so it may have arrived"
    elif entry.uncertain:
        reason = "cancelled; an earlier try may have arrived"
    return Step(None, report(entry, "cancelled", now, reason=reason))


def recipients_left(entry: LaneEntry, everybody: tuple[str, ...]) -> tuple[str, ...]:
    """Envelope recipients that have no final outcome yet."""
    settled = {comparable(r) for r in entry.done_recipients} | {
        comparable(r.recipient) for r in entry.failed_recipients
    }
    return tuple(r for r in everybody if comparable(r) not in settled)


def parked_s(entry: LaneEntry, now: datetime) -> float:
    """Seconds that the entry was parked in all."""
    running = (now - entry.parked_at).total_seconds() if entry.parked_at else 0.0
    return entry.parked_s + max(running, 0.0)


def report(
    entry: LaneEntry,
    state: str,
    now: datetime,
    *,
    reason: str | None = None,
    next_try_at: datetime | None = None,
    server_reply: str | None = None,
    recipients: list[RecipientReport] | None = None,
    rfc_message_id: str | None = None,
    gmail_message_id: str | None = None,
    gmail_thread_id: str | None = None,
    invitation_uids: tuple[str, ...] = (),
) -> DeliveryReport:
    """A report about the entry's order; its id is derived from order, state and attempt."""
    order = entry.order
    return DeliveryReport(
        outbound_id=entry.outbound_id,
        portal_id=order.portal_id,
        ticket_id=order.ticket_id,
        message_id=order.message_id,
        address_id=order.address_id,
        kind=order.kind,
        state=state,
        attempt=entry.attempts,
        at=now,
        reason=reason,
        next_try_at=next_try_at,
        server_reply=server_reply,
        recipients=recipients or [],
        rfc_message_id=rfc_message_id,
        gmail_message_id=gmail_message_id,
        gmail_thread_id=gmail_thread_id,
        invitation_uids=list(invitation_uids),
    )


def _delivered(
    entry: LaneEntry, outcome: Delivered, served: list[str], refused: list[RecipientReport], now: datetime
) -> Step:
    """Sent; but when a recipient was refused for good, the person who wrote it must hear so: failed."""
    reason = None
    if refused:
        names = ", ".join(r.recipient for r in refused)
        reason = f"not delivered to {names}: {refused[0].reason or 'refused'}"
    return Step(
        None,
        report(
            entry,
            "failed" if refused else "sent",
            now,
            reason=reason,
            server_reply=outcome.server_reply,
            recipients=_all(served, refused) if refused else None,
            rfc_message_id=outcome.rfc_message_id or entry.order.rfc_message_id or None,
            gmail_message_id=outcome.gmail_message_id,
            gmail_thread_id=outcome.gmail_thread_id,
            invitation_uids=outcome.invitation_uids,
        ),
    )


def _settled(entry: LaneEntry, outcome: Outcome) -> tuple[list[str], list[RecipientReport]]:
    served = [*entry.done_recipients, *(r.recipient for r in outcome.recipients if r.state == "sent")]
    refused = [*entry.failed_recipients, *(r for r in outcome.recipients if r.state == "failed")]
    return list(dict.fromkeys(served)), refused


def _all(served: list[str], refused: list[RecipientReport]) -> list[RecipientReport]:
    return [*(RecipientReport(recipient=r, state="sent") for r in served), *refused]


def _span(seconds: float) -> str:
    if seconds >= 86_400:
        return f"{seconds / 86_400:g} days"
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds:g} seconds"
