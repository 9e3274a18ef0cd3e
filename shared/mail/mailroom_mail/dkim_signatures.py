"""DKIM signatures of a mail and whether they hold (RFC 6376, 8301, 8463). Pure: key records come from a function.

What is verified is read once for all signatures; keys are parsed once for each record; the arithmetic is `cryptography`'s.
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

from .dns_lookup import LookupFailedError
from .verdict_records import DkimVerdict

MOST_SIGNATURES = 5
_LEAST_BITS = 1024  # shorter RSA keys count for nothing (RFC 8301 section 3.2)
_LONGEST_RECORD = 4_000  # three times what RSA of 8,192 bits takes: what is remembered stays small
_CLOCK_SLACK_S = 36_000  # signers' clocks are wrong by time zones
_NEEDED = (b"v", b"a", b"b", b"bh", b"d", b"h", b"s")
_FORMS = (b"simple", b"relaxed")
_ALGORITHMS = {b"rsa-sha256": RSAPublicKey, b"ed25519-sha256": Ed25519PublicKey}  # rsa-sha1 is over (RFC 8301)
_LINE_END = re.compile(rb"\r?\n")
_TAG_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_SPACE = re.compile(rb"[ \t\r\n]+")
_NUMBER = re.compile(rb"[0-9]{1,76}")
_BLANKS = re.compile(rb"[ \t]+")
_B_VALUE = re.compile(rb"(?:\A|(?<=;))([ \t\r\n]*b[ \t\r\n]*=)[^;]*")

Records = Callable[[str], Sequence[str]]


class BrokenSignatureError(ValueError):
    """The signature or its key record is not what RFC 6376 demands: no later try will help (permerror)."""


class BadSignatureError(ValueError):
    """It can be read and does not hold: the mail was changed, the key is another one, or its time is over (fail)."""


@dataclass(frozen=True, slots=True)
class _Key:
    key: RSAPublicKey | Ed25519PublicKey
    strict: bool  # t=s: i= has the very domain of d=


class SignedParts:
    """A mail as its signatures see it. Raises `BrokenSignatureError` for what has no readable header."""

    def __init__(self, raw: bytes) -> None:
        if raw.count(b"\n") != raw.count(b"\r\n"):
            raw = _LINE_END.sub(b"\r\n", raw)
        if raw.startswith(b"\r\n"):
            head, self._body = b"", raw[2:]
        else:
            head, _, self._body = raw.partition(b"\r\n\r\n")
        # lower-case name: the fields of that name, whole, top to bottom
        self._fields: dict[bytes, list[bytes]] = {}
        for field in _fields(head.removesuffix(b"\r\n")):
            name, colon, _ = field.partition(b":")
            if colon:
                self._fields.setdefault(name.rstrip(b" \t").lower(), []).append(field)
            elif not field.startswith(b"From "):
                raise BrokenSignatureError("a line of the header is no field")
        self._bodies: dict[bytes, bytes] = {}

    def named(self, name: bytes) -> list[bytes]:
        """The fields of that name (lower case), folded as they came, without the last line end."""
        return self._fields.get(name, [])

    def body_digest(self, form: bytes, length: int | None) -> bytes:
        """SHA-256 of the body in that form (RFC 6376 section 3.4), of its first `length` bytes where given."""
        body = self._bodies.get(form)
        if body is None:
            body = self._bodies[form] = relaxed_body(self._body) if form == b"relaxed" else simple_body(self._body)
        return hashlib.sha256(body if length is None else body[:length]).digest()

    def signed(self, names: Sequence[bytes], form: bytes, signature: bytes) -> bytes:
        """The bytes that the header's signature is over (RFC 6376 section 3.7)."""
        left = {name: len(self._fields.get(name, ())) for name in names}
        pieces: list[bytes] = []
        for name in names:
            if left[name]:  # from the bottom up; a field that is not there stands for its absence
                left[name] -= 1
                pieces.append(self._fields[name][left[name]])
        name, _, value = signature.partition(b":")
        pieces.append(name + b":" + _B_VALUE.sub(rb"\1", value, count=1))
        if form == b"relaxed":
            pieces = [_relaxed_field(piece) for piece in pieces]
        return b"\r\n".join(pieces)


def verify_signatures(raw: bytes, records: Records, now: float) -> tuple[DkimVerdict, ...]:
    """The verdict on each signature, topmost first. `records` gives a name's TXT records or raises `LookupFailedError`,
    which is a temperror; `now` is in seconds since the epoch."""
    try:
        parts = SignedParts(raw)
    except BrokenSignatureError:
        return (DkimVerdict("", "permerror"),)
    return tuple([_verdict(parts, field, records, now) for field in parts.named(b"dkim-signature")[:MOST_SIGNATURES]])


def _verdict(parts: SignedParts, field: bytes, records: Records, now: float) -> DkimVerdict:
    tags: dict[bytes, bytes] = {}
    try:
        tags = _tags(field.partition(b":")[2])
        _verify(parts, field, tags, records, now)
        result = "pass"
    except LookupFailedError:
        result = "temperror"
    except BadSignatureError:
        result = "fail"
    except BrokenSignatureError:
        result = "permerror"
    return DkimVerdict(_text(tags.get(b"d", b"")).lower(), result, _text(tags.get(b"s", b"")) or None)


def _verify(parts: SignedParts, field: bytes, tags: dict[bytes, bytes], records: Records, now: float) -> None:
    """RFC 6376 section 6.1, step by step; returns for a signature that holds."""
    for name in _NEEDED:
        if not tags.get(name):
            raise BrokenSignatureError("a tag is missing")
    kind = _ALGORITHMS.get(tags[b"a"])
    if tags[b"v"] != b"1" or kind is None:
        raise BrokenSignatureError("unknown version or algorithm")
    names = [name.strip(b" \t\r\n").lower() for name in tags[b"h"].split(b":")]
    if b"from" not in names:
        raise BrokenSignatureError("From is not signed")
    head_form, _, body_form = tags.get(b"c", b"simple").partition(b"/")
    body_form = body_form or b"simple"
    if head_form not in _FORMS or body_form not in _FORMS or b"dns/txt" not in tags.get(b"q", b"dns/txt").split(b":"):
        raise BrokenSignatureError("unknown form or query method")
    domain = tags[b"d"].lower()
    identity = tags.get(b"i", b"@" + domain).lower().rpartition(b"@")[2]
    if identity != domain and not identity.endswith(b"." + domain):
        raise BrokenSignatureError("i= is not of d=")
    _check_times(tags, now)
    length = _number(tags, b"l")
    signature, digest = _bytes(tags[b"b"]), _bytes(tags[b"bh"])

    texts = records(f"{_text(tags[b's'])}._domainkey.{_text(domain)}")
    if not texts or len(texts[0]) > _LONGEST_RECORD:
        raise BrokenSignatureError("there is no key")
    key = public_key(texts[0])
    if isinstance(key, BrokenSignatureError):
        raise key
    if not isinstance(key.key, kind) or (key.strict and identity != domain):
        raise BrokenSignatureError("the key is not for this signature")
    if parts.body_digest(body_form, length) != digest:
        raise BadSignatureError("the body is another one")
    # one From more than was signed: a second one put on top shows (RFC 6376 section 8.15)
    data = parts.signed([*names, b"from"], head_form, field)
    try:
        if isinstance(key.key, RSAPublicKey):
            key.key.verify(signature, data, PKCS1v15(), SHA256())
        else:
            key.key.verify(signature, hashlib.sha256(data).digest())  # RFC 8463 section 3
    except InvalidSignature:
        raise BadSignatureError("the signature does not hold") from None


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
    tags = _tags(record)
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
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise BrokenSignatureError("unknown kind of key, or too short")
    return _Key(key, strict)


def _tags(value: bytes) -> dict[bytes, bytes]:
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


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")[:253]


def _fields(head: bytes) -> list[bytes]:
    """The fields of a header, each with its continuation lines. Raises `BrokenSignatureError`."""
    if b"\r\n " not in head and b"\r\n\t" not in head:
        return head.split(b"\r\n") if head else []
    fields: list[list[bytes]] = []
    for line in head.split(b"\r\n"):
        if line[:1] not in (b" ", b"\t"):
            fields.append([line])
        elif fields:
            fields[-1].append(line)
        else:
            raise BrokenSignatureError("the header begins with a continuation")
    return [b"\r\n".join(lines) for lines in fields]


def _relaxed_field(field: bytes) -> bytes:
    """RFC 6376 section 3.4.2."""
    name, _, value = field.partition(b":")
    if b"\r\n" in value:
        value = value.replace(b"\r\n", b"")
    return name.rstrip(b" \t").lower() + b":" + _single_blanks(value).strip(b" ")


def _single_blanks(data: bytes) -> bytes:
    return _BLANKS.sub(b" ", data) if b"\t" in data or b"  " in data else data


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4: blanks squeezed, none at line ends, no empty lines at the end."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    body = _single_blanks(body)
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    body = _without_empty_lines(body)
    return b"" if body == b"\r\n" else body


def simple_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.3: no empty lines at the end."""
    return _without_empty_lines(body if body.endswith(b"\r\n") else body + b"\r\n")


def _without_empty_lines(body: bytes) -> bytes:
    """One line end at the end, however many there were; linear for a body of line ends only."""
    end = len(body)
    while end >= 4 and body.startswith(b"\r\n\r\n", end - 4):
        end -= 2
    return body[:end]
