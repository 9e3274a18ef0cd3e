"""Delivery reports and bounces: how an outgoing message stands (DESIGN section 4). Pure."""

from __future__ import annotations

from datetime import timedelta

from mailroom_contracts import (
    Delivery,
    DeliveryChanged,
    DeliveryReport,
    EmailRouted,
    MessageSummary,
    RecipientReport,
    TicketMessage,
)
from mailroom_mail import comparable

from . import standing
from .draft import Draft
from .told_ids import by_local_part, told_id

RECIPIENT_LASTS = timedelta(days=5)  # how long a report that names no id may be about the last mail to its recipient
MOST_OTHER_IDS = 8
_STATES = frozenset({"deferred", "sent", "failed", "bounced", "refused", "cancelled"})


def apply_report(draft: Draft, report: DeliveryReport) -> None:
    """A delivery report of `outbound`."""
    if draft.state is None:
        draft.ignore("email.delivery", "no_ticket", "The mail belongs to no ticket (a test, or a probe).")
        return
    message = draft.find(outbound_id=report.outbound_id)
    if message is None:
        draft.ignore("email.delivery", "outdated", "No message of this ticket has that order (any more).")
        return
    state = "deferred" if report.state == "parked" else report.state
    known = standing.of_message(message)
    now = standing.merged(known, _told(report, state, known)) if state in _STATES else known
    threads = report.gmail_thread_id is not None and draft.ticket.gmail_thread_id is None
    if state not in _STATES or not (now != known or standing.is_waiting(known) or threads):
        draft.ignore("email.delivery", "outdated", f"The message is {standing.summed(known)} already.")
        return
    total = standing.summed(now)
    delivery = Delivery(
        state=total,
        reason=report.reason if total == state else standing.reason_of(now),
        next_try_at=report.next_try_at if standing.is_waiting(now) else None,
        server_reply=report.server_reply,
        recipients=standing.shown(now),
        at=report.at,
    )
    draft.emit(
        DeliveryChanged,
        message_id=message.id,
        outbound_id=report.outbound_id,
        delivery=delivery,
        gmail_thread_id=report.gmail_thread_id,
        rfc_message_id=report.rfc_message_id,
    )
    changes: dict[str, object] = {"delivery": standing.short(delivery)}
    if message.message_id is None and report.rfc_message_id:
        changes["message_id"] = report.rfc_message_id
    elif others := _other_ids(message, report):
        changes["other_ids"] = [*message.other_ids, *others][-MOST_OTHER_IDS:]
    draft.replace_summary(message.model_copy(update=changes))
    if threads:
        draft.change(gmail_thread_id=report.gmail_thread_id)
    _tell(draft, message, known, now)


def _other_ids(message: MessageSummary, report: DeliveryReport) -> list[str]:
    """By what else answers will name a mail that left: the id that a provider gave it, and the invitations in it."""
    found = [report.rfc_message_id, told_id(report.server_reply or "") if report.state == "sent" else None]
    known = {message.message_id, *message.other_ids}
    known.update(by_local_part(i for i in known if i))
    named = [*(i for i in found if i), *(f"uid:{uid}" for uid in report.invitation_uids)]
    return [i for i in dict.fromkeys(named) if i not in known]


def _told(report: DeliveryReport, state: str, known: list[RecipientReport]) -> list[RecipientReport]:
    """What a report of ours says of each recipient: its own words, else those of the whole, where we still try."""
    own: dict[str, RecipientReport] = {}
    ours = [one.recipient for one in known]
    for one in report.recipients:
        meant = standing.recipient_meant(one.recipient, ours) or one.recipient
        own[comparable(meant)] = one.model_copy(update={"recipient": meant, "by_report": False})
    for one in known:
        open_ = one.state in ("queued", "deferred") and not one.by_report
        if open_ and comparable(one.recipient) not in own:
            reason = report.reason if state in standing.FINAL | {"deferred"} else None
            own[comparable(one.recipient)] = RecipientReport(recipient=one.recipient, state=state, reason=reason)
    return list(own.values())


def add_bounce(draft: Draft, routed: EmailRouted, mail: TicketMessage) -> bool:
    """A bounce mail: the message it is about is bounced. False when it is about none of this ticket."""
    bounce = routed.received.content.bounce
    if bounce is None:
        return False
    about = _about(draft, routed)
    if about is None or about.outbound_id is None:
        return False
    known = standing.of_message(about)
    ours = [one.recipient for one in known]
    told: list[RecipientReport] = []
    for one in bounce.recipients or [RecipientReport(recipient="", state="bounced")]:
        if (meant := standing.recipient_meant(one.recipient, ours)) is not None:
            state = {"failed": "bounced", "delayed": "deferred"}.get(one.state, one.state)
            told.append(one.model_copy(update={"recipient": meant, "state": state, "by_report": True}))
    if not told:
        return False  # of recipients that the message never had: it says nothing about it
    if draft.find(id=mail.id) is not None:
        draft.ignore("email.routed", "already_known", "This bounce was added before.", receipt_id=routed.receipt_id)
        return True
    now = standing.merged(known, told)
    before = about.delivery or Delivery(state="queued")
    delivery = Delivery(
        state=standing.summed(now),
        reason=standing.reason_of(now) or mail.subject[:500] or None,
        next_try_at=before.next_try_at if standing.is_waiting(now) else None,
        recipients=standing.shown(now),
        at=draft.at,
    )
    draft.emit(DeliveryChanged, message_id=about.id, outbound_id=about.outbound_id, delivery=delivery, bounce=mail)
    draft.replace_summary(about.model_copy(update={"delivery": standing.short(delivery)}))
    draft.add_summary(MessageSummary(id=mail.id, direction="in", kind="bounce", message_id=mail.message_id, at=mail.at))
    _tell(draft, about, known, now)
    return True


def _about(draft: Draft, routed: EmailRouted) -> MessageSummary | None:
    """The message that a bounce names. One that names ids is about a message with one of them, or about none of ours:
    anybody can write a report and guess whom we wrote to, but not what our Message-ID was.
    """
    content = routed.received.content
    bounce = content.bounce
    assert bounce is not None
    named = [i for i in (bounce.mailroom_id, bounce.original_message_id) if i]
    for message_id in named or [*content.in_reply_to, *reversed(content.references)]:
        if (found := _left_as(draft, message_id)) is not None:
            return found
    if named or content.in_reply_to or content.references or routed.bounced_outbound_id is None:
        return None
    message = draft.find(outbound_id=routed.bounced_outbound_id)
    return message if message is not None and _fits(draft, routed, message) else None


def _left_as(draft: Draft, message_id: str) -> MessageSummary | None:
    """The newest message of ours with that id: our own, or one that a provider put in its place."""
    sent = (m for m in reversed(draft.ticket.messages) if m.direction == "out")
    return next((m for m in sent if message_id == m.message_id or message_id in m.other_ids), None)


def _fits(draft: Draft, routed: EmailRouted, message: MessageSummary) -> bool:
    """Whether nothing in a report without any id contradicts that it is about this message."""
    bounce, received = routed.received.content.bounce, routed.received
    assert bounce is not None
    if received.received_at - message.at > RECIPIENT_LASTS or received.received_at < message.at:
        return False
    if (
        bounce.original_from
        and message.from_email
        and (comparable(bounce.original_from) != comparable(message.from_email))
    ):
        return False
    if bounce.original_to and not {comparable(one) for one in bounce.original_to} & {
        comparable(one) for one in message.recipients
    }:
        return False
    sender = draft.context.book.address(message.address_id)
    return sender is None or routed.address_id in (sender.id, sender.forwards_to)


def _tell(draft: Draft, message: MessageSummary, known: list[RecipientReport], now: list[RecipientReport]) -> None:
    """New trouble with a person's reply opens the ticket again and so tells the agent."""
    lost = {one.recipient for one in known if one.state in standing.TROUBLE}
    if message.kind == "reply" and any(one.state in standing.TROUBLE and one.recipient not in lost for one in now):
        draft.reopen("delivery_failed")
