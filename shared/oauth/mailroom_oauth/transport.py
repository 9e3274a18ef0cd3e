"""HTTP to providers: requests, which msal and Authlib speak, with an end to time and bytes and without redirects."""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError, ReadTimeout
from urllib3.exceptions import HTTPError

LARGEST_ANSWER = 256 * 1024


class BoundedAdapter(HTTPAdapter):
    """Reads the whole answer within `timeout_s` (of connecting, and of all the rest) and `LARGEST_ANSWER`.

    requests' own time-out is for each read: a byte a second would go on for ever. msal has none at all."""

    def __init__(self, timeout_s: float, ca_files: tuple[str, ...]) -> None:
        self._timeout = timeout_s
        self._context = ssl.create_default_context()
        for file in ca_files:
            self._context.load_verify_locations(cafile=file)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, verify: bool | str = True,
        cert: Any = None, proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:  # fmt: skip
        ends = time.monotonic() + self._timeout
        limits = (min(self._timeout, 5.0), self._timeout)
        response = super().send(request, True, limits, verify, cert, proxies)
        raw, body = response.raw, bytearray()
        try:
            for chunk in raw.stream(8192, decode_content=True):
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise ConnectionError("the answer is too large", request=request)
                if time.monotonic() > ends:
                    raise ReadTimeout("the answer takes too long", request=request)
        except HTTPError as error:
            raise ConnectionError(type(error).__name__, request=request) from None
        finally:
            raw.close()
            raw.release_conn()
        response.raw = io.BytesIO(body)  # from here on requests reads what is here already
        return response


def prepare(session: requests.Session, timeout_s: float, ca_files: tuple[str, ...]) -> requests.Session:
    """Put the bounds on a session. A token endpoint that redirects is none (a POST would lose its body)."""
    adapter = BoundedAdapter(timeout_s, ca_files)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.max_redirects = 0
    return session
