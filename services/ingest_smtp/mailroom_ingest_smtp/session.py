"""The commands of SMTP and LMTP (RFC 5321, RFC 2033): envelope, mail, replies with enhanced status codes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailroom_runtime.process.beside import beside
from mailroom_runtime.process.logs import get_logger

from . import replies
from .conversation import Handler, Over
from .house import House
from .mail_data import MailData, has_bare_newlines
from .paths import BadPath, Path, parameters, parse
from .recipients import Directory, Recipient, decide
from .replies import Reply
from .settings import IngestSmtpSettings
from .told_client import FrontConversation, Told

log = get_logger()
_SILENCE_S = 1.0  # how long a refused smuggler may be silent before it is told so and left


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail with its envelope, ready to be taken in."""

    raw: bytes
    mail_from: str
    recipients: Sequence[Recipient]
    client_ip: str  # "" where a proxy did not say for whom it speaks
    client_name: str
    tls: bool
    lmtp: bool
    from_front: bool
    connection: int  # which one: it sends its next mail after the reply to this
    told: Told | None = None  # whom the front took it from, where it says so by XFORWARD or XCLIENT


class Intake(Protocol):
    """Takes mails in; a reply per recipient, in their order."""

    async def take(self, delivery: Delivery) -> list[Reply]: ...


class Session(FrontConversation):
    """One SMTP client."""

    def __init__(
        self,
        settings: IngestSmtpSettings,
        house: House,
        directory: Callable[[], Directory | None],
        intake: Intake,
        tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(settings, house, tls, loop)
        self._directory = directory
        self._intake = intake
        self._sender: Path | None = None
        self._recipients: list[Recipient] = []

    @property
    def under_way(self) -> bool:
        return self._sender is not None

    def _set_rset_state(self) -> None:
        super()._set_rset_state()
        self._sender = None
        self._recipients = []

    def commands(self) -> dict[str, Handler]:
        return {
            **super().commands(),
            "HELO": self._helo, "EHLO": self._ehlo, "STARTTLS": self._starttls,
            "MAIL": self._take_mail, "RCPT": self._take_rcpt, "DATA": self._go_ahead, "RSET": self._rset,
            "NOOP": lambda _: self._say(replies.OK), "QUIT": lambda _: self._end_with(replies.BYE),
            "HELP": lambda _: self._say(replies.HELP), "VRFY": lambda _: self._say(replies.NO_VERIFY),
            "EXPN": lambda _: self._refuse(replies.NO_EXPAND), "AUTH": lambda _: self._refuse(replies.NO_AUTH),
        }  # fmt: skip

    def _helo(self, hostname: str) -> None:
        if not hostname:
            self._refuse(replies.NEEDS_NAME)
            return
        self._set_rset_state()
        self._name = hostname
        self._say(Reply(f"250 {self.hostname}"))

    def _ehlo(self, hostname: str) -> None:
        if not hostname:
            self._refuse(replies.NEEDS_NAME)
            return
        self._set_rset_state()
        self._name = hostname
        offers = ["PIPELINING", f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self.tls_context is not None and self.session is not None and self.session.ssl is None:
            offers.append("STARTTLS")
        lines = [self.hostname, *offers, *self.front_offers]
        for line in lines[:-1]:
            self._say(Reply(f"250-{line}"))
        self._say(Reply(f"250 {lines[-1]}"))

    def _rset(self, arg: str) -> None:
        if arg:
            self._refuse(replies.NO_ARGUMENT_EXPECTED)
            return
        self._set_rset_state()
        self._say(replies.OK)

    def _starttls(self, arg: str) -> None:
        if arg:
            self._refuse(replies.NO_ARGUMENT_EXPECTED)
        elif self.session is not None and self.session.ssl is not None:
            self._refuse(replies.TLS_ALREADY)
        elif self.tls_context is None:
            self._refuse(replies.NO_TLS)
        else:
            self._then = self._start_tls

    async def _start_tls(self) -> None:
        assert self.tls_context is not None
        self._say(replies.READY_FOR_TLS)
        # whatever came in clear after the command is thrown away (RFC 3207 section 5, command injection)
        plain: Any = self.transport
        self._flush()
        self._input.clear()
        transport: Any = await self.loop.start_tls(
            plain,
            self,
            self.tls_context,
            server_side=True,
            ssl_handshake_timeout=30,
        )
        self._original_transport, self.transport = plain, transport
        self._paused = False
        self.session = self._create_session()
        self.session.peer = transport.get_extra_info("peername")
        self.session.ssl = {"cipher": transport.get_extra_info("cipher")}
        self._forget_client()

    def _take_mail(self, arg: str) -> None:
        reply = self._mail(arg)
        self._say(reply) if not reply.refused else self._refuse(reply)

    def _mail(self, arg: str) -> Reply:
        if not self._name:
            return replies.HELO_FIRST
        if self._sender is not None:
            return replies.NESTED_MAIL
        if arg[:5].upper() != "FROM:":
            return replies.MAIL_SYNTAX
        try:
            sender, rest = parse(arg[5:])
        except BadPath:
            return replies.BAD_SENDER
        try:
            options = parameters(rest)
        except BadPath:
            return replies.BAD_PARAMETER
        size = options.pop("SIZE", None)
        if size is not None:
            if not (size.isascii() and size.isdigit() and len(size) <= 20):
                return replies.BAD_PARAMETER
            if int(size) > self._settings.smtp_max_size:
                return replies.TOO_BIG
        if (options.pop("BODY", None) or "7BIT").upper() not in ("7BIT", "8BITMIME"):
            return replies.BAD_PARAMETER
        if options.pop("SMTPUTF8", None) is not None:  # it takes no value (RFC 6531 section 3.4)
            return replies.BAD_PARAMETER
        if options:
            return replies.UNKNOWN_PARAMETER
        self._sender = sender
        return replies.SENDER_OK

    def _take_rcpt(self, arg: str) -> None:
        reply = self._rcpt(arg)
        if not reply.refused:
            self._say(reply)
            return
        log.info("mail.recipient_refused", client_ip=self._client_ip, reply=reply.text[:9], reason=reply.reason)
        if reply.text[0] == "4":  # no fault of the client's
            self._say(reply)
        else:
            self._refuse(reply)

    def _rcpt(self, arg: str) -> Reply:
        if self._sender is None:
            return replies.MAIL_FIRST
        if arg[:3].upper() != "TO:":
            return replies.RCPT_SYNTAX
        try:
            path, rest = parse(arg[3:])
        except BadPath:
            return replies.BAD_RECIPIENT
        if not path.local:
            return replies.BAD_RECIPIENT
        if rest.strip():
            return replies.UNKNOWN_PARAMETER
        if len(self._recipients) >= self._settings.smtp_max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        directory = self._directory()
        if directory is None:
            return replies.LATER_RECIPIENT
        decision = decide(path, directory)
        if isinstance(decision, Reply):
            return decision
        self._recipients.append(decision)
        return replies.RECIPIENT_OK

    def _go_ahead(self, arg: str) -> None:
        if arg:
            self._refuse(replies.NO_ARGUMENT_EXPECTED)
            return
        if not self._recipients:
            self._refuse(replies.RCPT_FIRST if self._sender is not None else replies.MAIL_FIRST)
            return
        self._say(replies.GO_AHEAD)
        self._expect_mail_within(self._settings.smtp_data_timeout_s)
        self._then = self._take_data

    async def _take_data(self) -> None:
        """Read the mail and have it taken in."""
        assert self._sender is not None
        data = MailData(self._settings.smtp_max_size)
        held = 0
        try:
            fits, held = await self._receive(data)
            self._mail_until = float("inf")
            recipients, sender, client = self._recipients, self._sender, self.client()
            self._set_rset_state()
            if not fits:
                self._answer([replies.OUT_OF_MEMORY] * len(recipients))
                return
            raw = await beside(data.held, data.content)
            if data.too_big:
                self._answer([replies.TOO_BIG] * len(recipients))
                return
            if self._settings.smtp_bare_newlines == "refuse" and await beside(len(raw), has_bare_newlines, raw):
                self._answer([replies.BARE] * len(recipients))
                return
            delivery = Delivery(
                raw=raw,
                mail_from=str(sender),
                recipients=recipients,
                client_ip=client.ip,
                client_name=client.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                tls=self.session is not None and self.session.ssl is not None,
                lmtp=self.lmtp,
                from_front=self._house.is_front(client.ip),
                connection=id(self),
                told=client.told,
            )
            del raw
            self._flush()
            self._answer(await self._intake.take(delivery))
        finally:
            self._house.hold(-held)

    async def _receive(self, data: MailData) -> tuple[bool, int]:
        """Read the mail up to its dot. Gives whether there was memory for it, and how much of it is held."""
        held = 0
        fits = True
        block, self._input = self._input, bytearray()
        try:
            while True:
                rest = data.feed(block) if block else None
                if data.smuggling:
                    await self._turn_away(data, rest)
                if rest is not None:
                    self._input += rest
                    return fits, held
                if fits and data.held > held:
                    if self._house.hold(data.held - held):
                        held = data.held
                    else:
                        fits = False
                        data.discard()
                await self._more()
                block, self._input = self._input, bytearray()
        except BaseException:
            self._house.hold(-held)
            raise

    async def _turn_away(self, data: MailData, rest: bytes | None) -> None:
        """Refuse a smuggler: read to the true end, or until it falls silent, so that it can read the answer."""
        log.warning("mail.smuggling_refused", client_ip=self._client_ip)
        try:
            async with asyncio.timeout(_SILENCE_S):
                while rest is None:
                    data.discard()
                    await self._more()
                    rest = data.feed(bytes(self._input))
                    self._input.clear()
        except (TimeoutError, Over):
            pass
        self._end_with(replies.BARE_AROUND_DOT)

    def _answer(self, answers: list[Reply]) -> None:
        """The reply to a mail. SMTP has one for all recipients: what any of them got that is worst."""
        reply = replies.summary(answers)
        if reply.refused:
            self._refuse(reply) if reply.text[0] == "5" else self._say(reply)
        else:
            self._errors = self._commands = 0
            self._say(reply)


class LmtpSession(Session):
    """LMTP (RFC 2033): LHLO instead of EHLO, and a reply for each recipient."""

    lmtp = True

    def commands(self) -> dict[str, Handler]:
        """LHLO is the greeting, in place of both of SMTP's (RFC 2033 section 4.1)."""
        return {n: h for n, h in super().commands().items() if n not in ("HELO", "EHLO")} | {"LHLO": self._ehlo}

    def _answer(self, answers: list[Reply]) -> None:
        for reply in answers:
            self._say(reply)
        if any(not reply.refused for reply in answers):
            self._errors = self._commands = 0
