"""Which mails belong together (RFC 5322 section 3.6.4): ids, roots and subjects. Pure."""

from __future__ import annotations

import re

from mailroom_mail.reading.model import Mail

from .message_identity import identity

# "Re" and "Fwd" in the languages of the great clients; the colon may be full-width. "Re[2]:" and "Re(2):" count.
_PREFIX = re.compile(
    r"\s*(?:(?:re|r|aw|antw|antwort|sv|vs|vá|odp|odpoveď|odpověď|ynt|yan|res|rv|rif|ref|réf|tr|trans|fwd?|fw|wg|i|"
    r"enc|doorst|doorsturen|betr|vl|vb|továbbítás|pd|pt|fyi|σχετ|απ|πρθ|отв|ответ|на|re\s?fwd?|ha|hà|trl|trả lời|chuyển tiếp|"
    r"回复|回覆|答复|答覆|转发|轉寄|転送|返信|회신|답장|전달)"
    r"\s*(?:[\[(]\d{1,3}[\])])?\s*[:：]\s*)",
    re.IGNORECASE,
)
# What filters put before a subject: SpamAssassin's and rspamd's defaults, MailScanner's, and those of mail providers.
_SPAM_MARK = re.compile(
    r"\s*(?:\*{3,}\s*(?:possible |probable |suspected )?spam\s*\*{3,}|\[\**\s*(?:possible |probable |suspected )?spam\??\s*\**\]|"
    r"\{(?:disarmed|(?:definitely )?spam)\?\}|<spam\??>|\*\*spam\*\*|\[spam[ -]?verdacht\]|\[spam:[*# ]{1,30}\])\s*:?",
    re.IGNORECASE,
)
_MAX_PREFIXES = 50


def referenced_ids(mail: Mail) -> tuple[str, ...]:
    """The Message-IDs that the mail answers or continues, nearest first, each once, without angle brackets."""
    seen: dict[str, None] = {}
    for value in (*mail.in_reply_to, *reversed(mail.references)):
        wanted = value.strip("<> \t\r\n")
        if wanted and wanted != mail.message_id:
            seen.setdefault(wanted)
    return tuple(seen)


def conversation_root(mail: Mail) -> str:
    """The id of the conversation's first mail: the first of References, else In-Reply-To, else the mail's own id.

    A mail without any id is its own root by its identity, so that a resend has the same root.
    """
    for value in (*mail.references, *mail.in_reply_to, mail.message_id or ""):
        wanted = value.strip("<> \t\r\n")
        if wanted:
            return wanted
    return "identity:" + identity(mail, b"")


def is_marked_spam(subject: str) -> bool:
    """Whether the subject begins with the mark that a filter gives spam; anybody can write one, only a front's counts."""
    return _SPAM_MARK.match(subject) is not None


def without_spam_mark(subject: str) -> str:
    """The subject without the marks that filters have put before it."""
    for _ in range(_MAX_PREFIXES):
        found = _SPAM_MARK.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return subject.strip()


def strip_subject(subject: str) -> str:
    """The subject without reply and forward prefixes of any common language and filters' marks, white space squeezed."""
    rest = subject.strip()
    for _ in range(_MAX_PREFIXES):
        found = _PREFIX.match(rest) or _SPAM_MARK.match(rest)
        if found is None:
            break
        rest = rest[found.end() :]
    return " ".join(rest.split())
