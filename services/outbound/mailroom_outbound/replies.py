"""What servers' answers to MAIL, RCPT and DATA mean (RFC 5321 section 4.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailroom_contracts import RecipientReport
from mailroom_runtime.smtp.refusals import of_account
from mailroom_runtime.smtp.trouble import SmtpTrouble, said

from .courier import Deferred, Delivered, Failed, Hold, Outcome

# words by which servers that limit an account say so, whatever code they use
_TOO_MANY = re.compile(
    r"too many|too much mail|rate.?limit|throttl|exceeded .{0,40}(?:limit|quota|rate)|(?:sending|message|daily|hourly) "
    r"(?:limit|quota)|try again later.{0,20}limit",
    re.IGNORECASE,
)
# words by which they say that another session would do
_SPENT = re.compile(
    r"(?:another|new|different|fresh) (?:smtp )?(?:session|connection)|(?:in|on|per|for) (?:this|one|a single|a) (?:smtp )?(?:session|connection)"
    r"|(?:session|connection) (?:limit|exhausted)",
    re.IGNORECASE,
)
_NOT_THE_ACCOUNT = (".1.", ".2.", ".3.4", ".5.3")  # recipient, mailbox, size of the mail, recipients of the mail
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_LOGIN_GONE = (530, 535)  # RFC 4954: authentication required, or not valid any more
_UNAVAILABLE = 421  # RFC 5321: service not available, closing the channel


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer."""

    code: int
    text: str

    @property
    def words(self) -> str:
        return f"The server said: {said(self.code, self.text)}"

    @property
    def status(self) -> str | None:
        """The enhanced status code (RFC 3463), or None."""
        found = _ENHANCED.search(self.text[:40])
        return found.group(1) if found else None

    @property
    def ends_the_session(self) -> bool:
        """Whether another session may take what this one does not: 421 after some mails, "too many in this session"."""
        return self.code == _UNAVAILABLE or (400 <= self.code < 500 and _SPENT.search(self.text) is not None)

    @property
    def limits_the_account(self) -> bool:
        """Whether it is about how much the account sends, or the server closes down (421)."""
        if self.code == _UNAVAILABLE:
            return True
        about_mail = self.code == 552 or (self.status or "")[1:].startswith(_NOT_THE_ACCOUNT)
        return not about_mail and _TOO_MANY.search(self.text) is not None


def of_transaction(reply: Reply) -> Outcome:
    """A refusal that concerns the whole mail: at MAIL, DATA or after the content."""
    if reply.ends_the_session:
        return Deferred(reply.words, Hold.SESSION)
    if reply.limits_the_account:
        return Deferred(reply.words, Hold.LANE)
    if reply.code in _LOGIN_GONE:
        return Deferred(reply.words, Hold.ACCOUNT)
    if (trouble := of_account(reply.code, reply.text)) is not None:
        return Deferred(str(trouble), Hold.ACCOUNT)
    return Failed(reply.words) if reply.code >= 500 else Deferred(reply.words)


def of_recipients(refused: Mapping[str, Reply], count: int) -> Outcome | None:
    """What refusals at RCPT mean before the content is sent; None: go on with the recipients that were accepted."""
    if len(refused) < count:
        return None
    reports = recipient_reports(refused)
    for reply in refused.values():
        if reply.ends_the_session:
            return Deferred(reply.words, Hold.SESSION)
        if (trouble := of_account(reply.code, reply.text)) is not None:
            return Deferred(str(trouble), Hold.ACCOUNT)
    held = next((r for r in refused.values() if r.limits_the_account), None)
    if held is not None:
        return Deferred(held.words, Hold.LANE)
    later = next((r for r in refused.values() if r.code < 500), None)
    if later is not None:
        return Deferred(later.words, recipients=reports)
    return Failed(next(iter(refused.values())).words, recipients=reports)


def of_acceptance(reply: Reply, accepted: list[str], refused: Mapping[str, Reply]) -> Outcome:
    """The content was taken for `accepted`; recipients that were refused for now are tried again."""
    served = tuple(RecipientReport(recipient=r, state="sent") for r in accepted) if refused else ()
    reports = (*served, *recipient_reports(refused))
    later = next((r for r in refused.values() if r.code < 500), None)
    if later is not None:
        return Deferred(later.words, recipients=reports)
    return Delivered(said(reply.code, reply.text), recipients=reports)


def of_trouble(trouble: SmtpTrouble) -> Deferred:
    """No connection or no login: the whole lane waits, or the account waits for a person."""
    if trouble.temporary:
        return Deferred(str(trouble), Hold.LANE)
    return Deferred(str(trouble), Hold.LOGIN if trouble.doubtful else Hold.ACCOUNT)


def recipient_reports(refused: Mapping[str, Reply]) -> tuple[RecipientReport, ...]:
    """Each refused recipient's report."""
    return tuple(
        RecipientReport(
            recipient=recipient,
            state="failed" if reply.code >= 500 else "deferred",
            status=reply.status,
            reason=reply.words,
        )
        for recipient, reply in refused.items()
    )
