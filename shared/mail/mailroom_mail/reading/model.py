"""What a mail says, once read: plain frozen records without behaviour.

The names follow RFC 5322 (message format), RFC 2045 ff. (MIME) and RFC 3464 (delivery status).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address with its display name (RFC 5322 section 3.4); both decoded, `email` as sent (not lower-cased)."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A leaf that a person would save or that a body shows by `cid:`.

    `filename` is the name as sent, decoded, or None; `content` are the decoded bytes.
    """

    filename: str | None
    content_type: str
    content: bytes
    content_id: str | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True)
class BouncedRecipient:
    """One recipient of a delivery status notification (RFC 3464 section 2.3)."""

    recipient: str
    action: str = "failed"  # failed | delayed | delivered | relayed | expanded
    status: str | None = None  # the most exact enhanced status code, RFC 3463: "5.1.1"
    diagnostic: str | None = None  # as it stands in the report
    reason: str | None = None  # in words for people: the other server's or the notice's own
    stated: str | None = None  # the status field's own code, where the report's words were more exact


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a bounce says: formal (RFC 3464) or recognised from its words."""

    formal: bool
    recipients: tuple[BouncedRecipient, ...] = ()
    original_message_id: str | None = None
    original_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A trace of forwarding: which header said so, and the address the mail was for or came through."""

    header: str
    address: str


@dataclass(frozen=True, slots=True)
class ListPost:
    """A mail that came through a mailing list or from its program.

    `addresses` are the list's own (lower case), the way to its program included: never a person's, never to be answered
    as one. `author` is who wrote it, None where nobody can tell or nobody did; `source` names the field that said so, in
    lower case ("from", "wrapped", "x-original-from", "x-original-sender", "reply-to", "cc", or ""). `rewritten`: From is
    the list's, so that DMARC says nothing about the author. `notice` is the program's own word, `digest` several posts in
    one. `signs` are those of the automatic signs that a list puts on every post.
    """

    addresses: tuple[str, ...]
    author: Mailbox | None
    source: str = ""
    rewritten: bool = False
    notice: bool = False
    digest: bool = False
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of mail it is, with each sign named (RFC 3834, RFC 2919, RFC 3464).

    `automatic_signs` names every reason why the mail must not be answered automatically, lists included;
    empty means: probably a person.
    """

    automatic_signs: tuple[str, ...] = ()
    bounce: Bounce | None = None
    is_dsn: bool = False
    is_out_of_office: bool = False
    is_list: bool = False
    is_receipt: bool = False  # message disposition notification, RFC 8098
    receipt_of: tuple[str, ...] = ()  # the Message-IDs that it is about
    resent_from: Mailbox | None = None  # who passed the mail on as it was, RFC 5322 section 3.6.6
    is_feedback: bool = False  # abuse report, RFC 5965
    is_spam_flagged: bool = False  # by a filter's field or subject mark; only a trusted front server's counts
    forwarded: tuple[Forwarded, ...] = ()
    is_digest: bool = False  # of a mailing list: many people's mails in one
    list_post: ListPost | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as a person would see it, and what threading and routing need of its headers.

    `message_id`, `in_reply_to` and `references` stand without angle brackets. `date` is aware (UTC when the mail
    says no zone) or None. `text` is what a person reads (made from the HTML where the mail has only that); `html`
    is unsafe as sent: pass it through `sanitize` before showing. `headers` keeps every top-level header, decoded,
    in order. `protection` tells what the message is put into: "signed:smime", "signed:openpgp" (nobody judged the signature),
    "encrypted:smime", "encrypted:openpgp" (the text says so in words). `is_digest`: it holds other mails of a list (RFC 2046
    section 5.1.5). `partial` are the parameters of a message/partial (RFC 2046 section 5.2.2). `defects` names everything that was wrong, as short stable words ("bad-base64", "charset-unknown:x").
    `answers_uid` is the UID of the invitation that its calendar entry answers, "" where it answers none (RFC 5546).
    `enclosed` is the author's own mail where a list wrapped it whole into one of its own, whose words are then shown;
    `enclosed_source` are its bytes.
    """

    message_id: str | None
    from_: Mailbox | None
    sender: Mailbox | None = None
    reply_to: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    subject: str = ""
    date: datetime | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "text/plain"  # of the whole mail, with report-type where it is a report
    report_type: str | None = None
    text_from_html: bool = False
    defects: tuple[str, ...] = field(default=())
    size: int = 0
    protection: tuple[str, ...] = ()
    is_digest: bool = False
    partial: tuple[tuple[str, str], ...] = ()
    answers_uid: str = ""
    enclosed: Mail | None = field(default=None, compare=False)
    enclosed_source: bytes = field(default=b"", repr=False, compare=False)

    def header(self, name: str) -> str | None:
        """The first header of that name (case-insensitive), decoded, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def all_headers(self, name: str) -> tuple[str, ...]:
        """Every header of that name (case-insensitive), top first."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)
