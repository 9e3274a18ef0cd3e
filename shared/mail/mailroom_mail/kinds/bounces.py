"""Delivery failures: the formal reports of RFC 3464, and notices that only people were meant to read. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from mailroom_mail.reading.model import Attachment, Bounce, BouncedRecipient, Mail

from . import bounce_words as words
from .automatic import Fields, has_answer_subject, names_any

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
RECEIPT_TYPES = ("message/disposition-notification", "message/global-disposition-notification")
_COPY_TYPES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
    "message/partial",
)
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.:/-])([45])[0-5]\d(?=[\s-])")
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\U0010ffff-]{1,64}@[A-Za-z0-9\x80-\U0010ffff][A-Za-z0-9.\x80-\U0010ffff-]{0,253}"
)
_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)")
_MESSAGE_ID = re.compile(r"^[ \t>|]*message-id[ \t]*:\s*<?([^<>\s]{3,900})>?", re.IGNORECASE | re.MULTILINE)
_ACTION = ("failed", "delayed", "delivered", "relayed", "expanded")
_HEAD = 20_000  # characters of a notice that are looked at
_MOST_RECIPIENTS = 100
_SENDER_LINES = (
    "from:",
    "mail from",
    "sender:",
    "original sender",
    "reply-to",
    "from ",
    "envelope-from",
    "return-path",
)
_REPLY_PREFIX = re.compile(
    r"\s*(?:re|fwd?|fw|aw|wg|sv|tr|rv|回复|转发|回覆|轉寄)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)


def formal(mail: Mail, fields: Fields) -> Bounce | None:
    """The bounce of a mail with a delivery-status part, or None where that part says nothing usable."""
    recipients: list[BouncedRecipient] = []
    for part in mail.attachments:
        if part.content_type in STATUS_TYPES:
            recipients += _status_recipients(_decoded(part.content))
    if not recipients and "final-recipient" in mail.text.lower():
        recipients = _status_recipients(mail.text)
    if not recipients:
        recipients = _within(mail)
    if not recipients:
        return None
    message_id, headers = _original(mail)
    return Bounce(True, tuple(dict.fromkeys(recipients[:_MOST_RECIPIENTS])), message_id, headers)


def _within(mail: Mail) -> list[BouncedRecipient]:
    """The recipients of a report that a gateway wrapped whole into another mail."""
    from mailroom_mail.reading.reader import read

    for part in mail.attachments:
        if part.content_type == "message/rfc822" and b"message/delivery-status" in part.content.lower():
            inner = read(part.content)
            return [
                one
                for status in inner.attachments
                if status.content_type in STATUS_TYPES
                for one in _status_recipients(_decoded(status.content))
            ]
    return []


def worded(mail: Mail, fields: Fields, signs: Sequence[str], certain: bool = False) -> Bounce | None:
    """The bounce that a notice without (usable) delivery-status part tells of in words, or None for any other mail.

    `certain` says that the mail calls itself a delivery report, so that only its details are asked for.
    """
    failed = _addresses(fields.get("x-failed-recipients", ()))
    if not certain and mail.text.startswith('{"') and '"Bounce"' in mail.text[:200]:
        return _json_notice(mail.text)
    if not certain and not failed and not _looks_like_notice(mail, signs):
        return None
    notice, copy = _halves(mail.text[:_HEAD])
    codes = tuple(dict.fromkeys(_ENHANCED.findall(notice)))
    delayed = words.DELAYED.search(mail.subject + "\n" + notice[:3000]) is not None
    status = _status(notice, codes, delayed)
    action = "delayed" if status.startswith("4") and delayed else "failed"
    if not failed:
        failed = [one.recipient for one in _within(mail) if one.recipient] or _named_recipients(mail, notice)
    message_id, headers = _original(mail, copy)
    diagnostic = _diagnostic(notice)
    recipients = tuple(BouncedRecipient(address, action, status, diagnostic) for address in failed[:_MOST_RECIPIENTS])
    return Bounce(False, recipients or (BouncedRecipient("", action, status, diagnostic),), message_id, headers)


def _json_notice(text: str) -> Bounce | None:
    """The notification of Amazon SES (through SNS): one JSON object, sometimes with a line of footer below."""
    try:
        notice, _ = json.JSONDecoder(strict=False).raw_decode(text[: 10 * _HEAD])
        recipients = tuple(
            BouncedRecipient(
                str(one.get("emailAddress", "")),
                "failed",
                str(one["status"]) if "status" in one else "5.0.0",
                one.get("diagnosticCode"),
            )
            for one in notice["bounce"]["bouncedRecipients"]
        )
        message_id = notice.get("mail", {}).get("messageId")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Bounce(False, recipients, str(message_id) if message_id else None) if recipients else None


def bounce_statuses(bounce: Bounce | None) -> tuple[str, ...]:
    """Every enhanced status code (RFC 3463) that a bounce names: in its status fields and in its diagnostics."""
    if bounce is None:
        return ()
    found: dict[str, None] = {}
    for recipient in bounce.recipients:
        if recipient.status:
            found.setdefault(recipient.status)
        for code in _ENHANCED.findall(recipient.diagnostic or ""):
            found.setdefault(code)
    return tuple(found)


def is_failure(bounce: Bounce | None) -> bool:
    """Whether a bounce tells of a failed or late delivery; a report of success does not."""
    return bounce is not None and any(recipient.action in ("failed", "delayed") for recipient in bounce.recipients)


def _looks_like_notice(mail: Mail, signs: Sequence[str]) -> bool:
    """Sender or envelope of a program, or its subject; and then the words of a failed delivery."""
    sender = "" if mail.from_ is None else f"{mail.from_.name} {mail.from_.email}"
    null_path = "null-return-path" in signs
    low = sender.lower()
    strong = names_any(low, words.DAEMON_HINTS) and words.DAEMON.search(low) is not None
    daemon = strong or any(sign.startswith("from:") for sign in signs)  # a mere no-reply is a weak one
    subject = mail.subject[:300].lower()
    titled = (
        names_any(subject, words.SUBJECT_HINTS)
        and words.SUBJECT.match(subject) is not None
        and _REPLY_PREFIX.match(subject) is None
    )
    if not (daemon or null_path or titled) or has_answer_subject(mail.subject):
        return False
    notice, copy = _halves(mail.text[:_HEAD])
    if titled and words.STRUCTURED.search(notice) is not None and not mail.in_reply_to:
        return True
    if not strong and any(sign.startswith("list-") for sign in signs):
        return False  # a bounce may have come through a list, but then its sender tells
    if strong and titled:
        return True
    if words.NOTICE.search(notice) is None:
        return False
    if "mailer-daemon" in low:
        return True
    carries = bool(copy) or any(part.content_type in _COPY_TYPES for part in mail.attachments)
    proof = carries or _ENHANCED.search(notice) is not None or _REPLY_CODE.search(notice) is not None
    if strong or null_path:
        return titled or proof
    if daemon:
        return titled or (carries and _ENHANCED.search(notice) is not None)
    return titled and proof and (carries or bool(signs)) and not mail.in_reply_to


def rejected(mail: Mail) -> bool:
    """Whether a disposition notification says that a server refused the mail, as Sieve's `reject` and Dovecot do."""
    said = any(
        b"automatic-action" in part.content.lower() for part in mail.attachments if part.content_type in RECEIPT_TYPES
    )
    return said and words.REJECTED.search(mail.text[:3000]) is not None


def _halves(text: str) -> tuple[str, str]:
    """The notice itself, and what follows the separator before the copy of the original mail."""
    found = words.ORIGINAL.search(text, 40)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])


def _status(notice: str, codes: tuple[str, ...], delayed: bool) -> str:
    wanted = [code for code in codes if code[0] in "45"]
    if wanted:
        # The most specific code: not one that says nothing ("5.0.0").
        return next((code for code in wanted if not code.endswith(".0.0")), wanted[0])
    reply = _REPLY_CODE.search(notice)
    for code, pattern in words.MEANINGS:
        if pattern.search(notice):
            if delayed and reply is None and code[0] == "5":
                return "4" + code[1:]
            return reply.group(1) + code[1:] if reply is not None else code
    if reply is not None:
        return f"{reply.group(1)}.0.0"
    return "4.0.0" if delayed else "5.0.0"


def _diagnostic(notice: str) -> str | None:
    for pattern in (_ENHANCED, _REPLY_CODE, words.NOTICE):
        found = pattern.search(notice)
        if found is not None:
            start = notice.rfind("\n", 0, found.start()) + 1
            end = notice.find("\n\n", found.end())
            line = notice[max(start, found.start() - 300) : min(end if end >= 0 else len(notice), found.end() + 500)]
            return " ".join(line.split())
    return None


def _named_recipients(mail: Mail, notice: str) -> list[str]:
    """The addresses that a notice speaks of, without those of the one who gets it and of the program that wrote it."""
    own = {box.email.lower() for box in (*mail.to, *mail.cc, *(b for b in (mail.from_, mail.sender) if b))}
    found: dict[str, None] = {}
    for line in notice.split("\n")[:400]:
        if "@" not in line:
            continue
        low = line.lower()
        if any(word in low for word in ("message-id", "contact", "mailto:postmaster")) or low.lstrip().startswith(
            _SENDER_LINES
        ):
            continue
        for address in _ADDRESS.findall(line):
            address = address.rpartition("SMTP=")[2].rstrip(".,;:'\"").lstrip("'")
            local, _, domain = address.partition("@")
            if "." not in domain and domain != "localhost":
                continue
            if address.lower() not in own and local.lower() not in ("postmaster", "mailer-daemon", "helpdesk", "abuse"):
                found.setdefault(address)
    if not found:
        return [box for box in _addresses([notice]) if box.lower() in own][:1]
    return list(found)


def _addresses(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(address.rstrip(".") for value in values for address in _ADDRESS.findall(value[:_HEAD])))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _groups(text: str) -> list[dict[str, str]]:
    """Field groups between blank lines, unfolded, names lower-case (RFC 3464 section 2.1)."""
    groups: list[dict[str, str]] = [{}]
    last = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:5000]:
        if not line.strip():
            if groups[-1]:
                groups.append({})
            last = ""
        elif line[0] in " \t":
            if last and len(groups[-1][last]) < 4000:
                groups[-1][last] += " " + line.strip()
        elif (found := _FIELD.match(line)) is not None:
            last = found.group(1).lower()
            groups[-1].setdefault(last, found.group(2).strip())
        elif last and len(groups[-1][last]) < 4000:
            groups[-1][last] += " " + line.strip()  # broken folding, as Exchange 5 and others write it
    return groups


def _status_recipients(text: str) -> list[BouncedRecipient]:
    found: list[BouncedRecipient] = []
    for group in _groups(text):
        if not any(name in group for name in ("final-recipient", "original-recipient", "status", "action")):
            continue
        recipient = ""
        for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
            value = group.get(name, "")
            address = value.partition(";")[2] if ";" in value else value
            matched = _ADDRESS.search(address)
            if matched is not None:
                recipient = matched.group(0)
                break
            recipient = recipient or address.strip(" <>")
        diagnostic = group.get("diagnostic-code") or group.get("x-supplementary-info") or None
        stated = _ENHANCED.search(group.get("status", ""))
        status = stated.group(1) if stated is not None else None
        action = re.split(r"[\s(;]", group.get("action", "").lower().strip(), maxsplit=1)[0]
        if action not in _ACTION:
            # Some write "failure", "expired" or nothing at all; the status then decides.
            action = (
                "delayed"
                if (status or "").startswith("4") and action.startswith(("delay", "defer", "tempor"))
                else "failed"
            )
            if (status or "").startswith("2"):
                action = "delivered"
        if status is None and action in ("failed", "delayed"):
            named = _ENHANCED.search(diagnostic or "")
            status = named.group(1) if named is not None else _status(diagnostic or "", (), action == "delayed")
        found.append(BouncedRecipient(recipient, action, status, diagnostic))
    return found


def _original(mail: Mail, copy: str = "") -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Message-ID and header fields of the mail that a bounce is about, from the copy or part of it that came along."""
    part: Attachment | None = next((part for part in mail.attachments if part.content_type in _COPY_TYPES), None)
    text = copy if part is None else _decoded(part.content[:200_000])
    if part is None and not text:
        text = mail.text[:_HEAD]
    headers = _header_fields(text) if part is not None else ()
    message_id = next((value.strip("<> ") for name, value in headers if name.lower() == "message-id"), None)
    if not message_id:
        found = _MESSAGE_ID.search(text) or _MESSAGE_ID.search(mail.text[: 4 * _HEAD])
        if found is None:
            for other in mail.attachments:
                if other.content_type.startswith("text/") and (
                    found := _MESSAGE_ID.search(_decoded(other.content[:50_000]))
                ):
                    break
        message_id = found.group(1) if found is not None else None
    if not message_id:
        message_id = next((value.strip("<> ") for value in (*mail.in_reply_to, *reversed(mail.references))), None)
    return message_id or None, headers


def _header_fields(text: str) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n").split("\n")[:500]:
        if not line.strip():
            break
        if line[0] in " \t" and fields:
            name, value = fields[-1]
            if len(value) < 8000:
                fields[-1] = (name, value + " " + line.strip())
        elif (found := _FIELD.match(line)) is not None:
            fields.append((found.group(1), found.group(2).strip()))
    return tuple(fields)
