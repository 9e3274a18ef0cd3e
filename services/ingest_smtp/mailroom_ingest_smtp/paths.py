"""Paths of MAIL and RCPT (RFC 5321 section 4.1.2, RFC 6531 section 3.3). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Dots anywhere: Japanese carriers gave out addresses such as a..b.@docomo.example for years.
# Surrogates stand for bytes that are no UTF-8: such an address is refused.
_DOT_STRING = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\ud7ff\ue000-\U0010ffff]+"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"'
_DOMAIN = r"[A-Za-z0-9_\u0080-\ud7ff\ue000-\U0010ffff](?:[A-Za-z0-9_.\-\u0080-\ud7ff\ue000-\U0010ffff]*[A-Za-z0-9_\u0080-\ud7ff\ue000-\U0010ffff])?\.?"
_LITERAL = r"\[[A-Za-z0-9:.\-]+\]"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_MAILBOX = rf"(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})"
_BRACKETED = re.compile(rf"<{_ROUTE}{_MAILBOX}>")
_BARE = re.compile(rf"{_MAILBOX}(?=\s|$)")
_POSTMASTER = re.compile(r"<postmaster>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")
MAX_LOCAL = 256  # RFC 5321 says 64 octets; bulk senders' return paths are longer
MAX_DOMAIN = 255


class BadPath(ValueError):
    """Not a path; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Path:
    """A mailbox of the envelope. `local` as sent but without quotes, `domain` as sent; both empty: the null path.

    Only `<postmaster>` has a local part and no domain (RFC 5321 section 4.5.1).
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


NULL = Path("", "")


def parse(text: str) -> tuple[Path, str]:
    """The path at the beginning of `text` and what follows it (parameters). A source route is read and ignored.

    Raises `BadPath`.
    """
    text = text.lstrip(" ")
    if text.startswith("<>"):
        return NULL, text[2:]
    match = _BRACKETED.match(text) or _BARE.match(text)
    if match is None:
        if postmaster := _POSTMASTER.match(text):
            return Path("postmaster", ""), text[postmaster.end() :]
        raise BadPath("this is no address in angle brackets")
    local, domain = match["local"], match["domain"]
    if local.startswith('"'):
        local = _ESCAPED.sub(r"\1", local[1:-1])
    if len(local.encode()) > MAX_LOCAL:
        raise BadPath("the part before the @ is too long")
    if len(domain.encode()) > MAX_DOMAIN:
        raise BadPath("the domain is too long")
    rest = text[match.end() :]
    if rest and not rest.startswith(" "):
        raise BadPath("something follows the address")
    return Path(local, domain.rstrip(".")), rest


def parameters(text: str) -> dict[str, str | None]:
    """ESMTP parameters (RFC 5321 section 4.1.2), keywords in upper case. Raises `BadPath`."""
    found: dict[str, str | None] = {}
    for word in text.split():
        keyword, equals, value = word.partition("=")
        if not keyword.replace("-", "").isalnum() or not keyword.isascii() or (equals and not value):
            raise BadPath("a parameter is not well formed")
        if keyword.upper() in found:
            raise BadPath("a parameter stands twice")
        found[keyword.upper()] = value if equals else None
    return found
