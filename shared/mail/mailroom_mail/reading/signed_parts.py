"""A mail as its signatures see it: fields and body in their canonical forms (RFC 6376 section 3.4). Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

_LINE_END = re.compile(rb"\r?\n")
_BLANKS = re.compile(rb"[ \t]+")
_B_VALUE = re.compile(rb"(?:\A|(?<=;))([ \t\r\n]*b[ \t\r\n]*=)[^;]*")


class BrokenSignatureError(ValueError):
    """The signature or its key record is not what RFC 6376 demands: no later try will help (permerror)."""


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

    def with_fields(self, changed: Mapping[bytes, list[bytes]]) -> SignedParts:
        """The same mail with other fields of those names (lower case); an empty list takes them away."""
        other = SignedParts.__new__(SignedParts)
        other._fields = {**self._fields, **changed}
        other._body, other._bodies = self._body, self._bodies
        return other

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
        pieces.append(without_signature(signature))
        return relaxed_fields(pieces) if form == b"relaxed" else b"\r\n".join(pieces)


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


def without_signature(field: bytes) -> bytes:
    """The field with an empty b= (RFC 6376 section 3.7)."""
    name, _, value = field.partition(b":")
    return name + b":" + _B_VALUE.sub(rb"\1", value, count=1)


def relaxed_fields(fields: Sequence[bytes]) -> bytes:
    """RFC 6376 section 3.4.2, the fields after each other."""
    joined = b"\r\n".join(fields)
    odd = b"\t" in joined or b"  " in joined or b"\r\n " in joined
    lines: list[bytes] = []
    for field in fields:
        name, _, value = field.partition(b":")
        if odd:
            value = _single_blanks(value.replace(b"\r\n", b""))
        lines.append(name.rstrip(b" \t").lower() + b":" + value.strip(b" "))
    return b"\r\n".join(lines)


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
