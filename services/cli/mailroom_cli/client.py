"""A small client of the console's API (`MAILROOM_URL`, `MAILROOM_TOKEN`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from .output import Failure

DEFAULT_URL = "http://127.0.0.1:8080"


class Api:
    """Calls /api/v1. Raises `Failure` with the API's own words."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self.url = (url or os.environ.get("MAILROOM_URL") or DEFAULT_URL).rstrip("/")
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token or _token()}"},
            timeout=httpx.Timeout(30.0),
        )

    def get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Any = None, *, idempotency_key: str | None = None) -> Any:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._call("POST", path, json=body if body is not None else {}, headers=headers)

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        after, seen = None, 0
        while True:
            page = self.get(path, next=after, **params)
            for item in page["items"]:
                if limit is not None and seen >= limit:
                    return
                seen += 1
                yield item
            after = page.get("next")
            if not after:
                return

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Failure(
                f"the console at {self.url} does not answer ({type(error).__name__}). Is it running? See `make status`"
            ) from error
        if answer.is_error:
            raise Failure(_words(answer))
        return answer.json() if answer.content else None


def _words(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"the console answered {answer.status_code}"
    detail = problem.get("detail") or problem.get("title") or "no reason given"
    return f"{detail} ({problem.get('code') or answer.status_code})"


def _token() -> str:
    if token := os.environ.get("MAILROOM_TOKEN"):
        return token.strip()
    path = Path(os.environ.get("MAILROOM_DATA", ".data")) / "api-token"
    try:
        return path.read_text().strip()
    except OSError:
        raise Failure(f"no API token: set MAILROOM_TOKEN, or run where {path} is (made by `make up`)") from None
