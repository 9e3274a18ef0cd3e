"""Mail addresses and names as people type them: checked before they go into headers or the configuration. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from mailroom_contracts import Person
from mailroom_mail import ascii_domain

from mailroom_console.languages import say

from .problems import invalid

# What RFC 5321 allows without quotes; quoted local parts are left to mail that comes in
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_BEYOND_ASCII = re.compile(r"[\x80-\U0010ffff]")
_JOINERS = "\u200c\u200d"  # stand within words of Persian and of Indian languages
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


def domain_name(text: str, field: str = "domains") -> str:
    """A mail domain in its ASCII form, lower case. Raises `Problem` 422."""
    text = text.strip().rstrip(".").lower()
    try:
        ascii_form = ascii_domain(text)
    except ValueError:
        raise invalid(field, say("{value!r} is not a domain name.", value=text)) from None
    if len(ascii_form) > 253 or not _DOMAIN.fullmatch(ascii_form):
        raise invalid(field, say("{value!r} is not a domain name like acme.example.", value=text))
    return ascii_form


def local_part(text: str, field: str = "local_part") -> str:
    """The part before the @, lower case. Raises `Problem` 422; a plus is left to plus-addresses."""
    text = text.strip().lower()
    if len(text) > 64 or not _LOCAL.fullmatch(text) or "+" in text:
        raise invalid(
            field, say("The part before the @ has letters, digits, dots and hyphens, and no spaces or plus signs.")
        )
    return text


def email_address(text: str, field: str = "email") -> str:
    """A whole address, lower case. Raises `Problem` 422."""
    local, at, domain = text.strip().rpartition("@")
    if not at or len(local) > 64 or not _LOCAL.fullmatch(local):
        raise invalid(field, say("{value} is not an email address.", value=_shown(text)))
    return f"{local}@{domain_name(domain, field)}".lower()


def recipient(text: str, field: str) -> str:
    """An address of somebody else as it is asked for: other letters than a to z may stand before the @ too (RFC 6531).

    Upper and lower case are kept there. Raises `Problem` 422.
    """
    local, at, domain = text.strip().rpartition("@")
    visible = all(c in _JOINERS or unicodedata.category(c)[0] in "LMNPS" for c in local)
    if not at or not visible or len(local.encode()) > 64 or not _LOCAL.fullmatch(_BEYOND_ASCII.sub("x", local)):
        raise invalid(field, say("{value} is not an email address.", value=_shown(text)))
    return f"{local}@{domain_name(domain, field)}"


def person_name(text: str, field: str = "full_name") -> str:
    """A display name that fits into one header line. Raises `Problem` 422."""
    if _UNSAFE.search(text) or len(text) > 200:
        raise invalid(field, say("A name is one line of at most 200 characters."))
    return " ".join(text.split())


def people(values: list[Any], field: str) -> list[Person]:
    """Recipients, each as `addr`, `Name <addr>` or `{email, name}`. Raises `Problem` 422."""
    found: list[Person] = []
    for value in values[:101]:
        if isinstance(value, str):
            if _UNSAFE.search(value):
                raise invalid(field, say("A recipient is one line."))
            name, bracket, rest = value.rpartition("<")
            email, name = (rest.rstrip("> \t"), name.strip().strip('"')) if bracket else (value, "")
        else:
            email, name = str(value.get("email", "")), str(value.get("name") or "")
        if _UNSAFE.search(email) or _UNSAFE.search(name):
            raise invalid(field, say("A recipient is one line."))
        if email.strip():
            found.append(Person(email=recipient(email, field), name=person_name(name, field)))
    if len(found) > 100:
        raise invalid(field, say("At most 100 recipients."))
    return found


def _shown(text: str) -> str:
    return repr(text[:80])
