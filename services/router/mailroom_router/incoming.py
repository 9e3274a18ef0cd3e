"""A routed mail and its ticket: new, added, a copy, a stranger's, a follow-up, a reopening. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailroom_contracts import (
    EmailRouted,
    MessageAdded,
    MessageSummary,
    TicketCreated,
    TicketMessage,
    TicketState,
    ids,
)
from mailroom_mail import comparable, their_numbers, thread_mark, ticket_number

from .answers import customer_of
from .authorship import CERTAIN, CLAIMED, UNKNOWN
from .bounced import add_bounce
from .capping import is_full
from .conversation import own_ids
from .draft import MOST_PEOPLE, Draft
from .mail_message import actor_of, fingerprint, is_false, is_spam, message_of, summary_of, writer_of
from .merges import keep_in_mind
from .orders import quote_of
from .outgoing import call_off_held
from .participants import meet_lists, take_in
from .quiet import is_quiet
from .sending_on import MOST_HOPS, follow_up_of_full, send_on, unplaced
from .shelves import wake
from .told_ids import by_local_part

MOST_NUMBERS = 8  # of other desks that a ticket is known by
MOST_OTHER_IDS = 5
_PROVES_SIGHT = ("signed_id", "plus_address", "redirected")
ABSENCE_LASTS = timedelta(days=5)  # how long after our answer an absence note without thread headers belongs to it


def add_mail(draft: Draft, routed: EmailRouted) -> None:
    """What a routed mail does to its ticket."""
    if routed.reason in ("no_address", "unmatched_bounce", "unmatched_receipt"):
        unplaced(draft, routed)
        return
    state = draft.state
    if state is None:
        if routed.received.gmail is not None and routed.received.gmail.sent:
            # a person wrote to somebody: it becomes a ticket when that somebody answers
            draft.ignore("email.routed", "own_mail", "Written in Gmail, about no ticket.", receipt_id=routed.receipt_id)
        elif routed.reason == "new" or routed.hop > 0:
            _create(draft, routed)
        elif routed.reason == "bounce" and routed.received.content.bounce and routed.received.content.bounce.formal:
            unplaced(draft, routed)
        elif routed.reason == "own_mail" and _is_probe(routed):
            draft.ignore("email.routed", "probe", "A probe of Check forwarding.", receipt_id=routed.receipt_id)
        else:
            send_on(draft, routed)  # the ticket that it names does not exist (any more)
        return
    if state.portal_id != routed.portal_id:
        send_on(draft, routed)
        return
    if routed.reason != "redirected" and (own := _own_message(state, routed)) is not None:
        _learn_id(draft, own, routed.received.content.message_id)
        draft.ignore("email.routed", "own_mail", "Our own mail came back.", receipt_id=routed.receipt_id)
        return
    if routed.reason == "bounce":
        if not add_bounce(draft, routed, message_of(draft, routed, kind="bounce")):
            if routed.received.content.bounce and routed.received.content.bounce.formal:
                unplaced(draft, routed)
            else:
                send_on(draft, routed)
        return
    _add(draft, state, routed)


def _add(draft: Draft, state: TicketState, routed: EmailRouted) -> None:
    content = routed.received.content
    sender, grade = comparable(writer_of(routed).email), routed.author_grade
    # what somebody passed on bears our own address, whose DMARC breaks on the way; that our mail was seen is proven
    failed = routed.reason != "redirected" and is_false(routed)
    if routed.received.gmail is not None and routed.received.gmail.sent:
        _add_external_reply(draft, routed)
        return
    first_step = routed.hop == 0 and routed.reason != "new"
    takes_part = sender in state.participants and not failed and grade not in (CLAIMED, UNKNOWN)
    third_party = not takes_part and not failed and sender in state.third_parties and grade in CERTAIN
    by_sight = routed.reason in _PROVES_SIGHT
    if first_step and (failed or (not by_sight and (not takes_part or grade not in CERTAIN))):
        # a number or a reference proves nothing; neither do a From that fails DMARC and what a list says
        send_on(draft, routed, linked_to=state.id)
        return
    if state.merged_into is not None and routed.hop < MOST_HOPS:
        send_on(draft, routed, ticket=state.merged_into, why="Its ticket was merged into another one.")
        return
    if routed.reason == "absence" and not _answered_lately(draft, sender, routed.received.received_at):
        send_on(draft, routed)
        return
    print_ = fingerprint(routed)
    if (original := draft.find(fingerprint=print_, direction="in")) is not None:
        draft.emit(
            MessageAdded,
            message=message_of(draft, routed, kind="mail").model_copy(update={"copy_of": original.id}),
            actor=actor_of(routed),
        )
        return
    spam = is_spam(draft, routed)
    quiet = is_quiet(content, answers_us=_answers_us(state, routed)) or spam
    new_sender = first_step and not takes_part and not third_party
    if is_full(state):
        follow_up_of_full(draft, state, routed)
        return
    if state.status == "closed" and not quiet and not new_sender and state.closed_at is not None:
        portal = draft.context.book.portals.get(state.portal_id)
        lasts = timedelta(days=portal.follow_up_after_days if portal else 14)
        if routed.received.received_at - state.closed_at > lasts and routed.hop < MOST_HOPS:
            follow_up = ids.follow_up_id(state.id, state.closing_count)
            send_on(draft, routed, ticket=follow_up, follow_up_of=state.id)
            return
    kind = "out_of_office" if content.out_of_office else "mail"
    passed_on = routed.reason == "redirected"  # our own words: no quotation of the customer's
    leads = not (quiet or new_sender or third_party or passed_on)
    marks = {
        "new_sender": new_sender, "third_party": third_party, "spam": spam, "quiet": quiet, "sets_answers": leads
    }  # fmt: skip
    message = message_of(draft, routed, kind=kind).model_copy(update=marks)
    draft.emit(MessageAdded, message=message, actor=actor_of(routed))
    draft.add_summary(summary_of(draft, routed, message, print_))
    if third_party:
        _tell_third_party(draft, quiet)
        return
    if new_sender:
        if sender not in state.unconfirmed and grade != UNKNOWN:
            draft.change(unconfirmed=[*state.unconfirmed, sender][-MOST_PEOPLE:])
        meet_lists(draft, routed)
    elif quiet:
        meet_lists(draft, routed)
    else:
        take_in(draft, routed, writer_of(routed))
    if not quiet:
        _keep_their_numbers(draft, routed)
        if not new_sender:
            if not passed_on:
                _remember_for_answers(draft, routed, message)
            call_off_held(draft)
        if draft.ticket.status == "closed":
            draft.reopen("customer_replied")
        else:
            wake(draft, "customer_replied")
            if draft.ticket.status == "pending":
                draft.set_status("open", "customer_replied")


def _tell_third_party(draft: Draft, quiet: bool) -> None:
    """What somebody answered whom it was forwarded to: an agent must look, but it is not the customer's word."""
    if quiet:
        return
    if draft.ticket.status != "open":
        draft.reopen("third_party_replied")
    else:
        wake(draft, "customer_replied")


def _create(draft: Draft, routed: EmailRouted) -> None:
    book, content = draft.context.book, routed.received.content
    address = book.address(routed.address_id)
    customer = customer_of(routed.received, routed.customer, lambda email: book.is_ours(email, routed.portal_id))
    spam = is_spam(draft, routed)
    gmail = routed.received.gmail
    draft.state = TicketState(
        id=routed.ticket_id,
        number=ticket_number(routed.ticket_id),
        portal_id=routed.portal_id,
        queue_id=routed.queue_id,
        address_id=routed.address_id,
        status="open",
        subject=content.subject[:1000],
        customer=customer,
        root=routed.root,
        gmail_thread_id=gmail.thread_id if gmail else None,
        follow_up_of=routed.follow_up_of,
        linked_to=routed.linked_to,
        prefer_online=address.prefer_online if address else False,
        spam=spam,
        created_at=draft.at,
        updated_at=draft.at,
    )
    draft.emit(
        TicketCreated,
        number=draft.ticket.number,
        queue_id=routed.queue_id,
        address_id=routed.address_id,
        subject=draft.ticket.subject,
        customer=customer,
        root=routed.root,
        gmail_thread_id=draft.ticket.gmail_thread_id,
        follow_up_of=routed.follow_up_of,
        linked_to=routed.linked_to,
        receipt_id=routed.receipt_id,
        received_at=routed.received.received_at,
        spam=spam,
        imported=gmail is not None and gmail.imported,
        actor=actor_of(routed),
    )
    message = message_of(draft, routed, kind="mail").model_copy(update={"spam": spam, "sets_answers": True})
    draft.emit(MessageAdded, message=message, actor=actor_of(routed))
    draft.add_summary(summary_of(draft, routed, message, fingerprint(routed)))
    take_in(draft, routed, writer_of(routed))
    _keep_their_numbers(draft, routed)
    _remember_for_answers(draft, routed, message)
    if draft.ticket.prefer_online and not spam:
        draft.want_agent("online")


def _add_external_reply(draft: Draft, routed: EmailRouted) -> None:
    """Somebody answered in Gmail itself: part of the conversation, ours."""
    message = message_of(draft, routed, kind="external_reply").model_copy(update={"direction": "out"})
    draft.emit(MessageAdded, message=message)
    draft.add_summary(summary_of(draft, routed, message, fingerprint(routed)))
    take_in(draft, routed, writer_of(routed))


def _own_message(state: TicketState, routed: EmailRouted) -> MessageSummary | None:
    """The message whose mail came back: its Message-ID, or the id we put beside it, is that of a message we sent."""
    content = routed.received.content
    if content.bounce is not None:
        return None
    named = set(own_ids(routed.received))
    sent = (m for m in state.messages if m.direction == "out" and m.kind != "external_reply")
    return next((m for m in sent if not named.isdisjoint(_names_of(m.message_id or ""))), None)


def _names_of(message_id: str) -> tuple[str, ...]:
    """A Message-ID of ours, and what stands for it in References."""
    return message_id, thread_mark(message_id), thread_mark(message_id, first=True)


def _learn_id(draft: Draft, own: MessageSummary, other: str | None) -> None:
    """A provider put an id of its own in place of ours: answers to it belong here too."""
    if other and other != own.message_id and other not in own.other_ids:
        draft.replace_summary(own.model_copy(update={"other_ids": [*own.other_ids, other][-MOST_OTHER_IDS:]}))


def _is_probe(routed: EmailRouted) -> bool:
    """A probe of the console's Check forwarding: signed like our mail (the first step saw that), about no ticket."""
    content = routed.received.content
    return any(i is not None and i.startswith("probe.") for i in (content.message_id, content.mailroom_id))


def _answers_us(state: TicketState, routed: EmailRouted) -> bool:
    """Whether the mail's thread headers name a mail of ours: a signed id, or one that we know it to have left as."""
    if routed.reason in ("signed_id", "plus_address"):
        return True
    content = routed.received.content
    named = {*content.in_reply_to, *content.references}
    named.update(by_local_part(named))
    named.add(f"uid:{content.answers_uid}")
    return any(m.direction == "out" and not named.isdisjoint({m.message_id, *m.other_ids}) for m in state.messages)


def _answered_lately(draft: Draft, sender: str, at: datetime) -> bool:
    return any(
        m.direction == "out"
        and m.kind == "reply"
        and sender in m.recipients
        and timedelta(0) <= at - m.at <= ABSENCE_LASTS
        for m in draft.ticket.messages
    )


def _keep_their_numbers(draft: Draft, routed: EmailRouted) -> None:
    """The numbers of the sender's own desk in the subject: its later mails may carry nothing else of the thread."""
    content = routed.received.content
    domain = comparable(writer_of(routed).email).rpartition("@")[2]
    if content.is_list or not domain or routed.reason == "redirected":
        return
    new = [f"{domain}|{tag}" for tag in their_numbers(content.subject)]
    if fresh := [one for one in new if one not in draft.ticket.their_numbers]:
        draft.change(their_numbers=[*draft.ticket.their_numbers, *fresh][-MOST_NUMBERS:])


def _remember_for_answers(draft: Draft, routed: EmailRouted, message: TicketMessage) -> None:
    content, to_whom = routed.received.content, message.answers
    draft.change(
        answers=to_whom,
        answer_to=next(iter(to_whom.reply.to), None) if to_whom is not None else routed.customer,
        answered=draft.find(id=message.id),
        last_customer_at=routed.received.received_at,
        quote=quote_of(
            routed.customer,
            content.date,
            content.text,
            content.html,
            text_ref=content.text_ref,
            html_ref=content.html_ref,
        ),
    )
    keep_in_mind(draft)
