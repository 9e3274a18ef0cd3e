"""A routed mail as a message of its ticket: who wrote it, what it says, whom its answers go to. Pure."""

from __future__ import annotations

from mailroom_contracts import (
    Actor,
    Answers,
    EmailRouted,
    MessageSummary,
    Person,
    TicketMessage,
    ids,
)
from mailroom_mail import comparable

from .answers import answers
from .authorship import DIRECT, PROVEN, UNKNOWN, not_people
from .draft import ROUTER, Draft
from .outgoing import subject_of
from .participants import lists_of
from .shelves import is_blocked


def is_false(routed: EmailRouted) -> bool:
    """Whether From is shown to be false; behind a list that is said of the list, not of an author who is proven."""
    failed = routed.verdicts is not None and routed.verdicts.dmarc_failed
    return failed and routed.author_grade != PROVEN


def writer_of(routed: EmailRouted) -> Person:
    """Who sends the mail: its author, or who passed a mail of ours on (Resent-From)."""
    passed_on = routed.received.content.resent_from if routed.reason == "redirected" else None
    return passed_on or routed.customer


def fingerprint(routed: EmailRouted) -> str:
    """Equal for two copies of one mail: Message-ID, From and Date (or the identity, where there is no Message-ID)."""
    content = routed.received.content
    date = content.date.isoformat() if content.date else ""
    own = content.message_id or f"identity:{routed.received.identity}"
    return ids.derive("fingerprint", own, comparable(writer_of(routed).email), date)


def message_of(draft: Draft, routed: EmailRouted, *, kind: str) -> TicketMessage:
    """The mail as a message of a ticket."""
    received, content = routed.received, routed.received.content
    post = content.list_post
    # behind a list that the address names stands a person, who may be answered: the list's own signs do not count
    of_list = post.signs if post is not None and routed.list_named and not post.notice else []
    return TicketMessage(
        id=ids.message_id(draft.ticket_id, routed.receipt_id),
        direction="in",
        kind=kind,
        message_id=content.message_id,
        from_=writer_of(routed) if routed.reason == "redirected" else content.from_,
        redirected=content.from_ if routed.reason == "redirected" else None,
        to=content.to,
        cc=content.cc,
        bcc=[],
        reply_to=content.reply_to,
        subject=content.subject,
        text=content.text,
        text_ref=content.text_ref,
        html=content.html,
        html_ref=content.html_ref,
        reply_text=content.reply_text,
        attachments=content.attachments,
        raw=received.raw,
        verdicts=routed.verdicts or received.verdicts,
        defects=content.defects,
        protection=content.protection,
        automatic_signs=[sign for sign in content.automatic_signs if sign not in of_list],
        written_by=routed.customer if routed.author_grade != DIRECT and routed.author_grade != UNKNOWN else None,
        written_by_grade=routed.author_grade,
        lists=not_people(received),
        spam=content.spam,
        address_id=routed.address_id,
        receipt_id=routed.receipt_id,
        in_reply_to=content.in_reply_to[0] if content.in_reply_to else None,
        sent_at=content.date,
        at=received.received_at,
        answers=_answers(draft, routed) if kind in ("mail", "out_of_office") else None,
    )


def _answers(draft: Draft, routed: EmailRouted) -> Answers:
    book, portal = draft.context.book, routed.portal_id
    return answers(
        routed.received,
        writer_of(routed),
        lambda email: book.is_ours(email, portal),
        verdicts=routed.verdicts,
        domains=book.domains(portal) if routed.received.content.traces else frozenset(),
        grade=routed.author_grade,
        lists=lists_of(draft, routed),
    )


def is_spam(draft: Draft, routed: EmailRouted) -> bool:
    """Whether a filter in front said so, or the portal blocks its sender."""
    portal = draft.context.book.portals.get(routed.portal_id)
    blocked = portal is not None and is_blocked(routed.customer.email, portal.blocked)
    return routed.received.content.spam or blocked


def summary_of(draft: Draft, routed: EmailRouted, message: TicketMessage, print_: str) -> MessageSummary:
    """What the ticket's state keeps of the message."""
    return MessageSummary(
        id=message.id,
        direction=message.direction,
        kind=message.kind,
        message_id=message.message_id,
        fingerprint=print_,
        from_email=writer_of(routed).email,
        at=message.at,
        address_id=message.address_id,
        subject=subject_of(message.subject, draft.ticket),
    )


def actor_of(routed: EmailRouted) -> Actor:
    """Who acts when the mail changes the ticket: the customer; what came out of Gmail's own sent mail is filed by the router."""
    gmail = routed.received.gmail
    if gmail is not None and gmail.sent:
        return ROUTER
    return Actor(kind="customer", id=None, name=writer_of(routed).name or None)
