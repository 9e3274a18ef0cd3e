"""What SASL mechanisms say over SMTP (RFC 4422, RFC 4954), and which one is used. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Collection

PASSWORDS = ("plain", "login", "cram-md5")
TOKENS = ("xoauth2", "oauthbearer")
LONGEST_LINE = 512  # octets with CRLF (RFC 5321 section 4.5.3.1.4)
LONGEST_CHALLENGE = 16_384
END_OF_REFUSAL = {"xoauth2": b"", "oauthbearer": b"AQ=="}  # Google's XOAUTH2; RFC 7628 section 3.2.3


def usable(offered: Collection[str], *, token: bool, private: bool) -> list[str]:
    """The mechanisms to use, best first: one login is tried with one of them, others only where the server does not
    know that one. `private`: nobody can listen, so the password itself may go over the line."""
    known = TOKENS if token else PASSWORDS if private else tuple(reversed(PASSWORDS))
    return [name for name in known if name in offered]


def plain(user: str, password: str) -> bytes:
    """RFC 4616."""
    return base64.b64encode(b"\0".join((b"", user.encode(), password.encode())))


def cram_md5(user: str, password: str, challenge: bytes) -> bytes:
    """RFC 2195. Raises ValueError for a challenge that is none."""
    digest = hmac.new(password.encode(), _decoded(challenge), "md5").hexdigest()
    return base64.b64encode(f"{user} {digest}".encode())


def xoauth2(user: str, token: str) -> bytes:
    """Google's mechanism, which Microsoft speaks too."""
    return base64.b64encode(f"user={user}\1auth=Bearer {token}\1\1".encode())


def oauthbearer(user: str, token: str, host: str, port: int) -> bytes:
    """RFC 7628 section 3.1, with the user as GS2 authorisation identity (RFC 5801 section 4)."""
    name = user.replace("=", "=3D").replace(",", "=2C")
    return base64.b64encode(f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1".encode())


def fits(mechanism: str, response: bytes) -> bool:
    """Whether `AUTH mechanism response` may be one line. Where not, the response must wait for a 334 (RFC 4954
    section 4): a token is often longer, and servers cut or refuse such a line."""
    return len(b"AUTH  \r\n") + len(mechanism) + len(response) <= LONGEST_LINE


def refusal(challenge: str) -> dict[str, str]:
    """The JSON that a server gives for a token it does not take, as strings; empty where it is none."""
    try:
        parsed = json.loads(_decoded(challenge[:LONGEST_CHALLENGE].encode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    return {str(name): str(value)[:500] for name, value in list(parsed.items())[:20]}


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
