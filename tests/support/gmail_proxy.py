"""A proxy before the Gmail emulator: adds what the emulator lacks, and faults that a seed draws.

It adds getProfile, batch, resumable upload, the search `rfc822msgid:` (the emulator's own keeps the colon and finds
nothing), tokens that are checked, revoked and expire, history that is forgotten, and Pub/Sub's pull and acknowledge.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import threading
from collections import Counter
from collections.abc import Iterable
from email import message_from_bytes
from email.message import Message
from typing import Any, Self
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

from .gmail_emulator import ME, Emulator
from .processes import free_port

# token_expired: 401 until the token is renewed; cut_after: done, but the answer never comes; history_gone: 404
KINDS = (
    "token_expired", "rate_403", "rate_429", "server_5xx", "slow", "cut_before", "cut_after", "half_answer",
    "history_gone", "batch_part",
)  # fmt: skip


class Faults:
    """Which calls go wrong: each with probability `rate`, in one of `kinds`, all drawn from `seed`."""

    def __init__(self, rate: float = 0.0, seed: int = 1, kinds: Iterable[str] = KINDS, longest_s: float = 2.0) -> None:
        self.rate, self.kinds, self.longest_s = rate, tuple(kinds), longest_s
        self.random = random.Random(seed)
        self.drawn: Counter[str] = Counter()

    def draw(self, path: str) -> str | None:
        if self.random.random() >= self.rate:
            return None
        fitting = [
            k for k in self.kinds
            if (k != "history_gone" or path.endswith("/history")) and (k != "batch_part" or path.startswith("/batch"))
        ]  # fmt: skip
        if not fitting:
            return None
        kind = self.random.choice(fitting)
        self.drawn[kind] += 1
        return kind


class Proxy:
    """Runs in a thread of its own with its own loop; `origin` is where Mailroom is pointed to."""

    def __init__(self, emulator: Emulator, faults: Faults | None = None) -> None:
        self.emulator, self.faults = emulator, faults or Faults()
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.calls: list[tuple[str, str, str]] = []  # (email, method, path), as they came
        self.queries: list[str] = []
        self.search_works = True  # whether rfc822msgid: finds anything
        self.blocked: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {}  # email -> what each call is answered
        self.busy: Counter[str] = Counter()  # calls under way, per account
        self.most: Counter[str] = Counter()
        self.pushes: list[dict[str, Any]] = []
        self.acknowledged: list[str] = []
        self._owners: dict[str, str] = {}  # token -> account
        self._dead: set[str] = set()  # access tokens that are not taken any more
        self._revoked: set[str] = set()
        self._forgotten: dict[str, int] = {}
        self._uploads: dict[str, tuple[bytes, str | None]] = {}
        self._message_ids: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._up = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10), "the proxy did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    # what a test does

    def sign_in(self, email: str) -> str:
        """A refresh token of the account."""
        tokens = self.emulator.tokens(email)
        self._owners[tokens["refresh_token"]] = self._owners[tokens["access_token"]] = email
        return str(tokens["refresh_token"])

    def revoke(self, email: str) -> None:
        """The person takes the permission back at Google."""
        self._revoked |= {token for token, owner in self._owners.items() if owner == email}

    def expire_tokens(self) -> None:
        """Every access token given so far has run out."""
        self._dead |= {token for token in self._owners if not token.startswith("google_refresh_")}

    def forget_history(self, email: str) -> None:
        """Gmail knows no history before now."""
        present = self.emulator.call(email, "POST", f"{ME}/watch", json={"topicName": "x"})["historyId"]
        self._forgotten[email] = int(present)

    def push(self, email: str) -> None:
        """Gmail tells Pub/Sub that something came."""
        data = base64.b64encode(json.dumps({"emailAddress": email, "historyId": 1}).encode()).decode()
        self.pushes.append({"ackId": f"ack{len(self.pushes)}-{email}", "message": {"data": data}})

    # serving

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=80 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Node closes idle connections after 5 s: none is used that is about to be closed
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=2, limit=0))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self._up.set()

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.path
        if path.startswith("/v1/"):
            return await self._pubsub(path, body)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        api = path.startswith(("/gmail/", "/batch/", "/upload/"))
        email = self._owners.get(token, "")
        self.calls.append((email, request.method, path))
        if request.query_string:
            self.queries.append(request.query_string)
        if api:
            if not email or token in self._dead or token in self._revoked:
                return _error(401, "UNAUTHENTICATED", "authError", "Invalid Credentials")
            if email in self.blocked:
                blocked_status, said, more = self.blocked[email]
                return web.json_response(said, status=blocked_status, headers=more)
        fault = self.faults.draw(path)
        if fault == "token_expired":
            self._dead.add(token)
            return _error(401, "UNAUTHENTICATED", "authError", "Invalid Credentials")
        if fault == "rate_403":
            return _error(403, "PERMISSION_DENIED", "userRateLimitExceeded", "User Rate Limit Exceeded")
        if fault == "rate_429":
            return _error(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Too many", {"Retry-After": "1"})
        if fault == "server_5xx":
            return _error(self.faults.random.choice([500, 502, 503]), "UNAVAILABLE", "backendError", "Backend Error")
        if fault == "history_gone":
            return _error(404, "NOT_FOUND", "notFound", "Requested entity was not found.")
        if fault == "cut_before":
            return _cut(request)
        self.busy[email] += 1
        self.most[email] = max(self.most[email], self.busy[email])
        try:
            if fault == "slow":
                await asyncio.sleep(self.faults.random.uniform(0.2, self.faults.longest_s))
            status, content, headers = await self._serve(request, email, path, body, fault)
        finally:
            self.busy[email] -= 1
        if fault == "cut_after":
            return _cut(request)
        if fault == "half_answer":
            return await _half(request, status, content, headers)
        return web.Response(status=status, body=content, headers=headers)

    async def _serve(
        self, request: web.Request, email: str, path: str, body: bytes, fault: str | None
    ) -> tuple[int, bytes, dict[str, str]]:
        if path == "/oauth2/token":
            return await self._token(request, body)
        if path.startswith("/batch/"):
            return await self._batch(request, body, fault == "batch_part")
        if path.startswith("/upload/"):
            return await self._upload(request, email, body)
        if path == f"{ME}/profile":
            _, content, _ = await self._forward("POST", f"{ME}/watch", request.headers, b'{"topicName": "x"}')
            present = json.loads(content)["historyId"]
            return _json(200, {"emailAddress": email, "historyId": present, "messagesTotal": 1, "threadsTotal": 1})
        if path == f"{ME}/history" and int(request.query.get("startHistoryId", "0")) < self._forgotten.get(email, 0):
            return _json(404, _body(404, "NOT_FOUND", "notFound", "Requested entity was not found."))
        if (query := request.query.get("q", "")).startswith("rfc822msgid:"):
            found = await self._with_id(request, query.partition(":")[2]) if self.search_works else []
            return _json(200, {"messages": found})
        return await self._forward(request.method, request.path_qs, request.headers, body)

    async def _forward(
        self, method: str, path: str, headers: Any, body: bytes | None
    ) -> tuple[int, bytes, dict[str, str]]:
        sent = {"Authorization": headers.get("Authorization", ""), "Content-Type": headers.get("Content-Type") or "application/json"}  # fmt: skip
        if path.startswith(f"{ME}/watch"):
            sent["Content-Type"] = "application/json"
        async with self._session.request(
            method, self.emulator.origin + path, data=body or None, headers=sent, allow_redirects=False
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() in ("content-type", "location")}
            return answer.status, await answer.read(), kept

    async def _token(self, request: web.Request, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        if form.get("refresh_token") in self._revoked:
            return _json(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        status, content, headers = await self._forward("POST", "/oauth2/token", request.headers, body)
        if status == 200:
            answer = json.loads(content)
            owner = self._owners.get(form.get("refresh_token", "")) or await self._owner(answer["access_token"])
            self._owners[answer["access_token"]] = owner
            if answer.get("refresh_token"):
                self._owners[answer["refresh_token"]] = owner
        return status, content, headers

    async def _owner(self, access_token: str) -> str:
        headers = {"Authorization": f"Bearer {access_token}"}
        async with self._session.get(f"{self.emulator.origin}/oauth2/v2/userinfo", headers=headers) as answer:
            return str((await answer.json())["email"])

    async def _batch(self, request: web.Request, body: bytes, some_fail: bool) -> tuple[int, bytes, dict[str, str]]:
        """Gmail's batch: multipart/mixed of HTTP requests (RFC 2046), answered part by part."""
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        whole = message_from_bytes(head + body)
        parts = [p for p in whole.get_payload() if isinstance(p, Message)]

        async def one(part: Message) -> str:
            line = str(part.get_payload()).strip().splitlines()[0]
            if some_fail and self.faults.random.random() < 0.5:
                content = _body(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Too many concurrent requests")
                status, text = 429, json.dumps(content)
            else:
                status, data, _ = await self._forward("GET", line.split(" ")[1], request.headers, None)
                text = data.decode()
            name = str(part["Content-ID"]).strip("<>")
            return (
                f"--b\r\nContent-Type: application/http\r\nContent-ID: <response-{name}>\r\n\r\n"
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n"
            )

        answers = await asyncio.gather(*(one(p) for p in parts))
        return 200, ("".join(answers) + "--b--\r\n").encode(), {"Content-Type": "multipart/mixed; boundary=b"}

    async def _upload(self, request: web.Request, email: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Google's resumable upload: a session, then chunks with Content-Range, each answered 308 until the last."""
        key = request.query.get("upload_id")
        if key is None:
            key = f"u{len(self._uploads)}-{email}"
            self._uploads[key] = (b"", json.loads(body or b"{}").get("threadId"))
            return 200, b"", {"Location": f"{self.origin}{request.path}?uploadType=resumable&upload_id={key}"}
        data, thread = self._uploads[key]
        data += body
        self._uploads[key] = (data, thread)
        total = request.headers["Content-Range"].rpartition("/")[2]
        if total == "*" or len(data) < int(total):
            return 308, b"", {"Range": f"bytes=0-{len(data) - 1}"}
        made = {"raw": base64.urlsafe_b64encode(data).decode()} | ({"threadId": thread} if thread else {})
        sent = {"Authorization": request.headers["Authorization"], "Content-Type": "application/json"}
        return await self._forward("POST", f"{ME}/messages/send", sent, json.dumps(made).encode())

    async def _with_id(self, request: web.Request, wanted: str) -> list[dict[str, str]]:
        path = f"{ME}/messages?includeSpamTrash=true&maxResults=500"
        _, content, _ = await self._forward("GET", path, request.headers, None)
        found = []
        for each in json.loads(content)["messages"]:
            if each["id"] not in self._message_ids:
                _, one, _ = await self._forward(
                    "GET",
                    f"{ME}/messages/{each['id']}?format=metadata&metadataHeaders=Message-ID",
                    request.headers,
                    None,
                )
                headers = json.loads(one)["payload"]["headers"]
                self._message_ids[each["id"]] = next((h["value"] for h in headers), "").strip("<> ")
            if self._message_ids[each["id"]] == wanted:
                found.append(each)
        return found

    async def _pubsub(self, path: str, body: bytes) -> web.Response:
        if path.endswith(":pull"):
            for _ in range(20):
                waiting = [p for p in self.pushes if p["ackId"] not in self.acknowledged]
                if waiting:
                    return web.json_response({"receivedMessages": waiting})
                await asyncio.sleep(0.05)
            return web.json_response({})
        self.acknowledged += json.loads(body)["ackIds"]
        return web.json_response({})


def _body(status: int, name: str, reason: str, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": name,
                      "errors": [{"reason": reason, "message": message, "domain": "global"}]}}  # fmt: skip


def _error(status: int, name: str, reason: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(_body(status, name, reason, message), status=status, headers=headers)


def _json(status: int, content: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(content).encode(), {"Content-Type": "application/json"}


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, status: int, content: bytes, headers: dict[str, str]) -> web.StreamResponse:
    answer = web.StreamResponse(status=status, headers=headers)
    answer.content_length = len(content)
    await answer.prepare(request)
    await answer.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.abort()
    return answer
