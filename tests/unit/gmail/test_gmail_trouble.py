"""What goes wrong with Gmail, told apart by what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httplib2
import pytest
from google.auth.exceptions import RefreshError, TransportError
from googleapiclient.errors import HttpError
from mailroom_gmail import Expired, Limited, Refused, Revoked, Temporary
from mailroom_gmail.trouble import explain, from_status

refused: Callable[..., Exception] = RefreshError  # Google's own have no types
unreachable: Callable[..., Exception] = TransportError


def body(reason: str, message: str = "what Google says", **more: object) -> bytes:
    return json.dumps({"error": {"message": message, "errors": [{"reason": reason}], **more}}).encode()


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (401, body("authError"), Revoked),
        (403, body("userRateLimitExceeded"), Limited),
        (403, body("rateLimitExceeded"), Limited),
        (403, body("dailyLimitExceeded"), Limited),
        (403, body("insufficientPermissions"), Revoked),
        (403, body("domainPolicy"), Refused),
        (429, b"not json", Limited),
        (404, body("notFound"), Expired),
        (410, body("gone"), Expired),
        (400, body("invalidArgument"), Refused),
        (413, b"", Refused),
        (408, b"", Temporary),
        (500, body("backendError"), Temporary),
        (503, b"<html>", Temporary),
    ],
)
def test_answers(status: int, content: bytes, kind: type[Exception]) -> None:
    assert type(from_status(status, content, {})) is kind


def test_a_rate_limit_that_also_carries_a_scope_status_is_a_limit() -> None:
    """Gmail sends 403 rate limits with status PERMISSION_DENIED: nobody has to sign in again for that."""
    assert isinstance(from_status(403, body("userRateLimitExceeded", status="PERMISSION_DENIED"), {}), Limited)


def test_retry_after_as_seconds_and_as_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=60)
    for asked, seconds in (("12", 12.0), (format_datetime(later, usegmt=True), 60.0)):
        limited = from_status(429, b"", {"retry-after": asked})
        assert isinstance(limited, Limited)
        assert limited.retry_after_s == pytest.approx(seconds, abs=5)


@pytest.mark.parametrize("asked", ["", "soon", "-3"])
def test_a_broken_retry_after_is_none_or_now(asked: str) -> None:
    limited = from_status(429, b"", {"retry-after": asked})
    assert isinstance(limited, Limited)
    assert not limited.retry_after_s


def test_a_sending_limit_says_its_end_in_words() -> None:
    until = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    limited = from_status(429, body("rateLimitExceeded", f"User-rate limit exceeded.  Retry after {until}"), {})
    assert isinstance(limited, Limited)
    assert limited.retry_after_s == pytest.approx(7200, abs=5)


@pytest.mark.parametrize("word", ["invalid_grant", "invalid_client", "unauthorized_client"])
def test_a_refused_renewal_is_revoked_and_names_no_token(word: str) -> None:
    trouble = explain(refused(f"{word}: Token has been expired or revoked.", {"token": "secret-token"}))
    assert isinstance(trouble, Revoked)
    assert "secret-token" not in str(trouble)


def test_an_unclear_renewal_is_temporary() -> None:
    assert isinstance(explain(refused("internal_failure", retryable=True)), Temporary)
    assert isinstance(explain(refused("unknown thing")), Temporary)


@pytest.mark.parametrize(
    "error",
    [unreachable("x"), ConnectionResetError(), TimeoutError(), httplib2.ServerNotFoundError(), KeyError("id")],
)
def test_the_network_is_temporary(error: Exception) -> None:
    assert isinstance(explain(error), Temporary)


def test_the_clients_own_error_is_read_with_its_headers() -> None:
    response: Any = httplib2.Response({"status": 429, "Retry-After": "3"})
    limited = explain(HttpError(response, body("rateLimitExceeded")))
    assert isinstance(limited, Limited)
    assert limited.retry_after_s == 3
