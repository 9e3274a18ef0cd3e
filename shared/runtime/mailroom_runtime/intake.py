"""From the bytes of a mail to `email.received`: read, classify, store, and cut to what a record may hold.

Shared by everything that takes mail in. No bytes are refused here: what cannot be read becomes a mail with its raw
source and the defects named.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mailroom_contracts import (
    AttachmentRef,
    BlobRef,
    BounceInfo,
    Content,
    EmailReceived,
    Envelope,
    GmailOrigin,
    ListPost,
    Person,
    RecipientReport,
    Trace,
    Verdicts,
    ids,
)
from mailroom_mail import (
    Attachment,
    Kind,
    Mail,
    Mailbox,
    classify,
    extract_reply,
    identity,
    read,
    returned_people,
    without_spam_mark,
)

from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.fitting import fit, json_size
from mailroom_runtime.process.beside import THREAD_FROM_BYTES, beside
from mailroom_runtime.process.logs import get_logger

log = get_logger()
MAX_ATTACHMENTS = 300  # more stay in the raw source only, and a defect says so
REPLY_FROM = 1 << 20  # characters of the text that are looked at for what was typed: a record holds less
_ACTIONS = {"failed": "bounced", "delayed": "deferred", "delivered": "sent", "relayed": "sent", "expanded": "sent"}


@dataclass(frozen=True, slots=True)
class Understood:
    """A mail that was read, before anything is stored: the same for every portal that it goes to."""

    mail: Mail
    kind: Kind
    identity: str
    reply_text: str | None


async def understand(raw: bytes, return_path: str | None) -> Understood:
    """Read a mail. `return_path`: "" is the null path, None an unknown one."""
    return await beside(len(raw), understand_now, raw, return_path)


def understand_now(raw: bytes, return_path: str | None) -> Understood:
    """Read a mail. Never fails: a mail that breaks the reader is a mail without fields, known by its bytes."""
    try:
        mail = read(raw)
        kind = classify(mail, return_path)
        reply = extract_reply(mail if len(mail.text) <= REPLY_FROM else replace(mail, text=mail.text[:REPLY_FROM]))
        return Understood(mail, kind, identity(mail, raw), reply.text)
    except Exception as error:
        # The promise that nothing accepted is lost stands above any fault in reading: the raw source is kept,
        # people see it, and the log has the fault.
        log.exception("mail.unreadable", size=len(raw))
        text = raw[:THREAD_FROM_BYTES].decode("utf-8", "replace")
        mail = Mail(None, None, text=text, defects=(f"unreadable:{type(error).__name__}",), size=len(raw))
        return Understood(mail, Kind(), hashlib.blake2b(raw, digest_size=16).hexdigest(), None)


async def normalise(
    raw: bytes,
    *,
    blobs: BlobStore,
    portal_id: str,
    envelope: Envelope,
    address_ids: list[str],
    source: str,
    received_at: datetime,
    verdicts: Verdicts | None = None,
    gmail: GmailOrigin | None = None,
    inline_limit: int = 200_000,
    trusted_front: bool = False,
    understood: Understood | None = None,
) -> EmailReceived:
    """The event for one accepted mail of one portal; raw source, attachments and long bodies are stored on return.

    `inline_limit` counts the encoded record, in bytes. `trusted_front`: the mail comes from a server whose
    marks of spam are believed. `understood` saves reading again a mail for a second portal. Raises `BlobsDown`.
    """
    if understood is None:
        # with Gmail the envelope only stands for one: there the Return-Path field knows better
        understood = await understand(raw, None if gmail is not None else envelope.mail_from)
    verdicts = verdicts or Verdicts()
    receipt = ids.receipt_id(understood.identity, envelope.rcpt_to)
    folder = f"{portal_id}/{receipt}"
    digest = await beside(len(raw), _sha256, raw)
    # a re-encoded resend has the same receipt and other bytes: the name keeps both whole
    raw_key = f"{folder}/raw-{digest[:16]}.eml"
    attachments: list[AttachmentRef] = []
    if understood.mail.attachments:
        raw_ref, attachments = await asyncio.gather(
            _put(blobs, raw_key, raw, digest), _store(blobs, folder, understood.mail)
        )
    else:
        raw_ref = await _put(blobs, raw_key, raw, digest)
    spam = (
        (trusted_front and understood.kind.is_spam_flagged)
        or (verdicts.dmarc_failed and verdicts.dmarc_policy == "reject")
        or (gmail is not None and "SPAM" in gmail.label_ids)
    )

    def event() -> tuple[EmailReceived, dict[str, bytes]]:
        whole = EmailReceived(
            id=receipt,
            identity=understood.identity,
            portal_id=portal_id,
            source=source,
            received_at=received_at,
            envelope=envelope,
            address_ids=address_ids,
            size=len(raw),
            raw=raw_ref,
            content=_content(understood, attachments, spam, trusted_front),
            verdicts=verdicts,
            gmail=gmail,
        )
        return _within(whole, inline_limit)

    fitting, bodies = await beside(len(raw), event)
    if not bodies:
        return fitting
    refs = {f"{name}_ref": await _put(blobs, f"{folder}/{_NAMES[name]}", body) for name, body in bodies.items()}
    return fitting.model_copy(update={"content": fitting.content.model_copy(update=refs)})


_NAMES = {"text": "text.txt", "html": "body.html"}


def _within(event: EmailReceived, limit: int) -> tuple[EmailReceived, dict[str, bytes]]:
    """The event, cut where the encoded record would pass `limit` bytes, and the bodies of which that took something."""
    content = event.content
    texts = len(content.text) + len(content.html or "") + len(content.reply_text or "")
    listed = len(content.to) + len(content.cc) + len(content.references) + len(content.attachments)
    if 6 * texts + 4000 * (listed + 20) < limit and len(content.subject) < 1000:
        return event, {}  # even if each character took six bytes
    if texts <= limit and json_size(event) <= limit:
        return event, {}
    fitted = fit(event, limit)
    bodies: dict[str, bytes] = {}
    if fitted.cut.text:
        bodies["text"] = content.text.encode()
    if fitted.cut.html:
        bodies["html"] = (content.html or "").encode()
    return fitted.event, bodies


async def _put(blobs: BlobStore, key: str, data: bytes, digest: str | None = None) -> BlobRef:
    ref = await blobs.add(key, data)
    return ref if digest is None else BlobRef(key=ref.key, size=ref.size, sha256=digest)


async def _store(blobs: BlobStore, folder: str, mail: Mail) -> list[AttachmentRef]:
    return list(
        await asyncio.gather(
            *(
                _store_one(blobs, folder, number, attachment)
                for number, attachment in enumerate(mail.attachments[:MAX_ATTACHMENTS], 1)
            )
        )
    )


async def _store_one(blobs: BlobStore, folder: str, number: int, attachment: Attachment) -> AttachmentRef:
    content = attachment.content
    digest = await beside(len(content), _sha256, content)
    ref = await _put(blobs, f"{folder}/att-{number}-{digest[:16]}", content, digest)
    return AttachmentRef(
        filename=None if attachment.filename is None else _clean(attachment.filename)[:1000],
        content_type=_clean(attachment.content_type)[:255],
        size=len(content),
        content_id=None if attachment.content_id is None else _clean(attachment.content_id)[:1000],
        inline=attachment.inline,
        blob=ref,
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _content(understood: Understood, attachments: list[AttachmentRef], spam: bool, trusted_front: bool) -> Content:
    mail, kind = understood.mail, understood.kind
    defects = [_clean(defect)[:200] for defect in mail.defects[:100]]
    if len(mail.attachments) > len(attachments):
        defects.append("attachments-only-in-raw")
    date = mail.date
    if date is not None:
        try:
            date = date.astimezone(UTC)
        except (OverflowError, ValueError):
            date = None
            defects.append("date-out-of-range")
    mailroom_id = next((value for name in _OUR_ID_IN if (value := mail.header(name))), None)
    if mailroom_id is None and mail.enclosed is not None:
        mailroom_id = mail.enclosed.header("x-mailroom-id") or mail.enclosed.message_id
    return Content(
        message_id=None if not mail.message_id else _clean(mail.message_id)[:1000],
        from_=_person(mail.from_),
        sender=_person(mail.sender),
        reply_to=_people(mail.reply_to),
        to=_people(mail.to),
        cc=_people(mail.cc),
        # a front's mark says spam, which is said elsewhere: it must not go out in our answers' subjects
        subject=_clean(without_spam_mark(mail.subject) if trusted_front and spam else mail.subject),
        date=date,
        in_reply_to=[_clean(value)[:1000] for value in mail.in_reply_to],
        references=[_clean(value)[:1000] for value in mail.references],
        mailroom_id=None if mailroom_id is None else _clean(mailroom_id).strip(" <>\t")[:1000],
        text=_clean(mail.text),
        html=None if mail.html is None else _clean(mail.html),
        reply_text=None if understood.reply_text is None else _clean(understood.reply_text),
        attachments=attachments,
        defects=defects,
        protection=list(mail.protection),
        automatic_signs=[_clean(sign)[:200] for sign in kind.automatic_signs[:50]],
        out_of_office=kind.is_out_of_office,
        is_list=kind.is_list,
        is_receipt=kind.is_receipt,
        receipt_of=[_clean(value)[:1000] for value in kind.receipt_of],
        answers_uid=_clean(mail.answers_uid)[:500] or None,
        resent_from=_person(kind.resent_from),
        is_feedback=kind.is_feedback,
        spam=spam,
        bounce=_bounce(kind),
        traces=[Trace(header=t.header, address=_clean(t.address).lower()[:320]) for t in kind.forwarded[:100]],
        list_post=_list_post(kind),
    )


def _list_post(kind: Kind) -> ListPost | None:
    post = kind.list_post
    if post is None:
        return None
    return ListPost(
        addresses=[_clean(address)[:320] for address in post.addresses[:20]],
        author=_person(post.author),
        rewritten=post.rewritten,
        notice=post.notice,
        digest=post.digest,
        signs=[_clean(sign)[:200] for sign in post.signs[:50]],
    )


# Where our Message-ID stands in a mail of ours: beside it, and where a provider moves it that puts its own in its place.
_OUR_ID_IN = ("x-mailroom-id", "x-microsoft-original-message-id", "x-google-original-message-id")


def _bounce(kind: Kind) -> BounceInfo | None:
    bounce = kind.bounce
    if bounce is None:
        return None
    returned = {name.lower(): value for name, value in reversed(bounce.original_headers)}
    mailroom_id = next((value for name in _OUR_ID_IN if (value := returned.get(name))), None)
    author, recipients = returned_people(bounce)
    return BounceInfo(
        formal=bounce.formal,
        original_message_id=_clean(bounce.original_message_id or "")[:1000] or None,
        mailroom_id=None if mailroom_id is None else _clean(mailroom_id).strip(" <>\t")[:1000],
        original_from=None if author is None else _clean(author)[:320],
        original_to=[_clean(one)[:320] for one in recipients[:100]],
        recipients=[
            RecipientReport(
                recipient=_clean(one.recipient)[:320],
                state=_ACTIONS.get(one.action, "bounced"),
                status=None if one.status is None else _clean(one.status)[:20],
                reason=_clean(said)[:500] if (said := one.reason or one.diagnostic) is not None else None,
            )
            for one in bounce.recipients[:100]
        ],
    )


def _person(box: Mailbox | None) -> Person | None:
    return None if box is None else Person(email=_clean(box.email)[:1000], name=_clean(box.name)[:1000])


def _people(boxes: tuple[Mailbox, ...]) -> list[Person]:
    return [Person(email=_clean(box.email)[:1000], name=_clean(box.name)[:1000]) for box in boxes]


def _clean(text: str) -> str:
    """Text that JSON, UTF-8 and PostgreSQL can hold: no lone surrogates, no NUL."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text
