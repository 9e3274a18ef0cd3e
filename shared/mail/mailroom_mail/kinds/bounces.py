"""Delivery failures: the formal reports of RFC 3464, and notices that only people were meant to read. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence

from mailroom_mail.reading.model import Bounce, BouncedRecipient, Mail

from . import bounce_reasons as reasons
from . import bounce_words as words
from .automatic import Fields, has_answer_subject, names_any
from .bounce_reasons import ENHANCED, REPLY_CODE
from .formal_reports import MOST_RECIPIENTS, wrapped
from .returned_mail import COPY_TYPES, HEAD, copied_recipients, halves, original
from .status_fields import ADDRESS

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


def worded(mail: Mail, fields: Fields, signs: Sequence[str], certain: bool = False) -> Bounce | None:
    """The bounce that a notice without (usable) delivery-status part tells of in words, or None for any other mail.

    `certain` says that the mail calls itself a delivery report, so that only its details are asked for.
    """
    failed = _addresses(fields.get("x-failed-recipients", ()))
    if not certain and mail.text.startswith('{"') and '"Bounce"' in mail.text[:200]:
        return _json_notice(mail.text)
    if not certain and not failed and not _looks_like_notice(mail, signs):
        return None
    notice, copy = halves(mail.text[:HEAD])
    codes = tuple(dict.fromkeys(ENHANCED.findall(notice)))
    delayed = words.DELAYED.search(mail.subject + "\n" + notice[:3000]) is not None
    delayed = delayed and not reasons.is_final(notice, notice)
    status = reasons.status_of(notice, codes, delayed)
    action = "delayed" if status.startswith("4") and delayed else "failed"
    message_id, headers = original(mail, copy)
    ours = copied_recipients(headers)
    if not failed:
        failed = [who for one in wrapped(mail) if (who := one.recipient(ours))] or _named_recipients(mail, notice)
        # a notice names many addresses: those that our mail had are the ones it is about
        failed = [one for one in failed if one.lower() in ours] or failed or (list(ours) if len(ours) == 1 else [])
    diagnostic = _diagnostic(notice)
    several = {one.lower() for one in failed[:MOST_RECIPIENTS]}
    recipients = tuple(
        _worded_recipient(address, action, status, diagnostic, notice, several - {address.lower()})
        for address in failed[:MOST_RECIPIENTS] or [""]
    )
    return Bounce(False, recipients, message_id, headers)


def _worded_recipient(
    address: str, action: str, status: str, diagnostic: str | None, notice: str, others: Collection[str]
) -> BouncedRecipient:
    said, told = reasons.tidy(reasons.about(notice, address, others)), reasons.tidy(diagnostic or "")
    coded = [one for one in (said, told) if ENHANCED.search(one) or REPLY_CODE.match(f" {one} ")]
    reason = reasons.first_words(*coded) or reasons.first_words(reasons.given(notice), said, told)
    return BouncedRecipient(address, action, status, diagnostic, reason or reasons.plain_words(status, action), None)


def _json_notice(text: str) -> Bounce | None:
    """The notification of Amazon SES (through SNS): one JSON object, sometimes with a line of footer below."""
    try:
        notice, _ = json.JSONDecoder(strict=False).raw_decode(text[: 10 * HEAD])
        recipients = tuple(
            BouncedRecipient(
                str(one.get("emailAddress", "")),
                "failed",
                str(one["status"]) if "status" in one else "5.0.0",
                one.get("diagnosticCode"),
                reasons.tidy(str(one.get("diagnosticCode") or "")) or None,
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
        for code in (recipient.stated, recipient.status, *ENHANCED.findall(recipient.diagnostic or "")):
            if code:
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
    notice, copy = halves(mail.text[:HEAD])
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
    carries = bool(copy) or any(part.content_type in COPY_TYPES for part in mail.attachments)
    proof = carries or ENHANCED.search(notice) is not None or REPLY_CODE.search(notice) is not None
    if strong or null_path:
        return titled or proof
    if daemon:
        return titled or (carries and ENHANCED.search(notice) is not None)
    return titled and proof and (carries or bool(signs)) and not mail.in_reply_to


def _diagnostic(notice: str) -> str | None:
    for pattern in (ENHANCED, REPLY_CODE, words.NOTICE):
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
        for address in ADDRESS.findall(line):
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
    return list(dict.fromkeys(address.rstrip(".") for value in values for address in ADDRESS.findall(value[:HEAD])))
