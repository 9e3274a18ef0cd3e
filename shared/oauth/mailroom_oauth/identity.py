"""Who signed in: the claims of an ID token. It came straight from the token endpoint over TLS, so that its signature adds
nothing (OpenID Connect Core section 3.1.3.7, item 6); issuer, audience, nonce and end are checked. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .trouble import SignInNeeded

SKEW_S = 300
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MANY_TENANTS = ("common", "organizations", "consumers")


def claims_of(id_token: str) -> dict[str, Any]:
    """The claims, nothing checked. Raises `SignInNeeded`."""
    parts = id_token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, IndexError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SignInNeeded("The provider did not say who signed in. Sign in again.", "no_identity")
    return found


def check(claims: Mapping[str, Any], *, client_id: str, now: float, nonce: str | None) -> None:
    """Audience, end and nonce. Raises `SignInNeeded`."""
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise SignInNeeded("The provider's answer is for another application. Sign in again.", "wrong_audience")
    ends = claims.get("exp")
    if not isinstance(ends, int | float) or ends < now - SKEW_S:
        raise SignInNeeded(
            "The provider's answer is too old. Check the clock of this machine, and sign in again.", "expired"
        )
    if nonce is not None and claims.get("nonce") != nonce:
        raise SignInNeeded("The provider's answer belongs to another sign-in. Sign in again.", "wrong_nonce")


def issuer_holds(claims: Mapping[str, Any], *, discovered: str, authority: str) -> bool:
    """Whether the token's issuer is the one that was asked.

    One tenant: the very issuer of its discovery document. Where accounts of many tenants may sign in (…/common), the
    document names a pattern (`{tenantid}`), or one tenant of many: then the issuer must be of the same host and name
    the tenant that the token itself names (`tid`)."""
    issuer = str(claims.get("iss") or "")
    tenant = urlsplit(authority).path.strip("/").split("/")[0].lower()
    if tenant not in _MANY_TENANTS:
        return bool(issuer) and issuer.rstrip("/") == discovered.rstrip("/")
    tid = str(claims.get("tid") or "")
    if not _GUID.fullmatch(tid):
        return False
    pattern = _GUID.sub("{tenantid}", discovered)
    return issuer == pattern.replace("{tenantid}", tid)


def emails_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses that the account goes by: its user name first, where that is one. Raises `SignInNeeded`."""
    named = [str(claims.get(name) or "").strip() for name in ("preferred_username", "email", "upn")]
    if claims.get("email_verified") is False:
        named[1] = ""
    found = tuple(
        dict.fromkeys(n.lower() for n in named if 3 <= len(n) <= 320 and "@" in n.strip("@") and n.isprintable())
    )
    if not found:
        raise SignInNeeded(
            "The provider did not name the account's address: allow it to see the email address.", "no_email"
        )
    return found
