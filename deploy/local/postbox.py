"""The local mailbox: an SMTP server that takes any mail, standing for the rest of the world, and shows it over HTTP.

    GET    /messages?to=ADDRESS&limit=N    newest first (fields: see letters.Letter.fields)
    GET    /messages/ID, /messages/ID/raw  one letter; its bytes
    DELETE /messages                       forget all
    GET    /behaviour                      how it answers now
    POST   /behaviour                      {"mode": "accept|refuse|defer|hang|login", "for_s": 30, "to": "a@b.example"}
    GET    /health, /                      alive; a page for people

`refuse` answers RCPT with 550, `defer` with 451, `hang` lets DATA wait, `login` refuses every login; `for_s` (until
changed, if left out) and `to` (every recipient, if left out) narrow it. Any user name and password may log in.
Settings: MAILBOX_HOST (127.0.0.1), MAILBOX_SMTP_PORT (2526), MAILBOX_HTTP_PORT (8026), MAILBOX_DATA (.data/mailbox).
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from letters import Letter, Letters

MODES = ("accept", "refuse", "defer", "hang", "login")
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Behaviour:
    """How the mailbox answers. `until` is a monotonic time in seconds; None: until changed."""

    mode: str = "accept"
    to: str = ""
    until: float | None = None

    def at(self, now: float, recipient: str = "") -> str:
        over = self.until is not None and now >= self.until
        other = bool(self.to) and bool(recipient) and recipient.casefold() != self.to.casefold()
        return "accept" if over or other else self.mode

    @classmethod
    def read(cls, body: Any, now: float) -> Behaviour:
        """From the body of `POST /behaviour`. Raises ValueError that says what is wrong."""
        if not isinstance(body, dict) or body.get("mode") not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}")
        for_s, to = body.get("for_s"), body.get("to") or ""
        if for_s is not None and not isinstance(for_s, int | float):
            raise ValueError("for_s must be a number of seconds")
        return cls(body["mode"], str(to), None if for_s is None else now + for_s)


class Postbox:
    """aiosmtpd's handler: takes everything, or misbehaves as asked."""

    def __init__(self, letters: Letters) -> None:
        self.letters = letters
        self.behaviour = Behaviour()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        match self.behaviour.at(time.monotonic(), address):
            case "refuse":
                return "550 5.1.1 No such user here (the local mailbox was told to refuse)"
            case "defer":
                return "451 4.3.0 Try again later (the local mailbox was told to defer)"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        # Asked again and again, since it may end by the clock as well as by being changed.
        while any(self.behaviour.at(time.monotonic(), address) == "hang" for address in envelope.rcpt_tos):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode()
        letter = self.letters.add(datetime.now(UTC), _bare(envelope.mail_from), list(envelope.rcpt_tos), raw)
        return f"250 2.0.0 Taken as {letter.number}"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=self.behaviour.at(time.monotonic()) != "login", handled=False)


class Pages(BaseHTTPRequestHandler):
    """The HTTP side; `box` is set by `serve_pages`."""

    box: Postbox
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        letters = self.box.letters
        match url.path.strip("/").split("/"):
            case ["messages"]:
                limit = query.get("limit", "1000")
                found = letters.newest(to=query.get("to", ""), limit=int(limit) if limit.isdecimal() else 1000)
                self._json(200, [letter.fields for letter in found])
            case ["messages", number, *rest] if number.isdecimal() and (letter := letters.find(int(number))):
                if rest == ["raw"]:
                    self._send(200, "message/rfc822", letter.raw)
                else:
                    self._json(200, letter.fields)
            case ["behaviour"]:
                self._json(200, {**asdict(self.box.behaviour), "now": self.box.behaviour.at(time.monotonic())})
            case ["health"] | ["ready"]:
                self._json(200, {"status": "ok"})
            case [""]:
                self._send(200, "text/html; charset=utf-8", _page(letters.newest(limit=200)).encode())
            case _:
                self._json(404, {"error": "there are /messages, /messages/ID, /messages/ID/raw and /behaviour"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path != "/behaviour":
            return self._json(404, {"error": "only /behaviour takes POST"})
        try:
            self.box.behaviour = Behaviour.read(json.loads(body or b"null"), time.monotonic())
        except ValueError as error:  # bad JSON is one, too
            return self._json(422, {"error": str(error)})
        return self._json(200, asdict(self.box.behaviour))

    def do_DELETE(self) -> None:
        if urlsplit(self.path).path != "/messages":
            return self._json(404, {"error": "only /messages takes DELETE"})
        return self._json(200, {"deleted": self.box.letters.clear()})

    def _json(self, status: int, body: Any) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: tests poll."""


def _bare(sender: str | None) -> str:
    """The envelope sender; aiosmtpd gives the null return path as "<>"."""
    return "" if sender in (None, "<>") else str(sender)


def _page(letters: list[Letter]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(f['received_at'][11:19])}</td><td>{html.escape(f['from'])}</td>"
        f"<td>{html.escape(f['to'])}</td><td><details><summary>{html.escape(f['subject'] or '(no subject)')}</summary>"
        f"<pre>{html.escape(f['text'] or f['html'])}</pre><a href='/messages/{f['id']}/raw'>source</a></details></td></tr>"
        for f in (letter.fields for letter in letters)
    )
    style = "body{font:15px system-ui;margin:2rem}td,th{text-align:left;padding:.3rem .8rem;vertical-align:top}"
    head = "<tr><th>UTC</th><th>From</th><th>To</th><th>Subject</th></tr>"
    return (
        f"<!doctype html><html lang=en><title>Local mailbox</title><style>{style}</style><h1>Local mailbox</h1>"
        f"<p>Mail that Mailroom sent, newest first. Nothing leaves this machine.</p><table>{head}{rows}</table>"
    )


def serve_pages(box: Postbox, host: str, port: int) -> ThreadingHTTPServer:
    """Start the HTTP side in a thread of its own."""
    server = ThreadingHTTPServer((host, port), type("BoundPages", (Pages,), {"box": box}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    return server


async def run(host: str, smtp_port: int, http_port: int, folder: Path) -> None:
    """Serve both until SIGTERM or SIGINT."""
    box = Postbox(Letters(folder))
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(
        lambda: SMTP(
            box,
            hostname="mailbox.local",
            data_size_limit=MOST_BYTES,
            enable_SMTPUTF8=True,
            authenticator=box.authenticate,
            auth_require_tls=False,
            loop=loop,
        ),
        host,
        smtp_port,
    )
    pages = serve_pages(box, host, http_port)
    print(f"mailbox: SMTP {host}:{smtp_port}, http://{host}:{http_port}/messages, {folder}", flush=True)
    await ended.wait()
    server.close()
    pages.shutdown()


def main() -> None:
    env = os.environ
    try:
        ports = int(env.get("MAILBOX_SMTP_PORT", "2526")), int(env.get("MAILBOX_HTTP_PORT", "8026"))
    except ValueError:
        sys.exit("MAILBOX_SMTP_PORT and MAILBOX_HTTP_PORT must be port numbers")
    asyncio.run(run(env.get("MAILBOX_HOST", "127.0.0.1"), *ports, Path(env.get("MAILBOX_DATA", ".data/mailbox"))))


if __name__ == "__main__":
    main()
