"""Everybody else's server: refuses, defers or takes by the name before the @, and keeps what comes back to us."""

from __future__ import annotations

import socket
import threading
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP

OURS = "shop@customer-shop.example"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class _ByLmtp(Controller):
    def factory(self) -> LMTP:
        return LMTP(self.handler, **self.SMTP_kwargs)


class World:
    """An SMTP server (or one of LMTP) on a free port of loopback. `returned` are the mails to our own address, with their sender."""

    def __init__(self, *, lmtp: bool = False) -> None:
        self.returned: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()
        self.port = _free_port()
        speaking = _ByLmtp if lmtp else Controller
        self._controller = speaking(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, options: list[str]) -> str:
        local = address.partition("@")[0]
        if local.startswith("unknown"):
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"
        if local.startswith("policy"):
            return (
                "550-5.7.1 Our system has found that this message is likely unsolicited.\r\n550 5.7.1 Ref. a1b2 - gsmtp"
            )
        if local.startswith("later"):
            return "451 4.7.1 Greylisted, please try again in 300 seconds"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
        if OURS in (one.lower() for one in envelope.rcpt_tos):
            with self._lock:
                self.returned.append((envelope.mail_from or "", bytes(envelope.content)))
        return "250 OK"
