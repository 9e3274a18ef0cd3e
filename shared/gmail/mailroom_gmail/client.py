"""One Gmail account: reading and sending. Google's client blocks, so every call runs in a thread of the given pool."""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from googleapiclient.errors import BatchError, HttpError
from googleapiclient.http import BatchHttpRequest, MediaIoBaseUpload

from .connection import Connections, Methods, methods
from .messages import OWN_IDS, RAW, SIZE, Form, HistoryPage, Listing, RawMessage, Sent, arrivals
from .oauth import GoogleSettings
from .trouble import ERRORS, Expired, GmailTrouble, Refused, Temporary, explain, from_status

R = TypeVar("R")

# Gmail API usage limits, "Per-method quota usage"
UNITS = {"profile": 1, "history": 2, "list": 5, "get": 5, "send": 100, "watch": 100}
RESUMABLE_FROM = 5 * 1024 * 1024
LARGEST_BYTES = 25 * 1024 * 1024  # what Gmail sends at the most, encoded
BATCH_SIZE = 50  # Google advises at most 50 calls in a batch
CALLS_AT_ONCE = 4  # of one account, so that one with slow answers leaves threads to the others
FRESH_S = 3.0  # a mail is sent over a connection that was used so lately, or over a new one
LOOKED_BACK_S = 7 * 86_400
LOOKED_THROUGH = 25  # sent mails that are looked at for our own id where Gmail replaced the Message-ID


@dataclass(slots=True)
class Quota:
    """Units spent, per method."""

    spent: dict[str, int] = field(default_factory=dict)

    def add(self, method: str, times: int = 1) -> None:
        self.spent[method] = self.spent.get(method, 0) + UNITS[method] * times

    @property
    def total(self) -> int:
        return sum(self.spent.values())


class GmailClient:
    """Calls for one account. All methods raise `GmailTrouble` kinds.

    `threads` is shared by all accounts of a process, so that hundreds of them need few threads; connections are
    kept and used again.
    """

    def __init__(self, settings: GoogleSettings, refresh_token: str, threads: Executor | None) -> None:
        self._settings = settings
        self._at_once = asyncio.Semaphore(CALLS_AT_ONCE)
        self._threads = threads
        self._connections = Connections(settings, refresh_token)
        self._batches = True
        self._ids_of: dict[str, tuple[str, ...]] = {}  # message id -> Message-ID and X-Mailroom-Id
        self.quota = Quota()

    def __repr__(self) -> str:
        return "GmailClient()"

    async def profile(self) -> tuple[str, str]:
        """Address and present history id. Where getProfile is missing: the newest message's history id."""
        return await self._call("profile", self._profile)

    async def history(self, since: str, page: str | None = None) -> HistoryPage:
        """What came after history id `since`. Raises `Expired` when that is too long ago."""

        def call(api: Methods, http: Any) -> HistoryPage:
            # no labelId here: Gmail takes one only, and sent mail is wanted beside the inbox
            types = ["messageAdded", "labelAdded"]
            answer = api.history.list(
                userId="me", startHistoryId=since, historyTypes=types, maxResults=500, pageToken=page
            ).execute(http=http)
            return HistoryPage(
                arrivals(answer.get("history", [])),
                str(answer.get("historyId") or since),
                answer.get("nextPageToken") or None,
            )

        return await self._call("history", call)

    async def listing(self, query: str, page: str | None = None) -> Listing:
        """Message ids that match `query` (Gmail's search), newest first; spam and trash are left out."""

        def call(api: Methods, http: Any) -> Listing:
            answer = api.messages.list(userId="me", q=query or None, maxResults=500, pageToken=page).execute(http=http)
            ids = tuple(str(m["id"]) for m in answer.get("messages", []))
            return Listing(ids, answer.get("nextPageToken") or None, int(answer.get("resultSizeEstimate") or len(ids)))

        return await self._call("list", call)

    async def raw(self, ids: Sequence[str]) -> dict[str, RawMessage | GmailTrouble]:
        """The raw sources, in batches; a message that is gone or refused gives its trouble."""
        return await self._read(ids, RAW)

    async def sizes(self, ids: Sequence[str]) -> dict[str, int | GmailTrouble]:
        """How many bytes each message has, as Gmail estimates; 0 where it does not say."""
        return await self._read(ids, SIZE)

    async def _read(self, ids: Sequence[str], form: Form[R]) -> dict[str, R | GmailTrouble]:
        found: dict[str, R | GmailTrouble] = {}
        for start in range(0, len(ids), BATCH_SIZE):
            chunk = list(ids[start : start + BATCH_SIZE])
            if self._batches and len(chunk) > 1:
                self.quota.add("get", len(chunk))
                try:
                    found |= await self._run(functools.partial(self._read_batch, ids=chunk, form=form))
                    continue
                except (Refused, Expired):
                    # no batch endpoint here (an emulator, a proxy): one by one from now on
                    self._batches = False
            else:
                self.quota.add("get", len(chunk))
            answers = await asyncio.gather(*(self._run(functools.partial(_read_one, message_id=i, form=form)) for i in chunk),
                                           return_exceptions=True)  # fmt: skip
            for message_id, answer in zip(chunk, answers, strict=True):
                if isinstance(answer, BaseException) and not isinstance(answer, GmailTrouble):
                    raise answer
                found[message_id] = answer
        return found

    async def find(self, rfc_message_id: str) -> Sent | None:
        """The message with this Message-ID (with or without brackets), wherever it lies: asked before a resend.

        Where Gmail gave it another Message-ID, our own id beside it (X-Mailroom-Id) is looked for in what was sent last.
        """
        wanted = rfc_message_id.strip(" <>")

        def by_search(api: Methods, http: Any) -> list[Any]:
            listed = api.messages.list(userId="me", q=f"rfc822msgid:{wanted}", includeSpamTrash=True, maxResults=1)
            return list(listed.execute(http=http).get("messages", []))

        def lately_sent(api: Methods, http: Any) -> list[Any]:
            lately = f"after:{int(time.time()) - LOOKED_BACK_S}"
            listed = api.messages.list(userId="me", labelIds=["SENT"], q=lately, maxResults=LOOKED_THROUGH)
            return list(listed.execute(http=http).get("messages", []))

        for message in await self._call("list", by_search):
            return Sent(str(message["id"]), str(message.get("threadId") or ""))
        sent = await self._call("list", lately_sent)
        known = await self._own_ids([str(message["id"]) for message in sent])
        for message in sent:
            if wanted in known[str(message["id"])]:
                return Sent(str(message["id"]), str(message.get("threadId") or ""))
        return None

    async def _own_ids(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Message-ID and X-Mailroom-Id of messages. What was learnt is kept though others fail: they never change."""
        unknown = [i for i in ids if i not in self._ids_of]
        trouble: GmailTrouble | None = None
        for message_id, answer in (await self._read(unknown, OWN_IDS)).items():
            if isinstance(answer, Expired):
                self._ids_of[message_id] = ()  # deleted meanwhile
            elif isinstance(answer, GmailTrouble):
                trouble = answer
            else:
                self._ids_of[message_id] = answer
        if trouble is not None:
            raise trouble
        known = {i: self._ids_of[i] for i in ids}
        if len(self._ids_of) > 40 * LOOKED_THROUGH:
            self._ids_of = dict(known)
        return known

    async def send(self, raw: bytes, thread_id: str | None, go_on: Callable[[], bool] = lambda: True) -> Sent:
        """Send a whole mail, in a thread where one is given; large ones by resumable upload.

        `go_on` is asked before each part of a large one: when it says no, the mail is not sent (`Temporary`).
        """
        if len(raw) > LARGEST_BYTES:
            raise Refused(f"the mail has {len(raw) // 2**20} MB; Gmail takes at most {LARGEST_BYTES // 2**20}")

        def call(api: Methods, http: Any) -> Sent:
            body: dict[str, Any] = {"threadId": thread_id} if thread_id else {}
            if len(raw) >= RESUMABLE_FROM:
                media = MediaIoBaseUpload(io.BytesIO(raw), "message/rfc822", chunksize=4 * 2**20, resumable=True)
                request = api.messages.send(userId="me", body=body, media_body=media)
                answer = None
                while answer is None:
                    if not go_on():
                        raise Temporary("the upload was given up")
                    _, answer = request.next_chunk(http=http)
            else:
                body["raw"] = base64.urlsafe_b64encode(raw).decode()
                answer = api.messages.send(userId="me", body=body).execute(http=http)
            return Sent(str(answer["id"]), str(answer.get("threadId") or thread_id or ""))

        return await self._call("send", call, idle_at_most_s=FRESH_S)

    async def watch(self, pubsub_topic: str, label_ids: Sequence[str]) -> tuple[str, int]:
        """Ask for push; history id and when it ends (milliseconds since 1970)."""

        def call(api: Methods, http: Any) -> tuple[str, int]:
            body = {"topicName": pubsub_topic, "labelIds": list(label_ids)}
            answer = api.users.watch(userId="me", body=body).execute(http=http)
            return str(answer["historyId"]), int(answer.get("expiration") or 0)

        return await self._call("watch", call)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._connections.close()

    async def _call(self, method: str, call: Callable[[Methods, Any], R], **connection: Any) -> R:
        self.quota.add(method)
        return await self._run(call, **connection)

    async def _run(self, call: Callable[[Methods, Any], R], **connection: Any) -> R:
        def blocking() -> R:
            try:
                with self._connections.one(**connection) as http:
                    return call(methods(self._settings.api_url), http)
            except ERRORS as error:
                raise explain(error) from None

        async with self._at_once:
            return await asyncio.get_running_loop().run_in_executor(self._threads, blocking)

    @staticmethod
    def _profile(api: Methods, http: Any) -> tuple[str, str]:
        try:
            answer = api.users.getProfile(userId="me").execute(http=http)
            return str(answer["emailAddress"]).lower(), str(answer["historyId"])
        except HttpError as error:
            if error.resp.status != 404:
                raise
        newest = api.messages.list(userId="me", maxResults=1).execute(http=http).get("messages", [])
        if not newest:
            return "", "1"
        message = api.messages.get(userId="me", id=newest[0]["id"], format="minimal").execute(http=http)
        return "", str(message.get("historyId") or "1")

    def _read_batch(self, api: Methods, http: Any, ids: Sequence[str], form: Form[R]) -> dict[str, R | GmailTrouble]:
        found: dict[str, R | GmailTrouble] = {}

        def one(message_id: str, answer: Any, error: Exception | None) -> None:
            try:
                found[message_id] = explain(error) if error is not None else form.read(answer)
            except (KeyError, ValueError) as broken:
                found[message_id] = explain(broken)

        # the client's own new_batch_http_request does not follow an api_endpoint of ours
        batch = BatchHttpRequest(callback=one, batch_uri=f"{self._settings.api_url.rstrip('/')}/batch/gmail/v1")
        for message_id in ids:
            batch.add(api.messages.get(userId="me", id=message_id, **form.asked), request_id=message_id)
        try:
            batch.execute(http=http)
        except BatchError as error:
            answer: Any = error.resp
            content = error.content if isinstance(error.content, bytes) else str(error.content or "").encode()
            raise from_status(int(answer.status), content, dict(answer)) from None
        return found


def _read_one(api: Methods, http: Any, message_id: str, form: Form[R]) -> R:
    return form.read(api.messages.get(userId="me", id=message_id, **form.asked).execute(http=http))
