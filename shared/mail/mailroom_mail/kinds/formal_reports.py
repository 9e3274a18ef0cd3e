"""Delivery status notifications (RFC 3464): who was not reached, whether that is final, and why. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mailroom_mail.reading import dates
from mailroom_mail.reading.model import Bounce, BouncedRecipient, Mail

from . import bounce_reasons as reasons
from .automatic import Fields
from .returned_mail import copied_recipients, decoded, halves, original
from .status_fields import StatedRecipient, status_recipients

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
MOST_RECIPIENTS = 100
_MOST_LOOKED_UP = 20  # recipients of whom the notice for people is searched
_NOTICE = 8_000  # characters of the notice for people that are looked at


def formal(mail: Mail, fields: Fields) -> Bounce | None:
    """The bounce of a mail with a delivery-status part, or None where that part says nothing usable."""
    stated: list[StatedRecipient] = []
    for part in mail.attachments:
        if part.content_type in STATUS_TYPES:
            stated += status_recipients(decoded(part.content))
    if not stated and "final-recipient" in mail.text.lower():
        stated = status_recipients(mail.text)
    if not stated:
        stated = wrapped(mail)
    if not stated:
        return None
    message_id, headers = original(mail)
    ours = copied_recipients(headers)
    recipients = _judged(mail, stated[:MOST_RECIPIENTS], ours)
    return Bounce(True, tuple(dict.fromkeys(recipients)), message_id, headers)


def _judged(mail: Mail, stated: Sequence[StatedRecipient], ours: Collection[str]) -> list[BouncedRecipient]:
    """Action, status and words together: no one of them is right with every server."""
    notice = mail.text[:_NOTICE]
    if "final-recipient" in notice.lower():  # all in one text: the returned mail follows below
        notice, _ = halves(notice)
    names = {address.lower() for one in stated for address in one.addresses}
    judged: list[BouncedRecipient] = []
    for one in stated:
        recipient = one.recipient(ours)
        its = {address.lower() for address in one.addresses}
        said = reasons.about(notice, recipient, names - its) if len(judged) < _MOST_LOOKED_UP else ""
        # where only one is spoken of, all is said of it
        whole = (notice,) if len(names) <= 1 else ()
        judged.append(_recipient(mail, one, recipient, notice, said, whole))
    return judged


def _recipient(
    mail: Mail, one: StatedRecipient, recipient: str, notice: str, said: str, whole: tuple[str, ...]
) -> BouncedRecipient:
    diagnostic = one.diagnostic or ""
    action, status = one.action, one.status
    if action in ("failed", "delayed"):
        own = reasons.specific(status, diagnostic, said)
        exact = reasons.specific(own, *whole)
        if exact is None or exact.endswith(".0"):
            exact = reasons.meaning(f"{diagnostic}\n{said}", exact) or exact
        status = exact or reasons.status_of(diagnostic, (), action == "delayed")
    if action == "delayed" and _is_over(mail, one, notice, (diagnostic, said, *whole)):
        action = "failed"
    reason = None
    if action in ("failed", "delayed"):
        reason = reasons.first_words(diagnostic, said) or (
            reasons.first_words(reasons.given(notice)) if whole else None
        )
        reason = reason or reasons.plain_words(status, action)
    return BouncedRecipient(recipient, action, status, one.diagnostic, reason, one.status)


def _is_over(mail: Mail, one: StatedRecipient, notice: str, said: tuple[str, ...]) -> bool:
    """Whether what is called a delay is final: OpenSMTPD and nullmailer call the end of it so, and send nothing after."""
    if reasons.is_final(notice, *said):
        return True
    if one.status is not None and one.status[0] == "5" and not reasons.is_going_on(*said):
        return True
    until = dates.parse(one.retried_until, []) if one.retried_until else None
    return until is not None and mail.date is not None and until <= mail.date  # RFC 3464 section 2.3.9


def wrapped(mail: Mail) -> list[StatedRecipient]:
    """The recipients of a report that a gateway wrapped whole into another mail."""
    from mailroom_mail.reading.reader import read

    for part in mail.attachments:
        if part.content_type == "message/rfc822" and b"message/delivery-status" in part.content.lower():
            inner = read(part.content)
            return [
                one
                for status in inner.attachments
                if status.content_type in STATUS_TYPES
                for one in status_recipients(decoded(status.content))
            ]
    return []
