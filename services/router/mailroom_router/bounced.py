"""Delivery reports and bounces: how an outgoing message stands (DESIGN section 4). Pure."""

from __future__ import annotations

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

from .draft import Draft

TROUBLE = frozenset({"failed", "bounced", "refused"})
_FINAL = TROUBLE | {"cancelled"}
_STATES = frozenset({"queued", "deferred", "sent", "failed", "bounced", "refused", "cancelled"})


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
    now = message.delivery.state if message.delivery else "queued"
    if state not in _STATES or not _follows(now, state):
        draft.ignore("email.delivery", "outdated", f"The message is {now} already.")
        return
    delivery = Delivery(
        state=state,
        reason=report.reason,
        next_try_at=report.next_try_at,
        server_reply=report.server_reply,
        recipients=report.recipients,
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
    changes: dict[str, object] = {"delivery": _short(delivery)}
    if (left_as := report.rfc_message_id) and left_as != message.message_id:
        if message.message_id is None:
            changes["message_id"] = left_as
        elif left_as not in message.other_ids:
            changes["other_ids"] = [*message.other_ids, left_as][-5:]
    draft.replace_summary(message.model_copy(update=changes))
    if report.gmail_thread_id and draft.ticket.gmail_thread_id is None:
        draft.change(gmail_thread_id=report.gmail_thread_id)
    _tell(draft, message, state)


def add_bounce(draft: Draft, routed: EmailRouted, mail: TicketMessage) -> bool:
    """A bounce mail: the message it is about is bounced. False when it is about none of this ticket."""
    bounce = routed.received.content.bounce
    if bounce is None:
        return False
    about = _about(draft, routed)
    if about is None or about.outbound_id is None:
        return False
    if draft.find(id=mail.id) is not None:
        draft.ignore("email.routed", "already_known", "This bounce was added before.", receipt_id=routed.receipt_id)
        return True
    failed = [r for r in bounce.recipients if r.state in ("failed", "bounced")]
    delayed = [r for r in bounce.recipients if r.state in ("deferred", "delayed")]
    now = about.delivery.state if about.delivery else "queued"
    if failed or not bounce.recipients:
        state, reports = "bounced", [r.model_copy(update={"state": "bounced"}) for r in failed]
    elif delayed:
        # "still trying": the mail left us, and is not lost yet
        state, reports = (now if now in _FINAL else "sent"), delayed
    else:
        state, reports = (now if now in _FINAL else "sent"), list(bounce.recipients)
    delivery = Delivery(
        state=state, reason=_words(reports, mail, delayed=bool(delayed) and not failed), recipients=reports, at=draft.at
    )
    draft.emit(DeliveryChanged, message_id=about.id, outbound_id=about.outbound_id, delivery=delivery, bounce=mail)
    draft.replace_summary(about.model_copy(update={"delivery": _short(delivery)}))
    draft.add_summary(MessageSummary(id=mail.id, direction="in", kind="bounce", message_id=mail.message_id, at=mail.at))
    if state == "bounced":
        _tell(draft, about, state)
    return True


def _about(draft: Draft, routed: EmailRouted) -> MessageSummary | None:
    bounce = routed.received.content.bounce
    assert bounce is not None
    if routed.bounced_outbound_id and (found := draft.find(outbound_id=routed.bounced_outbound_id)):
        return found
    for message_id in (bounce.mailroom_id, bounce.original_message_id, *routed.received.content.references):
        if message_id and (found := draft.find(message_id=message_id, direction="out")):
            return found
    wanted = {comparable(r.recipient) for r in bounce.recipients}
    return next((m for m in reversed(draft.ticket.messages) if m.outbound_id and wanted & set(m.recipients)), None)


def _follows(now: str, then: str) -> bool:
    """Whether a report may change what is known: nothing comes after an end, and only a bounce after sent."""
    if now == "sent":
        return then in ("sent", "bounced")
    return now not in _FINAL


def _tell(draft: Draft, message: MessageSummary, state: str) -> None:
    """Trouble with a person's reply opens the ticket again and so tells the agent."""
    if state in TROUBLE and message.kind == "reply":
        draft.reopen("delivery_failed")


def _words(reports: list[RecipientReport], mail: TicketMessage, *, delayed: bool) -> str:
    first = next((r for r in reports if r.reason or r.status), None)
    said = (first.reason or first.status) if first else mail.subject
    return f"{'Still being tried' if delayed else 'Could not be delivered'}: {said}"[:500]


def _short(delivery: Delivery) -> Delivery:
    return delivery.model_copy(update={"recipients": delivery.recipients[:20], "server_reply": None})
