"""ARC chains: who passed a mail on, and whether what they sealed is whole (RFC 8617). Pure, as `dkim_signatures`."""

from __future__ import annotations

import re
from typing import NamedTuple

from mailroom_mail.reading.signed_parts import BrokenSignatureError, SignedParts, relaxed_fields, without_signature

from .dkim_signatures import BadSignatureError, Records, as_text, check, check_message, tag_list
from .dns_lookup import LookupFailedError

_MOST_SETS = 50  # RFC 8617 section 4.2.1
_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*(?:;|\Z)")
_NAMES = (b"arc-authentication-results", b"arc-message-signature", b"arc-seal")
Chain = tuple[str, str | None]


class _Set(NamedTuple):
    """The fields of one who passed the mail on."""

    results: bytes
    message: bytes
    seal: bytes


def verify_chain(parts: SignedParts, records: Records, now: float) -> Chain:
    """none, pass, fail or temperror, and the domain that sealed last (RFC 8617 section 5.2)."""
    domain: str | None = None
    try:
        sets = _sets(parts)
        if not sets:
            return "none", None
        seals = [tag_list(one.seal.partition(b":")[2]) for one in sets]
        domain = as_text(seals[-1].get(b"d", b"")).lower() or None
        for number, seal in enumerate(seals, 1):
            if seal.get(b"cv") != (b"pass" if number > 1 else b"none") or b"h" in seal:
                return "fail", domain
        newest = sets[-1].message
        tags = tag_list(newest.partition(b":")[2])
        if b"arc-seal" in tags.get(b"h", b"").lower():
            return "fail", domain
        check_message(parts, newest, tags, records, now, form=b"relaxed/relaxed")
        before = b""
        for one, seal in zip(sets, seals, strict=True):
            # a seal is over all sets up to its own, without its own signature (RFC 8617 section 5.1.1)
            own = [one.results, one.message, without_signature(one.seal)]
            check(seal, before + relaxed_fields(own), records)
            before += relaxed_fields(one) + b"\r\n"
    except LookupFailedError:
        return "temperror", None
    except (BadSignatureError, BrokenSignatureError):
        return "fail", domain
    return "pass", domain


def _sets(parts: SignedParts) -> list[_Set]:
    """The sets by instance. Raises `BrokenSignatureError` where one is missing, incomplete or there twice."""
    found: list[dict[int, bytes]] = []
    for name in _NAMES:
        numbered: dict[int, bytes] = {}
        for field in parts.named(name):
            match = _INSTANCE.match(field.partition(b":")[2])
            number = int(match[1]) if match else _instance(field)
            if number in numbered:
                raise BrokenSignatureError("an instance twice")
            numbered[number] = field
        found.append(numbered)
    count = len(found[2])
    if count > _MOST_SETS or any(set(numbered) != set(range(1, count + 1)) for numbered in found):
        raise BrokenSignatureError("the sets are not complete")
    return [_Set(*(numbered[number] for numbered in found)) for number in range(1, count + 1)]


def _instance(field: bytes) -> int:
    """The instance of a field that does not begin with it."""
    value = tag_list(field.partition(b":")[2]).get(b"i", b"")
    if not value.isdigit() or len(value) > 2:
        raise BrokenSignatureError("no instance")
    return int(value)
