"""Outgoing mail: orders, their lanes, and delivery reports."""

from __future__ import annotations

from pydantic import Field

from .base import LATER_LIST, Message, Model, Time, known, says
from .common import AttachmentRef, BlobRef, Person, RecipientReport
from .ids import delivery_id


class Quote(Model):
    """The message that a reply quotes."""

    from_: Person | None = Field(
        default=None, alias="from", description="Author.", examples=[{"email": "jo@c.example"}]
    )
    to: list[Person] = says("To; shown where a mail is forwarded.", [], **LATER_LIST)
    cc: list[Person] = says("Cc; shown where a mail is forwarded.", [], **LATER_LIST)
    subject: str = says("Subject; shown where a mail is forwarded.", "My order", default="")
    date: Time | None = says("When it was written.", "2026-11-24T11:55:00Z", default=None)
    text: str = says("Its text.", "Where is it?", default="")
    html: str | None = says("Its HTML, as sent (sanitised when composing).", None, default=None)
    text_ref: BlobRef | None = says("The whole text.", None, default=None)
    html_ref: BlobRef | None = says("The whole HTML.", None, default=None)


class OutboundMail(Message):
    """An order to send one mail, or to cancel one that waits."""

    id: str = says("Order id.", "91bc...")
    action: str = says("send or cancel.", "send", default="send", json_schema_extra=known("send", "cancel"))
    portal_id: str = says("Portal.", "p1")
    ticket_id: str = says("Ticket; for test and probe mails the address id.", "9f2c...")
    message_id: str = says("Message id within Mailroom.", "5f0e...", default="")
    address_id: str = says("Address it leaves from.", "ad1")
    kind: str = says("reply, auto_reply, test or probe.", "reply",
                     json_schema_extra=known("reply", "auto_reply", "test", "probe"))  # fmt: skip
    from_: Person | None = Field(
        default=None, alias="from", description="From.", examples=[{"email": "s@acme.example"}]
    )
    to: list[Person] = says("To.", [{"email": "jo@customer.example"}], default_factory=list)
    cc: list[Person] = says("Cc.", [], default_factory=list)
    bcc: list[Person] = says("Bcc.", [], default_factory=list)
    reply_to: list[Person] = says("Reply-To.", [], default_factory=list)
    envelope: list[str] = says("Only these of To, Cc and Bcc get it; empty: all of them.", [], **LATER_LIST)
    subject: str = says("Subject.", "Re: My order", default="")
    text: str = says("Text.", "It left today.", default="")
    html: str | None = says("HTML.", None, default=None)
    quote: Quote | None = says("What is quoted below.", None, default=None)
    quotes: list[Quote] = says("Further history below `quote`, newest first.", [], **LATER_LIST)
    quote_style: str = says("How history is written: reply (On ..., ... wrote:) or forward (a header block).", "reply",
                            default="reply", json_schema_extra=known("reply", "forward"))  # fmt: skip
    attachments: list[AttachmentRef] = says("Attachments and inline images.", [], default_factory=list)
    rfc_message_id: str = says("Our signed Message-ID, without brackets; the same for every attempt.",
                               "t.9f2c.k1.mac@acme.example", default="")  # fmt: skip
    in_reply_to: str | None = says("Message-ID answered.", "abc@customer.example", default=None)
    references: list[str] = says("References, oldest first.", [], default_factory=list)
    auto_submitted: str | None = says("Auto-Submitted (RFC 3834): auto-replied, auto-generated.", None, default=None)
    gmail_thread_id: str | None = says("Gmail thread to answer in.", None, default=None)
    created_at: Time = says("When it was ordered.", "2026-11-24T11:57:00Z")
    not_before: Time | None = says("Held until then: undo, or send later.", None, default=None)
    not_after: Time | None = says("Never sent later than this.", "2026-11-27T11:57:00Z", default=None)
    generation: int = says("Counts deliberate resends.", 0, default=0)
    received_at: Time | None = says("When the mail that it answers was accepted.", None, default=None)
    body_ref: BlobRef | None = says("Text, HTML and quote as JSON, when they are too long to be inline.", None,
                                    default=None)  # fmt: skip

    @property
    def record_key(self) -> str:
        return self.ticket_id

    @property
    def ce_id(self) -> str:
        return self.id if self.action == "send" else f"{self.id}:{self.action}"

    @property
    def ce_type(self) -> str:
        return f"email.outbound.{self.action}"

    @property
    def ce_time(self) -> Time:
        return self.created_at


class LaneEntry(Message):
    """One outgoing mail's way through its account's lane. A tombstone when it is done."""

    outbound_id: str = says("Order.", "91bc...")
    address_id: str = says("Sending address: the lane, and the partition.", "ad1")
    portal_id: str = says("Portal.", "p1")
    state: str = says(
        "queued, attempting, waiting or parked.", "waiting",
        json_schema_extra=known("queued", "attempting", "waiting", "parked"),
    )  # fmt: skip
    order: OutboundMail = says("The order; long bodies as references.", {})
    attempts: int = says("Attempts begun.", 2, default=0)
    queued_at: Time = says("When it came into the lane: the order of sending.", "2026-11-24T11:57:00Z")
    attempt_at: Time | None = says("When the last attempt began (written before sending).", None, default=None)
    next_at: Time | None = says("When it is due again.", "2026-11-24T12:05:00Z", default=None)
    uncertain: int = says("Attempts after which it may have arrived: the server took it, and never said so.", 0,
                          default=0)  # fmt: skip
    parked_at: Time | None = says("Since when it waits for the account to be mended.", None, default=None)
    parked_s: float = says("Seconds that it waited for the account; they do not count.", 0.0, default=0.0)
    done_recipients: list[str] = says("Recipients that were served in an earlier attempt.", [], default_factory=list)
    failed_recipients: list[RecipientReport] = says("Recipients that were refused for good in an earlier attempt.", [],
                                                    default_factory=list)  # fmt: skip
    cancel: bool = says("It is to be cancelled: not tried again.", False, default=False)
    last_reason: str | None = says("Why the last attempt did not do.", "421 try later", default=None)

    @property
    def record_key(self) -> str:
        return self.outbound_id

    @property
    def ce_id(self) -> str:
        return f"{self.outbound_id}:{self.attempts}:{self.state}"

    @property
    def ce_type(self) -> str:
        return "email.lane_changed"

    @property
    def ce_subject(self) -> str:
        return self.address_id


class DeliveryReport(Message):
    """What became of an order."""

    outbound_id: str = says("Order.", "91bc...")
    portal_id: str = says("Portal.", "p1")
    ticket_id: str = says("Ticket.", "9f2c...")
    message_id: str = says("Message id within Mailroom.", "5f0e...")
    address_id: str = says("Address it leaves from.", "ad1")
    kind: str = says("Kind of the order.", "reply", default="reply")
    state: str = says(
        "sent, deferred, failed, bounced, refused, cancelled or parked.", "sent",
        json_schema_extra=known("sent", "deferred", "failed", "bounced", "refused", "cancelled", "parked"),
    )  # fmt: skip
    attempt: int = says("Which attempt.", 1, default=0)
    at: Time = says("When.", "2026-11-24T11:57:01Z")
    reason: str | None = says("In words for people.", "The server said: 550 no such user", default=None)
    next_try_at: Time | None = says("When it is tried again.", None, default=None)
    server_reply: str | None = says("The accepting server's answer.", "250 Ok: queued as 4F", default=None)
    recipients: list[RecipientReport] = says("Recipients apart.", [], default_factory=list)
    rfc_message_id: str | None = says("Message-ID under which it left.", None, default=None)
    invitation_uids: list[str] = says("UIDs of the invitations that it carried (RFC 5545 section 3.8.4.7).", [],
                                      **LATER_LIST)  # fmt: skip
    gmail_message_id: str | None = says("Gmail's id of the sent message.", None, default=None)
    gmail_thread_id: str | None = says("Gmail's thread of the sent message.", None, default=None)
    redelivery: int = says("How often the auditor or a person put it back.", 0, default=0)

    @property
    def record_key(self) -> str:
        return self.ticket_id

    @property
    def ce_id(self) -> str:
        return delivery_id(self.outbound_id, self.state, self.attempt)

    @property
    def ce_type(self) -> str:
        return f"email.delivery.{self.state}"

    @property
    def ce_time(self) -> Time:
        return self.at
