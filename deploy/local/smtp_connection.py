"""An SMTP connection of the local mailbox: what a mail server says (RFC 5321), as cheaply as a test double may.

Answers to commands that came together leave together (RFC 2920): with millions of small writes the mailbox would take
more of a load test's processor than what is tested.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol, cast

MOST_BYTES = 64 * 1024 * 1024
LONGEST_LINE = 4096
_FROM = re.compile(rb"FROM:\s*<([^>]*)>", re.IGNORECASE)
_TO = re.compile(rb"TO:\s*<([^>]+)>", re.IGNORECASE)
_ASKS = {b"PLAIN": (b"334 ",), b"LOGIN": (b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6")}  # RFC 4616; user name, password


class Box(Protocol):
    """Who decides. Replies have no line end."""

    def recipient(self, address: str) -> str: ...
    def may_log_in(self) -> bool: ...
    def hangs(self, recipients: list[str]) -> bool: ...
    def take(self, sender: str, recipients: list[str], raw: bytes) -> str: ...


class SmtpConnection(asyncio.Protocol):
    """One connection; `box` decides about recipients, logins and mails."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._input = bytearray()
        self._looked_at = 0  # of a mail's content: no end of it before here
        self._out: list[bytes] = []
        self._next: Callable[[], bool] = self._command  # what the input is read as; False: it needs more
        self._asks: list[bytes] = []
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._hanging: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 mailbox.local ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._hanging is not None:
            self._hanging.cancel()

    def data_received(self, data: bytes) -> None:
        self._input += data
        self._work()

    def _work(self) -> None:
        while self._hanging is None and self._next():
            pass
        if len(self._input) > (MOST_BYTES if self._next == self._content else LONGEST_LINE * 100):
            self._say(b"552 5.3.4 Too much")
            self._transport.write(b"".join(self._out))
            self._transport.close()
        elif self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _say(self, reply: bytes) -> None:
        self._out.append(reply + b"\r\n")

    def _line(self) -> bytes | None:
        end = self._input.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._input[:end]).rstrip(b"\r")
        del self._input[: end + 1]
        return line

    def _command(self) -> bool:
        line = self._line()
        if line is None:
            return False
        verb, _, rest = line.partition(b" ")
        match verb.upper():
            case b"MAIL" if found := _FROM.match(rest):
                self._forget()
                self._sender = found[1].decode("utf-8", "replace")
                self._say(b"250 2.1.0 OK")
            case b"RCPT" if self._sender is not None and (found := _TO.match(rest)):
                address = found[1].decode("utf-8", "replace")
                reply = self._box.recipient(address)
                if reply.startswith("2"):
                    self._recipients.append(address)
                self._say(reply.encode())
            case b"DATA" if self._recipients:
                self._next, self._looked_at = self._content, 0
                self._say(b"354 Go ahead")
            case b"EHLO":
                self._forget()
                offers = (b"mailbox.local", b"PIPELINING", b"SIZE %d" % MOST_BYTES, b"8BITMIME", b"SMTPUTF8")
                self._out += [b"250-" + offer + b"\r\n" for offer in offers]
                self._say(b"250 AUTH PLAIN LOGIN")
            case b"HELO" | b"RSET":
                self._forget()
                self._say(b"250 OK")
            case b"NOOP":
                self._say(b"250 OK")
            case b"AUTH":
                mechanism, _, initial = rest.upper().partition(b" ")
                self._asks = list(_ASKS.get(mechanism, ()))[bool(initial) :]
                self._next = self._credentials
                self._ask(known=mechanism in _ASKS)
            case b"VRFY":
                self._say(b"252 OK")
            case b"QUIT":
                self._say(b"221 Bye")
                self._transport.write(b"".join(self._out))
                self._out.clear()
                self._transport.close()
            case b"MAIL" | b"RCPT" | b"DATA":
                self._say(b"503 5.5.1 Not now, or not so")
            case _:
                self._say(b"500 5.5.2 What?")
        return True

    def _forget(self) -> None:
        self._sender, self._recipients = None, []

    def _credentials(self) -> bool:
        """Anybody may log in; what they say is not looked at."""
        if self._line() is None:
            return False
        self._ask(known=True)
        return True

    def _ask(self, *, known: bool) -> None:
        if self._asks:
            self._say(self._asks.pop(0))
            return
        self._next = self._command
        if not known:
            self._say(b"504 5.5.4 There is PLAIN and LOGIN")
        else:
            self._say(b"235 2.7.0 Welcome" if self._box.may_log_in() else b"535 5.7.8 No")

    def _content(self) -> bool:
        """A mail up to its dot (RFC 5321 section 4.5.2)."""
        if self._input.startswith(b".\r\n"):
            raw, end = b"", 3
        elif (at := self._input.find(b"\r\n.\r\n", self._looked_at)) >= 0:
            raw, end = bytes(self._input[: at + 2]), at + 5
        else:
            self._looked_at = max(0, len(self._input) - 4)
            return False
        del self._input[:end]
        raw = raw.replace(b"\r\n..", b"\r\n.")
        self._taken(raw[1:] if raw.startswith(b"..") else raw)
        return True

    def _taken(self, raw: bytes) -> None:
        self._next = self._command
        if self._box.hangs(self._recipients):
            self._hanging = asyncio.create_task(self._wait(raw))
            return
        self._say(self._box.take(self._sender or "", self._recipients, raw).encode())
        self._forget()

    async def _wait(self, raw: bytes) -> None:
        # asked again and again, since it may end by the clock as well as by being changed
        while self._box.hangs(self._recipients):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        self._hanging = None
        self._taken(raw)
        self._work()
