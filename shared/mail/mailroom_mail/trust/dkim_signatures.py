"""DKIM signatures of a mail and whether they hold (RFC 6376, 8301, 8463). Pure: key records come from a function.

The mail is read once for all signatures; keys are parsed once for each record; the arithmetic is `cryptography`'s.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mailroom_mail.reading.signed_parts import BrokenSignatureError, SignedParts

from .dns_lookup import LookupFailedError
from .verdict_records import DkimVerdict

MOST_SIGNATURES = 5
_MOST_KEYS = 8  # records at one name that are looked at
_LEAST_BITS = 1024  # shorter RSA keys count for nothing (RFC 8301 section 3.2)
_MOST_BITS, _MOST_EXPONENT_BITS = 8192, 64  # more is work that somebody else has chosen for us
_LONGEST_RECORD = 4_000  # three times what RSA of 8,192 bits takes: what is remembered stays small
_CLOCK_SLACK_S = 36_000  # signers' clocks are wrong by time zones
_FORMS = (b"simple", b"relaxed")
_PADDING, _DIGEST = PKCS1v15(), SHA256()
_ALGORITHMS = {b"rsa-sha256": RSAPublicKey, b"ed25519-sha256": Ed25519PublicKey}  # rsa-sha1 is over (RFC 8301)
_TAG_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_SPACE = re.compile(rb"[ \t\r\n]+")
_NUMBER = re.compile(rb"[0-9]{1,76}")

Records = Callable[[str], Sequence[str]]


class BadSignatureError(ValueError):
    """It can be read and does not hold: the mail was changed, the key is another one, or its time is over (fail)."""


@dataclass(frozen=True, slots=True)
class _Key:
    key: RSAPublicKey | Ed25519PublicKey
    strict: bool  # t=s: i= has the very domain of d=


def verify_signatures(parts: SignedParts, records: Records, now: float) -> tuple[DkimVerdict, ...]:
    """The verdict on each signature, topmost first. `records` gives a name's TXT records or raises `LookupFailedError`,
    which is a temperror; `now` is in seconds since the epoch."""
    return tuple([_verdict(parts, field, records, now) for field in parts.named(b"dkim-signature")[:MOST_SIGNATURES]])


def _verdict(parts: SignedParts, field: bytes, records: Records, now: float) -> DkimVerdict:
    tags: dict[bytes, bytes] = {}
    try:
        tags = tag_list(field.partition(b":")[2])
        if tags.get(b"v") != b"1":
            raise BrokenSignatureError("unknown version")
        check_message(parts, field, tags, records, now)
        result = "pass"
    except LookupFailedError:
        result = "temperror"
    except BadSignatureError:
        result = "fail"
    except BrokenSignatureError:
        result = "permerror"
    return DkimVerdict(as_text(tags.get(b"d", b"")).lower(), result, as_text(tags.get(b"s", b"")) or None)


def check_message(
    parts: SignedParts, field: bytes, tags: dict[bytes, bytes], records: Records, now: float, form: bytes = b"simple"
) -> None:
    """RFC 6376 section 6.1, step by step; returns for a signature over header and body that holds. `form` is that of
    one that does not say."""
    if not tags.get(b"bh") or not tags.get(b"h"):
        raise BrokenSignatureError("a tag is missing")
    names = [name.strip(b" \t\r\n").lower() for name in tags[b"h"].split(b":")]
    if b"from" not in names:
        raise BrokenSignatureError("From is not signed")
    head_form, _, body_form = tags.get(b"c", form).partition(b"/")
    body_form = body_form or b"simple"
    if head_form not in _FORMS or body_form not in _FORMS or b"dns/txt" not in tags.get(b"q", b"dns/txt").split(b":"):
        raise BrokenSignatureError("unknown form or query method")
    _check_times(tags, now)
    length = _number(tags, b"l")
    digest = _bytes(tags[b"bh"])
    # one From more than was signed: a second one put on top shows (RFC 6376 section 8.15)
    data = parts.signed([*names, b"from"], head_form, field)
    check(tags, data, records, lambda: parts.body_digest(body_form, length) == digest)


def check(
    tags: dict[bytes, bytes], data: bytes, records: Records, body_is_the_same: Callable[[], bool] = lambda: True
) -> None:
    """Returns where the signature of these tags over `data` holds, by the key that they name."""
    for name in (b"a", b"b", b"d", b"s"):
        if not tags.get(name):
            raise BrokenSignatureError("a tag is missing")
    kind = _ALGORITHMS.get(tags[b"a"])
    if kind is None:
        raise BrokenSignatureError("unknown algorithm")
    domain = tags[b"d"].lower()
    identity = _identity(tags, domain)
    signature = _bytes(tags[b"b"])
    texts = records(f"{as_text(tags[b's'])}._domainkey.{as_text(domain)}")
    # Several records at a name come in any order: each is tried (RFC 6376 section 6.1.2), what is no key is passed over.
    keys = [public_key(text) for text in sorted(text for text in texts if len(text) <= _LONGEST_RECORD)[:_MOST_KEYS]]
    usable = [
        key.key
        for key in keys
        if isinstance(key, _Key) and isinstance(key.key, kind) and not (key.strict and identity != domain)
    ]
    if not usable:
        broken = next((key for key in keys if isinstance(key, BrokenSignatureError)), None)
        raise broken or BrokenSignatureError("there is no key for this signature")
    if not body_is_the_same():
        raise BadSignatureError("the body is another one")
    if not any(_holds(key, signature, data) for key in usable):
        raise BadSignatureError("the signature does not hold")


def _holds(key: RSAPublicKey | Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, data, _PADDING, _DIGEST)
        else:
            key.verify(signature, hashlib.sha256(data).digest())  # RFC 8463 section 3
    except InvalidSignature:
        return False
    return True


def _identity(tags: dict[bytes, bytes], domain: bytes) -> bytes:
    """The domain of i=, which is d= or one below it; in ARC i= is a number instead."""
    if tags.get(b"i", b"").isdigit():
        return domain
    identity = tags.get(b"i", b"@" + domain).lower().rpartition(b"@")[2]
    if identity != domain and not identity.endswith(b"." + domain):
        raise BrokenSignatureError("i= is not of d=")
    return identity


def _check_times(tags: dict[bytes, bytes], now: float) -> None:
    signed, over = _number(tags, b"t"), _number(tags, b"x")
    if signed is not None and signed > now + _CLOCK_SLACK_S:
        raise BadSignatureError("signed in the future")
    if over is not None and (over < now - _CLOCK_SLACK_S or (signed is not None and over < signed)):
        raise BadSignatureError("its time is over")


@functools.lru_cache(maxsize=5_000)
def public_key(record: str) -> _Key | BrokenSignatureError:
    """The key of a record (RFC 6376 section 3.6.1), or why there is none; remembered, since it is the record's alone."""
    try:
        return _public_key(record.encode())
    except BrokenSignatureError as error:
        return error


def _public_key(record: bytes) -> _Key:
    tags = tag_list(record)
    if tags.get(b"v", b"DKIM1") != b"DKIM1":
        raise BrokenSignatureError("unknown version of the key record")
    for name, known in ((b"h", (b"sha256",)), (b"s", (b"*", b"email"))):
        if name in tags and not {value.strip(b" \t") for value in tags[name].split(b":")} & {*known}:
            raise BrokenSignatureError("the key is for something else")
    data = _bytes(tags.get(b"p", b""))
    if not data:
        raise BrokenSignatureError("the key was revoked")
    strict = b"s" in [flag.strip(b" \t") for flag in tags.get(b"t", b"").split(b":")]
    kind = tags.get(b"k", b"rsa")
    try:
        if kind == b"ed25519":
            return _Key(Ed25519PublicKey.from_public_bytes(data), strict)
        key = load_der_public_key(data) if kind == b"rsa" else None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BrokenSignatureError("the key cannot be read") from error
    if not isinstance(key, RSAPublicKey) or not _LEAST_BITS <= key.key_size <= _MOST_BITS:
        raise BrokenSignatureError("unknown kind of key, too short or too long")
    if key.public_numbers().e.bit_length() > _MOST_EXPONENT_BITS:
        raise BrokenSignatureError("an exponent that nobody uses")
    return _Key(key, strict)


def tag_list(value: bytes) -> dict[bytes, bytes]:
    """A tag list (RFC 6376 section 3.2). Raises `BrokenSignatureError`."""
    tags: dict[bytes, bytes] = {}
    pieces = value.split(b";")
    if not pieces[-1].strip(b" \t\r\n"):
        pieces.pop()
    for piece in pieces:
        name, equals, said = piece.partition(b"=")
        name = name.strip(b" \t\r\n")
        if not equals or not _TAG_NAME.fullmatch(name) or name in tags:
            raise BrokenSignatureError("not a list of tags")
        tags[name] = said.strip(b" \t\r\n")
    return tags


def _number(tags: dict[bytes, bytes], name: bytes) -> int | None:
    if name not in tags:
        return None
    if not _NUMBER.fullmatch(tags[name]):
        raise BrokenSignatureError("not a number")
    return int(tags[name])


def _bytes(value: bytes) -> bytes:
    try:
        return base64.b64decode(_SPACE.sub(b"", value), validate=True)
    except binascii.Error as error:
        raise BrokenSignatureError("not base64") from error


def as_text(value: bytes) -> str:
    """A tag's value, no longer than a domain name may be."""
    return value.decode("utf-8", "replace")[:253]
