"""Domain names of mail addresses in the one form in which they are asked for and compared: A-labels in lower case.

UTS 46 without its transitional mappings, as browsers and IDNA 2008 have it: `straße.example` is a domain of its own, not
`strasse.example`, which belongs to somebody else (Python's own `idna` codec is IDNA 2003 and makes it that).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

LONGEST_TYPED = 1024  # characters; mapping may take some away (soft hyphens), a name in DNS has at most 253
LONGEST_NAME = 253  # RFC 1035 section 2.3.4, without the root's dot
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_JOINERS = frozenset("\u200c\u200d")


def ascii_domain(domain: str) -> str:
    """The domain as DNS knows it (RFC 5890: A-labels), lower case. Raises ValueError where it can be none.

    A domain that is ASCII already is only lowered: whether its labels are any good is for those to say who look it up.
    """
    if domain.isascii():
        return domain.lower()
    if len(domain) > LONGEST_TYPED:
        raise ValueError("the domain is too long")
    return _mapped(domain)


def ascii_address(address: str) -> str:
    """The address with its domain as DNS knows it, the local part as it is. Raises ValueError."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{ascii_domain(domain)}" if not domain.isascii() else address


def comparable(address: str) -> str:
    """An address as it is compared with others: local part without case, its domain as `ascii_domain` has it.

    What is no address, or has a domain that can be none, is only lowered.
    """
    if address.isascii():
        return address.lower()
    local, at, domain = address.rpartition("@")
    local = unicodedata.normalize("NFC", local).lower()
    try:
        return f"{local}{at}{ascii_domain(domain)}"
    except ValueError:
        return f"{local}{at}{domain.lower()}"


@lru_cache(maxsize=4096)
def _mapped(domain: str) -> str:
    try:
        labels = idna.uts46_remap(domain, std3_rules=False, transitional=False).split(".")
        name = ".".join(label if label.isascii() else _a_label(label) for label in labels)
    except UnicodeError as error:  # IDNAError is one
        raise ValueError(f"{domain[:80]!r} is not a domain name: {error}") from None
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(f"{domain[:80]!r} is not a domain name")
    return name


def _a_label(label: str) -> str:
    """One mapped label that is not ASCII. IDNA 2008 has no symbols, yet such domains are sold and UTS 46 lets them pass:
    in Punycode the label is nobody else's."""
    try:
        return idna.alabel(label).decode("ascii")
    except idna.InvalidCodepointContext:
        raise
    except idna.InvalidCodepoint:
        if _JOINERS & set(label):
            raise
        idna.check_hyphen_ok(label)
        idna.check_initial_combiner(label)
        idna.check_bidi(label)
        return "xn--" + label.encode("punycode").decode("ascii")
