"""One Gmail account: reading and sending. Google's client blocks, so every call runs in a thread of the given pool."""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import google_auth_httplib2
import httplib2
from google.auth.transport import Request as _AnyRequest
from google.oauth2.credentials import Credentials
from googleapiclient import discovery
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import BatchError, HttpError
from googleapiclient.http import BatchHttpRequest, MediaIoBaseUpload

from .oauth import GoogleSettings
from .trouble import ERRORS, Expired, GmailTrouble, Refused, explain, from_status

R = TypeVar("R")

# Gmail API usage limits, "Per-method quota usage"
UNITS = {"profile": 1, "history": 2, "list": 5, "get": 5, "send": 100, "watch": 100, "stop": 50}
RESUMABLE_FROM = 5 * 1024 * 1024
LARGEST_BYTES = 25 * 1024 * 1024  # what Gmail sends at the most, encoded
BATCH_SIZE = 50  # Google advises at most 50 calls in a batch


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """New messages since a history id. `history_id` is where to go on after the last page."""

    added: tuple[tuple[str, tuple[str, ...]], ...]
    history_id: str
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of message ids, newest first."""

    ids: tuple[str, ...]
    next_page: str | None
    estimate: int


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as it lies in Gmail."""

    id: str
    thread_id: str
    label_ids: tuple[str, ...]
    raw: bytes
    history_id: str
    internal_ms: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that Gmail took."""

    id: str
    thread_id: str


@dataclass(slots=True)
class Quota:
    """Units spent, per method."""

    spent: dict[str, int] = field(default_factory=dict)

    def add(self, method: str, times: int = 1) -> None:
        self.spent[method] = self.spent.get(method, 0) + UNITS[method] * times

    @property
    def total(self) -> int:
        return sum(self.spent.values())


@functools.cache
def _document() -> str:
    """Google's description of the Gmail API, as it ships with the client: never fetched."""
    document = get_static_doc("gmail", "v1")  # type: ignore[no-untyped-call]
    if document is None:
        raise RuntimeError("google-api-python-client ships no description of gmail v1")
    return str(document)


class GmailClient:
    """Calls for one account. All methods raise `GmailTrouble` kinds.

    `threads` is shared by all accounts of a process, so that hundreds of them need few threads; connections are
    kept and used again.
    """

    def __init__(self, settings: GoogleSettings, refresh_token: str, threads: Executor) -> None:
        self._settings = settings
        self._threads = threads
        self._credentials = Credentials(  # type: ignore[no-untyped-call]
            token=None,
            refresh_token=refresh_token,
            token_uri=settings.token_url,
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
        )
        self._refreshing = threading.Lock()
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._batches = True
        self.quota = Quota()

    def __repr__(self) -> str:
        return "GmailClient()"

    async def profile(self) -> tuple[str, str]:
        """Address and present history id. Where getProfile is missing: the newest message's history id."""
        return await self._call("profile", self._profile)

    async def history(self, since: str, label_ids: Sequence[str], page: str | None = None) -> HistoryPage:
        """What was added after history id `since`. Raises `Expired` when that is too long ago."""

        def call(api: Any) -> HistoryPage:
            # no labelId here: Gmail takes one only, and sent mail is wanted beside the inbox
            answer = (
                api.users()
                .history()
                .list(userId="me", startHistoryId=since, historyTypes=["messageAdded"], maxResults=500, pageToken=page)
                .execute()
            )
            added: dict[str, tuple[str, ...]] = {}
            for entry in answer.get("history", []):
                for each in entry.get("messagesAdded", []):
                    message = each["message"]
                    added[message["id"]] = tuple(message.get("labelIds", ()))
            return HistoryPage(
                tuple(added.items()), str(answer.get("historyId") or since), answer.get("nextPageToken") or None
            )

        return await self._call("history", call)

    async def listing(self, query: str, label_ids: Sequence[str], page: str | None = None) -> Listing:
        """Message ids that match `query` (Gmail's search), newest first."""

        def call(api: Any) -> Listing:
            answer = (
                api.users()
                .messages()
                .list(userId="me", q=query or None, labelIds=list(label_ids) or None, maxResults=200, pageToken=page)
                .execute()
            )
            ids = tuple(str(m["id"]) for m in answer.get("messages", []))
            return Listing(ids, answer.get("nextPageToken") or None, int(answer.get("resultSizeEstimate") or len(ids)))

        return await self._call("list", call)

    async def raw(self, ids: Sequence[str]) -> dict[str, RawMessage | GmailTrouble]:
        """The raw sources, in batches; a message that is gone or refused gives its trouble."""
        found: dict[str, RawMessage | GmailTrouble] = {}
        for start in range(0, len(ids), BATCH_SIZE):
            chunk = list(ids[start : start + BATCH_SIZE])
            if self._batches and len(chunk) > 1:
                self.quota.add("get", len(chunk))
                try:
                    found |= await self._run(functools.partial(self._raw_batch, ids=chunk))
                    continue
                except (Refused, Expired):
                    # no batch endpoint here (an emulator, a proxy): one by one from now on
                    self._batches = False
            else:
                self.quota.add("get", len(chunk))
            answers = await asyncio.gather(*(self._run(functools.partial(_raw_one, message_id=i)) for i in chunk),
                                           return_exceptions=True)  # fmt: skip
            for message_id, answer in zip(chunk, answers, strict=True):
                if isinstance(answer, BaseException) and not isinstance(answer, GmailTrouble):
                    raise answer
                found[message_id] = answer
        return found

    async def find(self, rfc_message_id: str) -> Sent | None:
        """The message with this Message-ID, wherever it lies: looked up before a resend."""

        def call(api: Any) -> Sent | None:
            answer = (
                api.users()
                .messages()
                .list(userId="me", q=f"rfc822msgid:{rfc_message_id}", includeSpamTrash=True, maxResults=1)
                .execute()
            )
            for message in answer.get("messages", []):
                return Sent(str(message["id"]), str(message.get("threadId") or ""))
            return None

        return await self._call("list", call)

    async def send(self, raw: bytes, thread_id: str | None) -> Sent:
        """Send a whole mail, in a thread where one is given; large ones by resumable upload."""
        if len(raw) > LARGEST_BYTES:
            raise Refused(f"the mail has {len(raw) // 2**20} MB; Gmail takes at most {LARGEST_BYTES // 2**20}")

        def call(api: Any) -> Sent:
            body: dict[str, Any] = {"threadId": thread_id} if thread_id else {}
            if len(raw) >= RESUMABLE_FROM:
                media = MediaIoBaseUpload(io.BytesIO(raw), "message/rfc822", chunksize=4 * 2**20, resumable=True)
                request = api.users().messages().send(userId="me", body=body, media_body=media)
                answer = None
                while answer is None:
                    _, answer = request.next_chunk()
            else:
                body["raw"] = base64.urlsafe_b64encode(raw).decode()
                answer = api.users().messages().send(userId="me", body=body).execute()
            return Sent(str(answer["id"]), str(answer.get("threadId") or thread_id or ""))

        return await self._call("send", call)

    async def watch(self, pubsub_topic: str, label_ids: Sequence[str]) -> tuple[str, int]:
        """Ask for push; history id and when it ends (milliseconds since 1970)."""

        def call(api: Any) -> tuple[str, int]:
            answer = (
                api.users().watch(userId="me", body={"topicName": pubsub_topic, "labelIds": list(label_ids)}).execute()
            )
            return str(answer["historyId"]), int(answer.get("expiration") or 0)

        return await self._call("watch", call)

    def close(self) -> None:
        """Close the connections that are kept."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    async def _call(self, method: str, call: Callable[[Any], R]) -> R:
        self.quota.add(method)
        return await self._run(call)

    async def _run(self, call: Callable[[Any], R]) -> R:
        def blocking() -> R:
            try:
                with self._api() as api:
                    return call(api)
            except ERRORS as error:
                raise explain(error) from None

        return await asyncio.get_running_loop().run_in_executor(self._threads, blocking)

    @contextmanager
    def _api(self) -> Iterator[Any]:
        """A service of its own per running call (httplib2 is not safe for threads), kept for the next one."""
        try:
            api = self._idle.get_nowait()
        except queue.Empty:
            http = google_auth_httplib2.AuthorizedHttp(
                _Once(self._credentials, self._refreshing), http=httplib2.Http(timeout=self._settings.timeout_s)
            )
            build: Any = vars(discovery)["build_from_document"]  # the type stubs do not know it
            api = build(_document(), http=http, client_options={"api_endpoint": self._settings.api_url})
        try:
            yield api
        except (OSError, httplib2.HttpLib2Error):
            api.close()  # a cut connection is not used again
            raise
        except BaseException:
            self._idle.put(api)
            raise
        else:
            self._idle.put(api)

    def _profile(self, api: Any) -> tuple[str, str]:
        try:
            answer = api.users().getProfile(userId="me").execute()
            return str(answer["emailAddress"]).lower(), str(answer["historyId"])
        except HttpError as error:
            if error.resp.status != 404:
                raise
        newest = api.users().messages().list(userId="me", maxResults=1).execute().get("messages", [])
        if not newest:
            return "", "1"
        message = api.users().messages().get(userId="me", id=newest[0]["id"], format="minimal").execute()
        return "", str(message.get("historyId") or "1")

    def _raw_batch(self, api: Any, ids: Sequence[str]) -> dict[str, RawMessage | GmailTrouble]:
        found: dict[str, RawMessage | GmailTrouble] = {}

        def one(message_id: str, answer: Any, error: Exception | None) -> None:
            found[message_id] = explain(error) if error is not None else _raw(answer)

        # the client's own new_batch_http_request does not follow an api_endpoint of ours
        batch = BatchHttpRequest(callback=one, batch_uri=f"{self._settings.api_url.rstrip('/')}/batch/gmail/v1")
        for message_id in ids:
            batch.add(api.users().messages().get(userId="me", id=message_id, format="raw"), request_id=message_id)
        try:
            batch.execute()
        except BatchError as error:
            answer: Any = error.resp
            content = error.content if isinstance(error.content, bytes) else str(error.content or "").encode()
            raise from_status(int(answer.status), content, dict(answer)) from None
        return found


class _Once(Credentials):
    """Credentials shared by the threads of one account: one of them renews, the others wait and use what it got."""

    def __init__(self, shared: Credentials, lock: threading.Lock) -> None:
        self.__dict__["_shared"], self.__dict__["_lock"] = shared, lock

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
                shared.refresh(request)


def _raw_one(api: Any, message_id: str) -> RawMessage:
    return _raw(api.users().messages().get(userId="me", id=message_id, format="raw").execute())


def _raw(answer: Any) -> RawMessage:
    encoded = str(answer["raw"])
    return RawMessage(
        str(answer["id"]),
        str(answer.get("threadId") or ""),
        tuple(answer.get("labelIds", ())),
        base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)),
        str(answer.get("historyId") or "0"),
        int(answer.get("internalDate") or 0),
    )
