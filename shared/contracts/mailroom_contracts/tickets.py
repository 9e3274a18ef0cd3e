"""The present state of a ticket, as the compacted topic `tickets` keeps it."""

from __future__ import annotations

from .base import LATER_LIST, Message, Model, Time, known, says
from .common import Answers, Delivery, Person
from .outbound import OutboundMail, Quote


class MessageSummary(Model):
    """What the state keeps of a message; the whole is in ticket.events."""

    id: str = says("Message id within Mailroom.", "5f0c...")
    direction: str = says("in, out or note.", "in")
    kind: str = says("As in the event.", "mail", default="mail")
    message_id: str | None = says("RFC 5322 Message-ID.", "abc@customer.example", default=None)
    other_ids: list[str] = says("Message-IDs that providers put in place of ours (LOCAL@: with any host), and uid:UID of "
                                "invitations.", [], **LATER_LIST)  # fmt: skip
    fingerprint: str | None = says("Digest of Message-ID, From and Date, to know a copy.", "7e11...", default=None)
    from_email: str | None = says("Author.", "jo@customer.example", default=None)
    at: Time = says("When Mailroom got it.", "2026-11-24T11:55:01Z")
    outbound_id: str | None = says("Order that sends it.", None, default=None)
    generation: int = says("Counts deliberate resends.", 0, default=0)
    address_id: str | None = says("Address it came through or leaves from.", "ad1", default=None)
    recipients: list[str] = says("Recipients (outgoing).", [], default_factory=list)
    delivery: Delivery | None = says("How sending stands.", None, default=None)
    subject: str | None = says("Its subject, where it is not the ticket's.", None, default=None)
    held_until: Time | None = says("It is held until then.", None, default=None)
    cancel_on_mail: bool = says("Not sent when the customer writes before that.", False, default=False)


class Answered(Model):
    """The customer's last mail, as answers need it."""

    answers: Answers | None = says("Whom answers go to.", None, default=None)
    answer_to: Person | None = says("The first of them.", None, default=None)
    answered: MessageSummary | None = says("The mail.", None, default=None)
    quote: Quote | None = says("The mail, cut, for answers to quote.", None, default=None)
    last_customer_at: Time | None = says("When it came.", None, default=None)


class TakenIn(Model):
    """A ticket that was merged into this one, and what this one answered before."""

    id: str = says("Its id.", "9f2c...")
    number: str = says("Its number.", "MR-7K3F9Q2X", default="")
    before: Answered | None = says("What answers needed before, where the merge changed it.", None, default=None)
    added: list[str] = says("Who takes part since.", [], default_factory=list)


class TicketState(Message):
    """A ticket. `version` counts its events; a reader never goes back in it."""

    id: str = says("Ticket id.", "9f2c...")
    number: str = says("Short number for people, with a check character.", "MR-7K3F9Q2X")
    portal_id: str = says("Portal.", "p1")
    queue_id: str = says("Queue.", "q1")
    address_id: str = says("Address it belongs to.", "ad1")
    status: str = says("open, pending or closed.", "open", json_schema_extra=known("open", "pending", "closed"))
    assignee_id: str | None = says("Agent.", "a1", default=None)
    subject: str = says("Subject of the first mail.", "My order", default="")
    customer: Person = says("The customer who began it.", {"email": "jo@customer.example"})
    root: str = says("Root of the conversation.", "abc@customer.example")
    gmail_thread_id: str | None = says("Gmail thread.", None, default=None)
    participants: list[str] = says("Who takes part (lower case).", ["jo@customer.example"], default_factory=list)
    unconfirmed: list[str] = says("Senders that wait for an agent's confirmation.", [], default_factory=list)
    messages: list[MessageSummary] = says("Messages, oldest first, capped.", [], default_factory=list)
    message_count: int = says("How many messages there are in all.", 1, default=0)
    follow_up_of: str | None = says("The closed ticket that this one follows.", None, default=None)
    linked_to: str | None = says("A ticket that the first mail named without belonging to it.", None, default=None)
    closing_count: int = says("How often it was closed.", 0, default=0)
    closed_at: Time | None = says("When it was closed last.", None, default=None)
    auto_reply_message_id: str | None = says("The one automatic reply.", None, default=None)
    wants_online: bool = says("Unassigned, and to be given to an agent who comes online.", False, default=False)
    prefer_online: bool = says("The address's option when the ticket was made or moved.", True, default=False)
    last_customer_at: Time | None = says("When the customer wrote last.", None, default=None)
    created_at: Time = says("When it was made.", "2026-11-24T11:55:01Z")
    updated_at: Time = says("When it changed last.", "2026-11-24T11:55:01Z")
    version: int = says("Number of its last event.", 3, default=0)
    their_numbers: list[str] = says(
        "Numbers that the other side's desk gave it, as its subjects carry them: domain, bar, text in the brackets.",
        ["customer.example|sup-2"], **LATER_LIST,
    )  # fmt: skip
    answer_to: Person | None = says("Where answers go: the first of `answers.reply.to`; None where a list hides who "
                                    "wrote.", None, default=None)  # fmt: skip
    answers: Answers | None = says("Whom answers to the customer's last mail go to.", None, default=None)
    answered: MessageSummary | None = says("The customer's last mail, which answers go to.", None, default=None)
    third_parties: list[str] = says("Whom it was forwarded to (lower case); they take no part.", [],
                                    **LATER_LIST)  # fmt: skip
    tags: list[str] = says("Tags.", ["refund"], **LATER_LIST)
    snoozed_until: Time | None = says("Put aside until then.", None, default=None)
    merged_into: str | None = says("Ticket that its conversation goes on in.", None, default=None)
    status_before_merge: str | None = says("Its status before it was merged.", None, default=None)
    taken_in: list[TakenIn] = says("Tickets that were merged into this one.", [], **LATER_LIST)
    spam: bool = says("Among the spam.", False, default=False)
    lists: list[str] = says("Addresses of mailing lists met here: they take no part and get no answers.", [],
                            **LATER_LIST)  # fmt: skip
    quote: Quote | None = says("The customer's last message, cut, for replies to quote.", None, default=None)
    orders: list[OutboundMail] = says("The last orders, bounded, so that they can be sent again.", [],
                                      default_factory=list)  # fmt: skip
    recent: list[str] = says("Ids of the inputs handled last, bounded; a repeat is answered as already known.",
                             ["ab12..."], default_factory=list)  # fmt: skip

    @property
    def record_key(self) -> str:
        return self.id

    @property
    def ce_id(self) -> str:
        return f"{self.id}:{self.version}"

    @property
    def ce_type(self) -> str:
        return "ticket.state"

    @property
    def ce_time(self) -> Time:
        return self.updated_at
