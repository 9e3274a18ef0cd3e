"""What goes wrong with Gmail, told apart by what to do about it.

Source: Gmail API, "Resolve errors"; RFC 6749 section 5.2 for the token endpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any

import httplib2
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from googleapiclient.errors import Error as GoogleApiError
from googleapiclient.errors import HttpError

# all that Google's client, httplib2 and the network raise; KeyError and ValueError for answers cut or not JSON
ERRORS = (
    GoogleApiError, GoogleAuthError, HTTPException, httplib2.HttpLib2Error, OSError, KeyError, ValueError,
)  # fmt: skip


class GmailTrouble(Exception):
    """Any trouble with Gmail; the message is for people and never holds a token."""


class Revoked(GmailTrouble):
    """The permission is gone (revoked, expired, password changed): only signing in again helps."""


class Limited(GmailTrouble):
    """Google asks to slow down. `retry_after_s`: seconds to wait, when it said so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Temporary(GmailTrouble):
    """Google or the network is away; try again."""


class Expired(GmailTrouble):
    """The history id is too old (404): a full listing has to fill the gap."""


class Refused(GmailTrouble):
    """Google will not do it, now or later."""


_LIMITS = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded", "RESOURCE_EXHAUSTED"}
_SCOPES = {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "PERMISSION_DENIED", "forbidden"}
_WHEN = re.compile(r"Retry after (\d{4}-\d\d-\d\dT[\d:.]+Z)")
_GONE = ("invalid_grant", "unauthorized_client", "invalid_client", "deleted_client", "access_denied")


def explain(error: Exception) -> GmailTrouble:
    """The trouble behind an error of Google's client or of the network."""
    if isinstance(error, GmailTrouble):
        return error
    if isinstance(error, HttpError):
        return _http(error)
    if isinstance(error, RefreshError):
        return _refresh(error)
    if isinstance(error, TransportError | OSError | TimeoutError):
        return Temporary(f"Google cannot be reached ({type(error).__name__})")
    # httplib2 raises its own for cut and broken answers; all of them are worth another try
    return Temporary(f"Google's answer could not be read ({type(error).__name__})")


def from_status(status: int, body: bytes, headers: Mapping[str, str]) -> GmailTrouble:
    """The trouble behind an HTTP answer."""
    said, reasons = _said(body)
    if status == 429 or reasons & _LIMITS:
        return Limited(f"Google asks to slow down: {said}", _retry_after(headers) or _said_when(said))
    if status == 401:
        return Revoked(f"Google does not accept the sign-in any more: {said}")
    if status == 403 and reasons & _SCOPES:
        return Revoked(f"a permission is missing: {said}")
    if status in (404, 410):
        return Expired(f"Google does not know it (any more): {said}")
    if status >= 500 or status == 408:
        return Temporary(f"Google answered {status}: {said}")
    return Refused(f"Google refused ({status}): {said}")


def _http(error: HttpError) -> GmailTrouble:
    headers = {str(k).lower(): str(v) for k, v in dict(error.resp).items()}
    return from_status(int(error.resp.status), error.content or b"", headers)


def _refresh(error: RefreshError) -> GmailTrouble:
    said = str(error.args[0]) if error.args else "no reason given"
    if any(word in str(error) for word in _GONE):
        return Revoked("Google does not accept the sign-in any more: it was revoked or has expired")
    if getattr(error, "retryable", False):
        return Temporary(f"Google's sign-in server is away: {said[:200]}")
    return Temporary(f"the sign-in could not be renewed: {said[:200]}")


def _said(body: bytes) -> tuple[str, set[str]]:
    try:
        parsed: Any = json.loads(body)
        error = parsed.get("error", {})
        if isinstance(error, str):
            return str(parsed.get("error_description") or error)[:300], {error}
        reasons = {str(each.get("reason", "")) for each in error.get("errors", [])}
        reasons |= {str(each.get("reason", "")) for each in error.get("details", []) if isinstance(each, dict)}
        reasons.add(str(error.get("status", "")))
        return str(error.get("message") or "no reason given")[:300], reasons
    except (ValueError, AttributeError):
        return "no reason given", set()


def _said_when(said: str) -> float | None:
    """Gmail's sending limits say in their text until when: "Retry after 2026-11-24T12:00:00.000Z"."""
    found = _WHEN.search(said)
    if found is None:
        return None
    try:
        return max(0.0, (datetime.fromisoformat(found[1]) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """RFC 9110 section 10.2.3: seconds, or a date."""
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
