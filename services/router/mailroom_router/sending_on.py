"""A mail that does not stay in its ticket: it goes to another one, once, or to none at all. Pure."""

from __future__ import annotations

from mailroom_contracts import (
    EmailRouted,
    MessageSummary,
    NoteAdded,
    TicketMessage,
    TicketState,
    ids,
)
from mailroom_mail import ticket_number

from .authorship import CERTAIN
from .capping import full_note
from .conversation import root_of, unproven_root
from .draft import ROUTER, Draft
from .mail_message import is_false, message_of

FULL = 1_000_000  # stands for "full" where follow-ups count closings
MOST_HOPS = 50  # follow-ups of follow-ups; strangers are sent on once


def follow_up_of_full(draft: Draft, state: TicketState, routed: EmailRouted) -> None:
    """The mail goes to the ticket's follow-up; at the end of a long row of full ones it begins a ticket of its own."""
    if routed.hop >= MOST_HOPS:
        root = unproven_root(routed.received)
        fresh = ids.ticket_id(routed.portal_id, routed.queue_id, root, routed.customer.email)
        send_on(draft, routed, ticket=fresh, linked_to=state.id)
        return
    follow_up = ids.follow_up_id(state.id, FULL)
    note = full_note(state.id)
    if draft.find(id=note) is None:
        said = TicketMessage(
            id=note,
            direction="note",
            kind="note",
            text=f"This ticket is full. What the customer writes from now on is in {ticket_number(follow_up)}.",
            author=ROUTER,
            sent_at=draft.at,
            at=draft.at,
        )
        draft.emit(NoteAdded, message=said)
        draft.add_summary(MessageSummary(id=note, direction="note", kind="note", at=draft.at))
    send_on(draft, routed, ticket=follow_up, follow_up_of=state.id)


def send_on(
    draft: Draft,
    routed: EmailRouted,
    *,
    ticket: str | None = None,
    linked_to: str | None = None,
    follow_up_of: str | None = None,
    why: str | None = None,
) -> None:
    """The mail belongs to another ticket: it goes there, once, and this one only says so."""
    unproven = is_false(routed) or routed.author_grade not in CERTAIN
    root = unproven_root(routed.received) if unproven else root_of(routed.received)
    customer = routed.customer
    if ticket is None:
        ticket = ids.ticket_id(routed.portal_id, routed.queue_id, root, customer.email)
        if ticket == routed.ticket_id:
            root = unproven_root(routed.received)
            ticket = ids.ticket_id(routed.portal_id, routed.queue_id, root, customer.email)
    hop = routed.hop + 1
    draft.sent_on = routed.model_copy(
        update={
            "id": ids.routed_id(routed.receipt_id, ticket, hop),
            "ticket_id": ticket,
            "root": root,
            "customer": customer,
            "reason": "sent_on",
            "linked_to": linked_to or routed.linked_to,
            "follow_up_of": follow_up_of,
            "hop": hop,
        }
    )
    why = why or ("A follow-up ticket takes it." if follow_up_of else "Its sender takes no part in this ticket.")
    draft.ignore("email.routed", "sent_on", why, sent_on_to=ticket, receipt_id=routed.receipt_id)


_UNPLACED = {
    "no_address": "The portal has no queue that could take it.",
    "unmatched_receipt": "A receipt that fits no mail of ours.",
}


def unplaced(draft: Draft, routed: EmailRouted) -> None:
    """The mail fits nothing: it is kept under Activity, whole."""
    bounce = routed.reason != "no_address"
    draft.ignore(
        "email.routed",
        "unmatched_bounce" if bounce else "no_address",
        _UNPLACED.get(routed.reason, "A bounce that fits no mail of ours."),
        receipt_id=routed.receipt_id,
        detail=message_of(draft, routed, kind="bounce" if bounce else "mail"),
    )
