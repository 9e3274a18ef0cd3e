"""How an account's calls reach Google: the description of the API, the connections that are kept, the credentials."""

from __future__ import annotations

import functools
import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import google_auth_httplib2
import httplib2
from google.auth.exceptions import GoogleAuthError
from google.auth.transport import Request as _AnyRequest
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.discovery_cache import get_static_doc

from .oauth import GoogleSettings
from .transport import Http


def _document(api_url: str) -> dict[str, Any]:
    """Google's description of the Gmail API, as it ships with the client: never fetched. It names `api_url`, since
    uploads go to where the description says, whatever endpoint is set."""
    document = get_static_doc("gmail", "v1")  # type: ignore[no-untyped-call]
    if document is None:
        raise RuntimeError("google-api-python-client ships no description of gmail v1")
    root = api_url.rstrip("/") + "/"
    return dict(json.loads(document)) | {"rootUrl": root, "baseUrl": root}


@dataclass(frozen=True, slots=True)
class Methods:
    """The parts of the API that are used. They only write requests, so all accounts and threads share them."""

    users: Any
    messages: Any
    history: Any


@functools.cache
def methods(api_url: str) -> Methods:
    build: Any = vars(discovery)["build_from_document"]  # the type stubs do not know it
    # the connection given here is never used: each call brings its account's own
    users = build(
        _document(api_url), http=httplib2.Http(), client_options={"api_endpoint": api_url.rstrip("/") + "/"}
    ).users()
    return Methods(users, users.messages(), users.history())


class Connections:
    """One account's connections and its access token. httplib2 is not safe for threads, so a connection serves one
    call at a time."""

    def __init__(self, settings: GoogleSettings, refresh_token: str) -> None:
        self._timeout_s = settings.timeout_s
        self._credentials = Credentials(  # type: ignore[no-untyped-call]
            token=None,
            refresh_token=refresh_token,
            token_uri=settings.token_url,
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
        )
        self._refreshing = threading.Lock()
        self._idle: queue.SimpleQueue[tuple[Any, float]] = queue.SimpleQueue()  # with when it was used last

    @contextmanager
    def one(self, *, idle_at_most_s: float | None = None) -> Iterator[Any]:
        """A connection for one call, kept for the next one unless it broke.

        `idle_at_most_s`: one that was not used for longer is opened anew, since the server may have closed it. For
        what must not be repeated; elsewhere httplib2 repeats by itself.
        """
        try:
            http, used_at = self._idle.get_nowait()
            if idle_at_most_s is not None and time.monotonic() - used_at > idle_at_most_s:
                http.close()
        except queue.Empty:
            plain = Http(timeout=self._timeout_s)
            # with 308 a resumable upload asks for its next part (as googleapiclient's own build_http does)
            plain.redirect_codes = plain.redirect_codes - {308}
            credentials = _Once(self._credentials, self._refreshing, self._timeout_s)
            http = google_auth_httplib2.AuthorizedHttp(credentials, http=plain)
        try:
            yield http
        except (OSError, HTTPException, httplib2.HttpLib2Error, GoogleAuthError):
            http.close()  # a cut connection is not used again
            raise
        except BaseException:
            self._idle.put((http, time.monotonic()))
            raise
        else:
            self._idle.put((http, time.monotonic()))

    def close(self) -> None:
        """Close those that are kept."""
        while True:
            try:
                self._idle.get_nowait()[0].close()
            except queue.Empty:
                return


class _Once(Credentials):
    """Credentials shared by the threads of one account: one of them renews, the others wait and use what it got."""

    def __init__(self, shared: Credentials, lock: threading.Lock, timeout_s: float) -> None:
        self.__dict__["_shared"], self.__dict__["_lock"], self.__dict__["_timeout_s"] = shared, lock, timeout_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_shared"], name)

    def before_request(self, request: _AnyRequest, method: str, url: str, headers: dict[str, str]) -> None:
        shared: Any = self.__dict__["_shared"]
        if not shared.valid:
            self.refresh(request)
        shared.apply(headers)

    def refresh(self, request: _AnyRequest) -> None:
        shared: Any = self.__dict__["_shared"]
        seen = shared.token
        with self.__dict__["_lock"]:
            if shared.token == seen:
                # not over the connection given: for batches Google's client makes one without a time limit
                own = httplib2.Http(timeout=self.__dict__["_timeout_s"])
                try:
                    shared.refresh(google_auth_httplib2.Request(own))
                finally:
                    own.close()
