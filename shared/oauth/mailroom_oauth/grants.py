"""What a sign-in gives: tokens, and who signed in. Tokens never show in a representation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RENEWED_WITH_LEFT = 0.25  # of its life, a token is renewed
RENEWED_AT_MOST_S = 900.0  # before its end


@dataclass(frozen=True, slots=True)
class Tokens:
    """One set of tokens. Times in seconds since 1970; `expires_at` is when the access token ends."""

    refresh_token: str
    access_token: str
    issued_at: float
    expires_at: float

    def __repr__(self) -> str:
        return f"Tokens(expires_at={self.expires_at})"

    @classmethod
    def of(cls, answer: Mapping[str, Any], now: float, *, before: Tokens | None = None) -> Tokens:
        """Of a token endpoint's answer (RFC 6749 section 5.1). No new refresh token: the former one stays. Raises
        ValueError where there is no usable one."""
        access = str(answer.get("access_token") or "")
        refresh = str(answer.get("refresh_token") or (before.refresh_token if before is not None else ""))
        if not access or not refresh:
            raise ValueError("the answer holds no " + ("access token" if not access else "lasting access"))
        try:
            lasts = min(max(float(answer.get("expires_in") or 3600), 1.0), 30 * 86_400.0)
        except (TypeError, ValueError):
            lasts = 3600.0
        return cls(refresh, access, now, now + lasts)

    def lasts(self, now: float) -> bool:
        """Whether it is far enough from its end: a server counts an ended token as a failed login, and lets the next
        one wait."""
        return now < self.expires_at - min((self.expires_at - self.issued_at) * RENEWED_WITH_LEFT, RENEWED_AT_MOST_S)

    def sealable(self) -> str:
        """As it is sealed and kept."""
        return json.dumps({"refresh_token": self.refresh_token, "access_token": self.access_token,
                           "issued_at": self.issued_at, "expires_at": self.expires_at})  # fmt: skip

    @classmethod
    def kept(cls, text: str) -> Tokens:
        """Of what was sealed. Raises ValueError, without repeating it."""
        try:
            found = json.loads(text)
            return cls(str(found["refresh_token"]), str(found["access_token"]), float(found["issued_at"]),
                       float(found["expires_at"]))  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise ValueError("the stored sign-in is broken") from None


@dataclass(frozen=True, slots=True)
class Begun:
    """The start of a sign-in: where to send the browser, the state that comes back, and what to remember until then."""

    url: str
    state: str
    flow: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grant:
    """Who signed in (`emails`: all addresses that the provider names, its user name first), and the tokens."""

    emails: tuple[str, ...]
    tokens: Tokens
