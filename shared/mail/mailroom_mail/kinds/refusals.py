"""Refusals by a list, a desk or a moderator: mails in words that say that ours was not taken. Pure.

They come from the list or desk itself and not from a mail system, with its list fields, *Precedence: bulk* and often
without a null sender, so none of a bounce's usual signs holds; but they carry our mail, or answer it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mailroom_mail.reading.model import Bounce, BouncedRecipient, Mail

from . import bounce_reasons as reasons
from . import bounce_words as words
from .automatic import Fields, names_any
from .bounces import worded
from .returned_mail import COPY_TYPES, HEAD, copied_recipients, decoded, halves, original
from .status_fields import receipt_ids, receipt_recipient

RECEIPT_TYPES = ("message/disposition-notification", "message/global-disposition-notification")

_SAID = 4_000  # characters of a notice in which a refusal is looked for
_HINTS = (
    "rejected", "refused", "declined", "denied", "bounced", "accepted", "processed", "to post", "to reply", "to comment", "to write", "to create",
    "right to", "not a registered", "problem", "abgelehnt", "gewiesen", "angenommen", "rejet", "refus", "rechazad", "rifiutat",
)  # fmt: skip
_MACHINE = ("from:", "sender:", "return-path:")
_LIST_TAILS = ("-owner", "-bounces", "-request", "-admin", "-moderators", "+noreply", "-noreply", "+owners", "+bounces")


def refusal(mail: Mail, signs: Sequence[str]) -> Bounce | None:
    """The failed delivery that such a mail tells of, or None for any other. `signs`: its automatic signs."""
    if not signs:
        return None
    said = mail.text[:_SAID].lower()
    titled = words.REFUSED_TITLE.search(mail.subject[:300].lower()) is not None
    by_machine = any(sign.startswith(_MACHINE) for sign in signs)
    by_list = any(sign.startswith("list-") for sign in signs)
    if not (titled or by_machine) or (by_list and not by_machine):
        return None  # a person's post through a list, or a desk's agent, may speak of a refusal
    if not titled and not (names_any(said, _HINTS) and words.REFUSED.search(said) is not None):
        return None
    notice, copy = halves(mail.text[:HEAD])
    if not titled and words.REFUSED.search(notice[:_SAID].lower()) is None:
        return None  # it stands in what is quoted
    notice = notice[:_SAID]
    message_id, headers = original(mail, copy)
    carries = any(part.content_type in COPY_TYPES for part in mail.attachments) or bool(headers)
    answers = bool(mail.in_reply_to) and any(
        sign == "null-return-path" or sign.startswith("auto-submitted:") for sign in signs
    )
    # a mail without Message-ID that answers ours (Request Tracker's refusal) is no letter of a person either
    if not (carries or answers or (bool(mail.in_reply_to) and mail.message_id is None)):
        return None
    status = reasons.specific(None, notice) or "5.7.1"
    given, first = reasons.tidy(reasons.given(notice)), reasons.tidy(_first_paragraph(notice))
    reason = next((one for one in (given, first) if reasons.says_something(one)), None)
    reason = reason or reasons.plain_words(status, "failed")
    who = _refused(mail, copied_recipients(headers))
    return Bounce(False, (BouncedRecipient(who, "failed", status, None, reason),), message_id, headers)


def rejected(mail: Mail) -> bool:
    """Whether a disposition notification says that a server refused the mail, as Sieve's `reject` and Dovecot do."""
    said = any(
        b"automatic-action" in part.content.lower() for part in mail.attachments if part.content_type in RECEIPT_TYPES
    )
    return said and words.REJECTED.search(mail.text[:3000]) is not None


def refused_by_receipt(mail: Mail, fields: Fields, signs: Sequence[str]) -> Bounce | None:
    """The bounce in a disposition notification with which a server refuses (Sieve's reject: RFC 5429 section 2.1.2)."""
    bounce = worded(mail, fields, signs, certain=True)
    if bounce is None:
        return None
    for part in mail.attachments:
        if part.content_type in RECEIPT_TYPES and (stated := receipt_recipient(decoded(part.content))) is not None:
            recipient = stated.recipient(copied_recipients(bounce.original_headers))
            first = replace(bounce.recipients[0], recipient=recipient)
            about = bounce.original_message_id or next(iter(receipt_ids(decoded(part.content))), None)
            return replace(bounce, recipients=(first,), original_message_id=about)
    return bounce


def _first_paragraph(notice: str) -> str:
    return next((part for part in notice.split("\n\n") if part.strip()), "")


def _refused(mail: Mail, ours: Iterable[str]) -> str:
    """Which of our mail's recipients refuses: the one who writes, the list that it writes for, else the only one."""
    copied = sorted(ours)
    sender = mail.from_.email.lower() if mail.from_ is not None else ""
    if sender in copied:
        return sender
    local, _, domain = sender.rpartition("@")
    for tail in _LIST_TAILS:
        local = local.removesuffix(tail)
    near = [one for one in copied if one == f"{local}@{domain}"] or [
        one for one in copied if one.endswith(f"@{domain}")
    ]
    if len(near) == 1:
        return near[0]
    if len(copied) == 1:
        return copied[0]
    return "" if copied else sender
