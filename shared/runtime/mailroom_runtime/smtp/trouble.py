"""What can go wrong on the way to a signed-in SMTP session, told apart by who can mend it."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

# code -> the field of an address's settings that it points at
FIELDS = {
    "host_not_found": "smtp.host",
    "no_answer": "smtp.host",
    "private_host": "smtp.host",
    "closed_at_once": "smtp.port",
    "port_refused": "smtp.port",
    "no_login": "smtp.port",
    "no_greeting": "smtp.tls",
    "tls_refused": "smtp.tls",
    "tls_needed": "smtp.tls",
    "tls_broken": "smtp.host",
    "certificate_invalid": "smtp.host",
    "login_refused": "password",
    "login_unavailable": "",
    "too_many_tries": "password",
    "sign_in_wanted": "smtp.auth",
    "sign_in_not_offered": "smtp.auth",
    "smtp_auth_disabled": "",
    "token_refused": "smtp.provider",
    "sign_in_needed": "smtp.provider",
    "sender_refused": "email",
}


class SmtpTrouble(Exception):
    """Connecting or signing in did not work. `str()` is for people and holds no secret.

    `code`: a key of `FIELDS`. `temporary`: worth trying again by itself. `doubtful`: a refusal that servers also give while
    they cannot check, so a secret that worked before may still be right.
    """

    def __init__(self, code: str, text: str, *, temporary: bool = False, doubtful: bool = False) -> None:
        super().__init__(text)
        self.code, self.temporary, self.doubtful = code, temporary, doubtful


def said(code: int, message: str) -> str:
    """A server's own words on one line, cut, without control characters."""
    return f"{code} {one_line(message)}"[:400].rstrip()


def one_line(text: str) -> str:
    """Text of somebody else's on one line."""
    return " ".join(_CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8", "replace")).split())
