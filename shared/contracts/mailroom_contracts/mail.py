"""Inbound mail: what ingest accepted, and where the router decided that it belongs."""

from __future__ import annotations

from pydantic import Field

from .base import LATER_LIST, AboutTicket, Message, Model, Time, known, says
from .common import AttachmentRef, BlobRef, Person, RecipientReport, Verdicts


class Envelope(Model):
    """The SMTP envelope (RFC 5321), or what stands for it with Gmail."""

    mail_from: str = says("Return path; empty for the null path.", "jo@customer.example", default="")
    rcpt_to: list[str] = says("Recipients of this portal that were accepted.", ["support@acme.example"])
    client_ip: str | None = says("Address of the sending host.", "192.0.2.7", default=None)
    client_name: str | None = says("What it called itself (HELO/EHLO).", "mail.customer.example", default=None)
    tls: bool = says("Whether it came over TLS.", True, default=False)


class Trace(Model):
    """One trace of forwarding in the headers."""

    header: str = says("Header that says so.", "X-Forwarded-To")
    address: str = says("Address, lower case.", "sales@customer.example")


class BounceInfo(Model):
    """What a bounce is about (RFC 3464)."""

    formal: bool = says("A formal delivery status notification.", True, default=False)
    original_message_id: str | None = says("Message-ID of the mail that bounced.", "x@acme.example", default=None)
    mailroom_id: str | None = says("X-Mailroom-Id among the returned headers.", None, default=None)
    recipients: list[RecipientReport] = says("Recipients concerned.", [], default_factory=list)
    original_from: str | None = says("Author of the returned mail, by its own header.", "s@acme.example", default=None)
    original_to: list[str] = says("Its visible recipients, by its own header.", [], **LATER_LIST)


class ListPost(Model):
    """What a mailing list did to a mail (RFC 2369, RFC 2919)."""

    addresses: list[str] = says("The list's own addresses, lower case: never a person's, never to be answered.",
                                ["support-users@lists.example"], default_factory=list)  # fmt: skip
    author: Person | None = says("Who wrote it, as the mail says; None where nobody can tell, or nobody did.",
                                 {"email": "jo@customer.example"}, default=None)  # fmt: skip
    rewritten: bool = says("From is the list's, not the author's.", True, default=False)
    notice: bool = says("The list program's own word: never answered.", False, default=False)
    digest: bool = says("Several posts in one.", False, default=False)
    signs: list[str] = says("Those of the automatic signs that the list puts on every post.", ["list-id"],
                            default_factory=list)  # fmt: skip


class Content(Model):
    """A mail, normalised. Bodies over the inline limit are cut here and whole in the blob store."""

    message_id: str | None = says("Message-ID without brackets.", "abc@customer.example", default=None)
    from_: Person | None = Field(
        default=None, alias="from", description="Author.", examples=[{"email": "jo@c.example"}]
    )
    sender: Person | None = says("Sender header.", None, default=None)
    reply_to: list[Person] = says("Reply-To.", [], default_factory=list)
    to: list[Person] = says("To.", [{"email": "support@acme.example"}], default_factory=list)
    cc: list[Person] = says("Cc.", [], default_factory=list)
    subject: str = says("Subject, decoded.", "My order", default="")
    date: Time | None = says("Date header.", "2026-11-24T11:55:00Z", default=None)
    in_reply_to: list[str] = says("In-Reply-To ids.", [], default_factory=list)
    references: list[str] = says("References ids, oldest first.", [], default_factory=list)
    mailroom_id: str | None = says("X-Mailroom-Id: our signed id that came back.", None, default=None)
    text: str = says("Text as a person reads it; cut when `text_ref` is set.", "Where is it?", default="")
    text_ref: BlobRef | None = says("The whole text.", None, default=None)
    html: str | None = says("HTML as sent (unsafe).", "<p>Where is it?</p>", default=None)
    html_ref: BlobRef | None = says("The whole HTML.", None, default=None)
    reply_text: str | None = says("What the person wrote, without quotes and signature.", "Where is it?", default=None)
    attachments: list[AttachmentRef] = says("Attachments and inline images.", [], default_factory=list)
    defects: list[str] = says("What was wrong with the mail's form.", [], default_factory=list)
    protection: list[str] = says("What it is put into: signed:smime, signed:openpgp (not judged), encrypted:smime, "
                                 "encrypted:openpgp.", ["signed:smime"], **LATER_LIST)  # fmt: skip
    automatic_signs: list[str] = says("Why it must not be answered automatically; empty: a person.", ["List-Id"],
                                      default_factory=list)  # fmt: skip
    out_of_office: bool = says("A vacation note.", False, default=False)
    is_list: bool = says("Came through a mailing list.", False, default=False)
    is_receipt: bool = says("A read receipt (RFC 8098).", False, default=False)
    receipt_of: list[str] = says("Message-IDs that a receipt is about.", ["x@acme.example"], **LATER_LIST)
    answers_uid: str | None = says("UID of the invitation that a calendar entry in it answers (RFC 5545 section 3.8.4.7).",
                                   None, default=None)  # fmt: skip
    resent_from: Person | None = says("Who passed the mail on as it was: Resent-From (RFC 5322 section 3.6.6).", None,
                                      default=None)  # fmt: skip
    is_feedback: bool = says("An abuse report (RFC 5965).", False, default=False)
    spam: bool = says("Flagged by a trusted front server, or DMARC says reject.", False, default=False)
    bounce: BounceInfo | None = says("Set when it is, or looks like, a bounce.", None, default=None)
    traces: list[Trace] = says("Traces of forwarding, topmost first.", [], default_factory=list)
    list_post: ListPost | None = says("Set when it came through a mailing list.", None, default=None)


class GmailOrigin(Model):
    """Where in Gmail a mail lies."""

    address_id: str = says("Our Gmail address.", "ad2")
    message_id: str = says("Gmail's id of the message.", "18c2...")
    thread_id: str = says("Gmail's id of the thread.", "18c2...")
    label_ids: list[str] = says("Labels.", ["INBOX"], default_factory=list)
    sent: bool = says("Written in Gmail by our own account (a reply of a person there).", False, default=False)
    imported: bool = says(
        "It was there before the address was connected; not answered automatically.", False, default=False
    )


class EmailReceived(Message):
    """One accepted mail of one portal, with its envelope. Knows nothing of tickets."""

    id: str = says("Receipt id: message identity and envelope recipients.", "77aa...")
    identity: str = says("Message identity: the same for a resend, also a re-encoded one.", "c0ff...")
    portal_id: str = says("Portal of the recipients.", "p1")
    source: str = says("smtp, lmtp or gmail.", "smtp", json_schema_extra=known("smtp", "lmtp", "gmail"))
    received_at: Time = says("When it was accepted; of Gmail's, when Gmail got it.", "2026-11-24T11:55:01Z")
    envelope: Envelope = says("Envelope.", {"rcpt_to": ["support@acme.example"]})
    address_ids: list[str] = says("Addresses that the recipients are, as ingest saw them.", ["ad1"],
                                  default_factory=list)  # fmt: skip
    size: int = says("Size of the raw source in bytes.", 5120)
    raw: BlobRef = says("The raw source, byte for byte.", {"key": "p1/77aa/raw.eml", "size": 5120})
    content: Content = says("The mail, normalised.", {"subject": "My order"})
    verdicts: Verdicts = says("Sender authentication.", {"spf": "pass"}, default_factory=Verdicts)
    gmail: GmailOrigin | None = says("Origin, when it came from Gmail.", None, default=None)
    redelivery: int = says("How often the auditor or a person put it back; not part of the id.", 0, default=0)

    @property
    def record_key(self) -> str:
        return self.identity

    @property
    def ce_id(self) -> str:
        return self.id

    @property
    def ce_type(self) -> str:
        return "email.received"

    @property
    def ce_time(self) -> Time:
        return self.received_at


class EmailRouted(AboutTicket):
    """A received mail with address, queue and ticket decided: once per queue it reaches."""

    id: str = says("Id: receipt, ticket and hop.", "ab12...")
    receipt_id: str = says("The email.received.", "77aa...")
    portal_id: str = says("Portal.", "p1")
    ticket_id: str = says("Ticket decided on.", "9f2c...")
    address_id: str = says("Address it belongs to: replies leave from it.", "ad1")
    queue_id: str = says("Queue.", "q1")
    root: str = says("Root of the conversation: a Message-ID or an identity.", "abc@customer.example")
    customer: Person = says("Who began the conversation, or wrote this mail.", {"email": "jo@customer.example"})
    reason: str = says(
        "signed_id, plus_address, number, reference, their_number, gmail_thread, absence, new, bounce, sent_on, "
        "redirected, own_mail, unmatched_bounce, unmatched_receipt, no_address.", "new",
        json_schema_extra=known("signed_id", "plus_address", "number", "reference", "their_number", "gmail_thread",
                                "absence", "new", "bounce", "sent_on", "redirected", "own_mail", "unmatched_bounce",
                                "unmatched_receipt", "no_address"),
    )  # fmt: skip
    author_grade: str = says(
        "How sure it is that `customer` wrote this mail: direct (From says it), proven, vouched, claimed, or unknown.", "direct",
        default="direct", json_schema_extra=known("direct", "proven", "vouched", "claimed", "unknown"),
    )  # fmt: skip
    list_named: bool = says("It came through a list that the address's settings name.", False, default=False)
    linked_to: str | None = says("A ticket that the mail names but does not belong to.", None, default=None)
    follow_up_of: str | None = says("The closed ticket that this one follows.", None, default=None)
    hop: int = says("0 from the first step; 1 when the second step sent it on.", 0, default=0)
    verdicts: Verdicts | None = says("Verdicts after forwarding was taken into account.", None, default=None)
    bounced_outbound_id: str | None = says("The order that a bounce is about.", None, default=None)
    received: EmailReceived = says("The mail itself.", {})

    @property
    def ce_type(self) -> str:
        return "email.routed"

    @property
    def ce_time(self) -> Time:
        return self.received.received_at
