"""Small records that several contracts share."""

from __future__ import annotations

from pydantic import Field

from .base import LATER_LIST, Model, Time, known, says


class Person(Model):
    """A mailbox: address and display name (RFC 5322 section 3.4)."""

    email: str = says("Address as sent.", "jo@customer.example")
    name: str = says("Display name, decoded; empty when none was given.", "Jo Customer", default="")


class Recipients(Model):
    """Whom an answer goes to."""

    to: list[Person] = says("To; empty where nobody can be found.", [{"email": "jo@customer.example"}],
                            default_factory=list)  # fmt: skip
    cc: list[Person] = says("Cc.", [], default_factory=list)


class Answers(Model):
    """Whom answers to one mail go to, none of them an address of ours; decided once, when the mail came."""

    reply: Recipients = says("Reply.", {"to": [{"email": "jo@customer.example"}]}, default_factory=Recipients)
    reply_all: Recipients = says("Reply to all.", {"to": [{"email": "jo@customer.example"}]},
                                 default_factory=Recipients)  # fmt: skip
    warnings: list[str] = says(
        "What to tell before sending: reply_to_elsewhere (Reply-To of another domain, no DMARC pass), dmarc_failed, "
        "writer_unproven (behind a list, and nothing proves it), writer_unknown (a list hides who wrote).", [],
        default_factory=list,
        json_schema_extra=known("reply_to_elsewhere", "dmarc_failed", "writer_unproven", "writer_unknown"),
    )  # fmt: skip


class BlobRef(Model):
    """Where bytes lie in the blob store."""

    key: str = says("Key in the blob store, under portal/ticket-or-receipt/.", "p1/9f2c/raw.eml")
    size: int = says("Size in bytes.", 5120)
    sha256: str | None = says("SHA-256 of the bytes, hexadecimal.", "e3b0c442...", default=None)


class AttachmentRef(Model):
    """An attachment whose bytes lie in the blob store."""

    filename: str | None = says("File name as sent, decoded.", "invoice.pdf", default=None)
    content_type: str = says("Media type (RFC 2046).", "application/pdf", default="application/octet-stream")
    size: int = says("Size of the decoded bytes.", 48213, default=0)
    content_id: str | None = says("Content-ID without brackets, for inline images.", "logo@1", default=None)
    inline: bool = says("Shown within the HTML by its cid:.", False, default=False)
    blob: BlobRef = says("Where the bytes lie.", {"key": "p1/9f2c/att-1", "size": 48213})


class Actor(Model):
    """Who asked for or did something."""

    kind: str = says(
        "agent, api, customer, autoreply, router or console.", "agent",
        json_schema_extra=known("agent", "api", "customer", "autoreply", "router", "console"),
    )  # fmt: skip
    id: str | None = says("Agent id or token id, where there is one.", "a1", default=None)
    name: str | None = says("Name to show.", "Ana", default=None)


class DkimResult(Model):
    """One DKIM signature's result (RFC 6376)."""

    domain: str = says("Signing domain (d=).", "customer.example")
    result: str = says("pass, fail, neutral, temperror, permerror, policy, none.", "pass")
    selector: str | None = says("Selector (s=).", "s1", default=None)


class Verdicts(Model):
    """What sender authentication says of a mail (RFC 7208, 6376, 7489, 8617)."""

    spf: str = says("SPF result; `forwarded` when a known forwarder explains the failure.", "pass", default="none")
    spf_domain: str | None = says("Domain that SPF was checked for.", "customer.example", default=None)
    dkim: list[DkimResult] = says("Each signature's result.", [], default_factory=list)
    dmarc: str = says("DMARC result; `forwarded` when a known forwarder explains it.", "pass", default="none")
    dmarc_policy: str | None = says("Policy the domain asks for: none, quarantine, reject.", "reject", default=None)
    arc: str = says("ARC chain result.", "none", default="none")
    arc_domain: str | None = says("Domain that sealed last.", "forwarder.example", default=None)
    source: str = says("computed, or the trusted server whose Authentication-Results were taken.", "computed",
                       default="computed")  # fmt: skip
    forwarded_by: str | None = says("The known forwarder that explains an SPF failure.", "acme-smtp.example",
                                    default=None)  # fmt: skip
    list_author: str | None = says("Who wrote behind a list that rewrites From, where their own signature proves it.",
                                   None, default=None)  # fmt: skip

    @property
    def dmarc_failed(self) -> bool:
        """The From domain is shown to be false: never proof of taking part."""
        return self.dmarc == "fail"


class RecipientReport(Model):
    """One recipient's outcome within a delivery report or a bounce (RFC 3464 section 2.3)."""

    recipient: str = says("Address.", "jo@customer.example")
    state: str = says("queued, sent, deferred, failed, bounced, refused or cancelled.", "bounced")
    status: str | None = says("Enhanced status code (RFC 3463).", "5.1.1", default=None)
    reason: str | None = says("In words, the server's own where it gave some.", "550 No such user", default=None)
    by_report: bool = says("Told by a report that came as a mail, after the first server had taken the message.", True,
                           default=False)  # fmt: skip


class Delivery(Model):
    """How an outgoing message stands."""

    state: str = says(
        "queued, deferred, sent, failed, bounced, refused or cancelled.", "sent",
        json_schema_extra=known("queued", "deferred", "sent", "failed", "bounced", "refused", "cancelled"),
    )  # fmt: skip
    reason: str | None = says("In words for people.", "The server said: 421 try later", default=None)
    next_try_at: Time | None = says("When it is tried again.", "2026-11-24T12:00:00Z", default=None)
    server_reply: str | None = says("The accepting server's answer, with its queue id.", "250 2.0.0 Ok: queued as 4F",
                                    default=None)  # fmt: skip
    recipients: list[RecipientReport] = says(
        "How it stands with each recipient; `state` is the sum.", [], default_factory=list
    )
    at: Time | None = says("When it got into this state.", "2026-11-24T11:58:00Z", default=None)


class TicketMessage(Model):
    """One message of a ticket: a mail in, a mail out, or a note."""

    id: str = says("Message id within Mailroom.", "5f0c...")
    direction: str = says("in, out or note.", "in", json_schema_extra=known("in", "out", "note"))
    kind: str = says(
        "mail, reply, forward, auto_reply, note, out_of_office, bounce, external_reply.", "mail",
        json_schema_extra=known("mail", "reply", "forward", "auto_reply", "note", "out_of_office", "bounce",
                                "external_reply"),
    )  # fmt: skip
    message_id: str | None = says("RFC 5322 Message-ID without brackets.", "abc@customer.example", default=None)
    from_: Person | None = Field(
        default=None, alias="from", description="Author.", examples=[{"email": "jo@c.example"}]
    )
    to: list[Person] = says("To.", [{"email": "support@acme.example"}], default_factory=list)
    cc: list[Person] = says("Cc.", [], default_factory=list)
    bcc: list[Person] = says("Bcc (outgoing only).", [], default_factory=list)
    reply_to: list[Person] = says("Reply-To.", [], default_factory=list)
    subject: str = says("Subject, decoded.", "My order", default="")
    text: str = says("Text as a person reads it; cut when `text_ref` is set.", "Where is it?", default="")
    text_ref: BlobRef | None = says("The whole text, when it is too long to be inline.", None, default=None)
    html: str | None = says("HTML as sent (unsafe: sanitise before showing).", "<p>Where is it?</p>", default=None)
    html_ref: BlobRef | None = says("The whole HTML, when it is too long to be inline.", None, default=None)
    reply_text: str | None = says("What the person wrote, without quotes and signature.", "Where is it?", default=None)
    attachments: list[AttachmentRef] = says("Attachments and inline images.", [], default_factory=list)
    raw: BlobRef | None = says("The raw source, byte for byte.", {"key": "p1/9f2c/raw.eml", "size": 5120}, default=None)
    verdicts: Verdicts | None = says("Sender authentication.", None, default=None)
    defects: list[str] = says("What was wrong with the mail's form.", [], default_factory=list)
    protection: list[str] = says("What it is put into: signed:smime, signed:openpgp (not judged), encrypted:smime, "
                                 "encrypted:openpgp.", ["signed:smime"], **LATER_LIST)  # fmt: skip
    automatic_signs: list[str] = says("Why it must not be answered automatically.", [], default_factory=list)
    spam: bool = says("Judged to be spam (DESIGN section 5).", False, default=False)
    quiet: bool = says("Shown, but nothing is done for it: an automatic answer, a receipt, another desk's notice.", False,
                       default=False)  # fmt: skip
    redirected: Person | None = says("Author of the mail that its sender only passed on (Resent-From).", None,
                                     default=None)  # fmt: skip
    new_sender: bool = says("The sender takes part only once an agent confirms.", False, default=False)
    copy_of: str | None = says("Message that this one is a copy of.", None, default=None)
    address_id: str | None = says("Our address it came through or leaves from.", "ad1", default=None)
    receipt_id: str | None = says("The email.received it came from.", "77aa...", default=None)
    in_reply_to: str | None = says("Message-ID that it answers.", "x@y", default=None)
    outbound_id: str | None = says("Order that sends it.", "91bc...", default=None)
    delivery: Delivery | None = says("How sending stands (outgoing only).", None, default=None)
    author: Actor | None = says("Who wrote it (outgoing and notes).", None, default=None)
    answers: Answers | None = says("Whom answers to it go to (incoming only).", None, default=None)
    sets_answers: bool = says("The customer's word: answers of the ticket go by it from now on.", False, default=False)
    third_party: bool = says("Answers a forwarded message; never a word of the customer's.", False, default=False)
    send_at: Time | None = says("It is held until then (undo, or send later).", None, default=None)
    hold: str | None = says("Why it is held: undo or later.", None, default=None,
                            json_schema_extra=known("undo", "later"))  # fmt: skip
    split_from: str | None = says("Message of another ticket that it was split from.", None, default=None)
    written_by: Person | None = says("The person who wrote it, where From is another's: a list's, or our own.", None,
                                     default=None)  # fmt: skip
    written_by_grade: str | None = says(
        "How sure that is: direct (From says it), proven, vouched, claimed, or unknown where nobody can be told.", "proven",
        default=None, json_schema_extra=known("direct", "proven", "vouched", "claimed", "unknown"),
    )  # fmt: skip
    lists: list[str] = says("Addresses of the mailing list that it came through: never a person's.", [],
                            **LATER_LIST)  # fmt: skip
    sent_at: Time | None = says("Date header, or when it was written.", "2026-11-24T11:55:00Z", default=None)
    at: Time = says("When Mailroom got it.", "2026-11-24T11:55:01Z")
