"""What kind of mail it is: bounce, automatic, list, receipt, report, forwarded. Pure and quick."""

from __future__ import annotations

from mailroom_mail.reading.model import Kind, Mail
from mailroom_mail.threads.conversation import is_marked_spam, without_spam_mark
from mailroom_mail.threads.list_post import list_post

from . import automatic, bounces, desks, digests, formal_reports, forwarding, receipts, refusals

_SPAM_FIELDS = frozenset(("x-spam-flag", "x-spam", "x-spam-status"))
_LIST_FIELDS = frozenset(automatic.LIST_FIELDS)
_MARKED = frozenset("*[{< ")  # how a filter's mark in a subject begins


def classify(mail: Mail, return_path: str | None = None) -> Kind:
    """The kind of a mail; every reason not to answer it automatically is named in `automatic_signs`.

    `return_path` is the envelope sender ("" or "<>" for the null one); None where it is not known, then the
    Return-Path field, if any, is looked at.
    """
    fields: automatic.Fields = {}
    for name, value in mail.headers:
        lower = name.lower()
        if lower in fields:
            fields[lower].append(value)
        else:
            fields[lower] = [value]
    signs = automatic.header_signs(mail, fields, return_path)
    report = (mail.report_type or "").lower()
    types = {part.content_type for part in mail.attachments} if mail.attachments else ()
    is_feedback = report == "feedback-report" or "message/feedback-report" in types
    is_receipt = report == "disposition-notification" or any(kind in types for kind in refusals.RECEIPT_TYPES)
    bounce = None
    is_dsn = False
    about: tuple[str, ...] = ()
    if is_feedback:
        signs.append("feedback-report")
    elif is_receipt:
        signs.append("receipt")
        about = receipts.about(mail)
        if refusals.rejected(mail):
            bounce = refusals.refused_by_receipt(mail, fields, signs)
            signs.append("bounce")
    else:
        is_dsn = report == "delivery-status" or any(kind in types for kind in formal_reports.STATUS_TYPES)
        bounce = formal_reports.formal(mail, fields) if is_dsn else None
        if bounce is None:
            bounce = bounces.worded(mail, fields, signs, certain=is_dsn) or refusals.refusal(mail, signs)
        if is_dsn:
            signs.append("dsn")
        elif bounce is not None:
            signs.append("bounce")
    is_digest = bounce is None and digests.is_digest(mail, fields)
    if is_digest:
        signs.append("digest")
    answering = bounce is None and not is_dsn and not is_feedback and not is_receipt
    subject = without_spam_mark(mail.subject) if mail.subject[:1] in _MARKED else mail.subject
    subject_says = answering and automatic.has_answer_subject(subject)
    if subject_says:
        signs.append("subject:automatic-answer")
    if signs and answering:
        signs += desks.marks(mail, fields)
        if automatic.says_automatic(mail.text):
            signs.append("words:automatic")
    if desks.is_state_notice(mail, fields):
        signs.append("desk:state-notice")
    post = list_post(mail, return_path, signs, fields)
    if post is not None and post.notice:
        signs.append("list:notice")
    return Kind(
        automatic_signs=tuple(dict.fromkeys(signs)) if signs else (),
        bounce=bounce,
        is_dsn=is_dsn,
        is_out_of_office=answering and (subject_says or _is_answer(mail, signs, fields)),
        is_list=not _LIST_FIELDS.isdisjoint(fields) or "precedence:list" in signs or "list:envelope" in signs,
        is_receipt=is_receipt,
        receipt_of=about,
        resent_from=forwarding.resent_from(fields) if "resent-from" in fields else None,
        is_feedback=is_feedback,
        is_spam_flagged=_is_flagged(mail, fields),
        forwarded=forwarding.traces(fields),
        is_digest=is_digest,
        list_post=post,
    )


def _is_flagged(mail: Mail, fields: automatic.Fields) -> bool:
    """Whether a filter's mark says spam: SpamAssassin's flag or status, rspamd's one field, or the subject's beginning."""
    if not _SPAM_FIELDS.isdisjoint(fields):
        for name in _SPAM_FIELDS & fields.keys():
            if any(value.strip().lower().startswith("yes") for value in fields[name]):
                return True
    return mail.subject[:1] in _MARKED and is_marked_spam(mail.subject)


def _is_answer(mail: Mail, signs: list[str], fields: automatic.Fields) -> bool:
    """Whether an automatic mail without a telling subject is a note of absence: by its fields, or by its words."""
    if not signs or not _LIST_FIELDS.isdisjoint(fields):
        return False
    if any(
        "vacation" in value.lower() or "owner-email=" in value.lower() for value in fields.get("auto-submitted", ())
    ):
        return True
    if "x-ms-exchange-inbox-rules-loop" in signs and "x-auto-response-suppress" in signs:
        return True
    if "auto-submitted:auto-replied" in signs and "vacation" in mail.subject.lower():
        return True
    answering = ("auto-submitted:auto-replied", "x-autoreply", "x-autorespond", "x-auto-reply", "precedence:auto_reply")
    if not any(sign in signs for sign in answering):
        return False
    return automatic.says_absent(mail.subject) or automatic.says_absent(mail.text)
