"""A submission server that says what it is told to: for the words of servers that nobody can run here.

It keeps to RFC 4954: a line with an initial response has at most 512 octets, longer ones are refused with 500.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from mailroom_contracts import SmtpAccount

LONGEST_LINE = 512


@dataclass
class Login:
    """One login that was tried."""

    mechanism: str
    user: str
    secret: str
    initial: bool


# What the server says to a login: its last answer, or JSON for a 334 first and then that.
Verdict = str | tuple[dict[str, str], str]


@dataclass
class Submission:
    """`judge` answers logins; `answers` other commands by their first word (a trailing `!` hangs up afterwards)."""

    offers: str = "PLAIN LOGIN CRAM-MD5 XOAUTH2 OAUTHBEARER"
    judge: Callable[[Login], Verdict] = lambda _: "235 2.7.0 ok"
    answers: dict[str, str] = field(default_factory=dict)
    greeting: str = "220 mail.provider.example ESMTP"
    logins: list[Login] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._server.close_clients() if hasattr(self._server, "close_clients") else None

    def account(self, **more: object) -> SmtpAccount:
        """An account here, without TLS."""
        values = {"host": "127.0.0.1", "port": self.port, "tls": "none", "username": "help@shop.example"}
        return SmtpAccount.model_validate(values | more)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._mails_here = 0
        try:
            await _say(writer, self.greeting)
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                self.heard.append(line)
                word = line.split()[0].upper()
                if word == "AUTH":
                    await self._auth(line, reader, writer)
                elif word in self.answers or line[:8].upper() in self.answers:
                    answer = self.answers.get(word) or self.answers[line[:8].upper()]
                    await _say(writer, answer.rstrip("!"))
                    if answer.endswith("!"):
                        return
                elif word == "EHLO":
                    auth = f"250-AUTH {self.offers}\n" if self.offers else ""
                    await _say(writer, f"250-mail.provider.example\n{auth}250 SIZE 1000000")
                elif word == "DATA":
                    await _say(writer, "354 go")
                    self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                    await _say(writer, self.answers.get(".", "250 2.0.0 queued"))
                else:
                    await _say(writer, "221 bye" if word == "QUIT" else "250 ok")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def _auth(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def asked(challenge: str = "") -> str:
            await _say(writer, f"334 {challenge}")
            return (await reader.readline()).decode().strip()

        if len(line) + 2 > LONGEST_LINE:
            await _say(writer, "500 5.5.6 Line too long")
            return
        mechanism, _, first = line[5:].partition(" ")
        mechanism = mechanism.upper()
        if mechanism not in self.offers.split():
            await _say(writer, "504 5.5.4 Unrecognized authentication type")
            return
        if mechanism == "LOGIN":
            login = Login(
                "LOGIN", _text(first or await asked("VXNlcm5hbWU6")), _text(await asked("UGFzc3dvcmQ6")), bool(first)
            )
        elif mechanism == "CRAM-MD5":
            login = Login(mechanism, *_text(await asked("PDFAbT4=")).split(" ", 1), initial=False)
        else:
            words = _text(first or await asked())
            if mechanism == "PLAIN":
                _, user, secret = words.split("\0")
            else:
                user = words.split("\1")[0].removeprefix("user=").removeprefix("n,a=").rstrip(",")
                secret = words.split("auth=Bearer ")[1].rstrip("\1")
            login = Login(mechanism, user, secret, bool(first))
        self.logins.append(login)
        verdict = self.judge(login)
        if not isinstance(verdict, str):
            end = await asked(base64.b64encode(json.dumps(verdict[0]).encode()).decode())
            self.heard.append(f"end of {mechanism}: {end!r}")
            verdict = verdict[1]
        await _say(writer, verdict)


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")
    await writer.drain()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
