"""The frame of an SMTP conversation: lines, replies, time-outs and the end, on aiosmtpd's connection.

Own here: strict line ends, pipelined replies in one write, one timer instead of one for each command, drain
(docs/decisions/0011-smtp-engine.md says why). Input comes straight from the transport, and commands that need no
waiting are answered as they come: the conversation's task is only woken for the rest.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from aiosmtpd.smtp import SMTP
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from . import replies
from .house import House
from .replies import Reply
from .settings import IngestSmtpSettings

log = get_logger()
BLOCK = 262_144
_AFTER_NAME = (b" ", b"\r")


class Over(Exception):
    """The conversation is over; everything has been said."""


class Conversation(SMTP):
    """One connection: lines in, replies out, and when it ends. aiosmtpd runs `_handle_client` for each client."""

    line_length_limit = BLOCK
    lmtp = False

    def __init__(
        self,
        settings: IngestSmtpSettings,
        house: House,
        tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            None,
            data_size_limit=settings.smtp_max_size,
            enable_SMTPUTF8=True,
            hostname=settings.hostname,
            ident="Mailroom",
            tls_context=tls,
            timeout=settings.smtp_idle_timeout_s,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=loop,
        )
        self._settings = settings
        self._house = house
        self._input = bytearray()
        self._output: list[str] = []
        self._client_ip = ""
        self._admitted = False
        self._over = False
        self._waiter: asyncio.Future[None] | None = None  # the conversation's task waits for input
        self._at_command = False  # and what it waits for is a command
        self._then: Callable[[], Awaitable[None]] | None = None  # what the next input belongs to, if no command
        self._eof = False
        self._paused = False
        self._idle_at = 0.0
        self._mail_until = float("inf")  # when a mail has to be here
        self._timer_at = 0.0
        self._errors = 0
        self._commands = 0
        self._take_off: Callable[[], None] | None = None
        self._handlers: dict[str, Callable[[str], Awaitable[None]]] = {
            name: getattr(self, f"smtp_{name}") for name in self.commands()
        }
        self._at_once = self.commands_at_once()

    @classmethod
    def commands(cls) -> tuple[str, ...]:
        """The commands that are understood, those included that are only refused politely."""
        return ("HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "STARTTLS", "HELP", "VRFY", "EXPN",
                "AUTH")  # fmt: skip

    def commands_at_once(self) -> dict[str, Callable[[str], None]]:
        """The commands that are answered without waiting, all of four letters; `_then` is what follows the answer."""
        return {}

    @property
    def under_way(self) -> bool:
        """Whether a mail is between MAIL and its last dot: it is finished even when the service stops."""
        return False

    # -- the connection ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._input += data
        waiter = self._waiter
        if waiter is None or waiter.done():
            if len(self._input) > 2 * BLOCK and self.transport is not None:
                self._paused = True
                self.transport.pause_reading()  # type: ignore[attr-defined]
            return
        if self._at_command and self._then is None:
            try:
                if self._answered_at_once():
                    return
            except Exception as error:  # noqa: BLE001  # the conversation's task ends with it, or logs it
                waiter.set_exception(error)
                return
        waiter.set_result(None)

    def _answered_at_once(self) -> bool:
        """Whether all that came are commands that need no waiting: then they are answered."""
        while self._input:
            handler = self._at_once.get(self._input[:4].decode("latin-1").upper())
            if handler is None or self._input[4:5] not in _AFTER_NAME or (line := self._next_line()) is None:
                return False
            if (command := self._admitted_command(line)) is not None:
                handler(command[1])
            if self._then is not None and self._input:
                return False
        self._flush()
        self._reset_timeout()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self._admitted:
            self._admitted = False
            self._house.leave(self._client_ip)
        if self._take_off is not None:
            self._take_off()
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        # aiosmtpd would give up a mail whose last dot came together with the end of the client's sending side
        self._eof = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Over())
        return self.session is not None and self.session.ssl is None

    def _reset_timeout(self, duration: float | None = None) -> None:
        self._idle_at = self.loop.time() + (duration or self._timeout_duration)
        if self._timeout_handle is None:  # one timer that looks again, instead of a new one for each command
            self._look_again_at(self._idle_at)

    def _look_again_at(self, at: float) -> None:
        self._timer_at = at
        self._timeout_handle = self.loop.call_at(at, self._timeout_cb)

    def _expect_mail_within(self, seconds: float) -> None:
        """From now on a mail comes; `_mail_until` ends that."""
        self._mail_until = self.loop.time() + seconds
        if self._timeout_handle is not None and self._mail_until < self._timer_at:
            self._timeout_handle.cancel()
            self._look_again_at(self._mail_until)

    def _timeout_cb(self) -> None:
        if self.transport is None or self._over:
            return
        now = self.loop.time()
        if self._waiter is not None and now >= self._mail_until:
            self._leave_with(replies.TOO_SLOW)
        elif self._waiter is not None and now >= self._idle_at:
            self._leave_with(replies.IDLE)
        else:
            self._look_again_at(max(min(self._idle_at, self._mail_until), now + 1.0))

    def _leave_with(self, reply: Reply) -> None:
        """Say a last thing from outside the conversation, and end it."""
        self._over = True
        self._say(reply)
        self._flush()
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    def _stop(self) -> None:
        """The service stops: who is between mails goes at once, a mail under way is finished first."""
        if self._waiter is not None and not self.under_way:
            self._leave_with(replies.STOPPING)

    # -- talking -------------------------------------------------------------------------------------------------

    def _say(self, reply: Reply) -> None:
        if reply.reason:
            metrics.counter("mailroom_smtp_refused_total", "Refusals by reason", ["reason"]).labels(reply.reason).inc()
        self._output.append(reply.text)

    def _flush(self) -> None:
        if self._output and self.transport is not None and not self.transport.is_closing():
            self.transport.write(("\r\n".join(self._output) + "\r\n").encode())  # type: ignore[attr-defined]
            if self.transport.get_write_buffer_size() > BLOCK:  # type: ignore[attr-defined]
                self.transport.abort()  # type: ignore[attr-defined]  # it sends and never reads
        self._output.clear()

    def _end_with(self, reply: Reply) -> None:
        self._say(reply)
        self._flush()
        raise Over

    async def _more(self) -> None:
        """Wait for more input; what there is to say is said first."""
        if self._house.stopping and not self.under_way:
            self._end_with(replies.STOPPING)
        self._flush()
        self._reset_timeout()
        if self._eof:
            raise Over
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()  # type: ignore[attr-defined]
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _next_line(self) -> bytes | Reply | None:
        """The next command line without its end, or the reply that refuses it; None: it has not all come yet."""
        end = self._input.find(b"\n") + 1
        if end == 0:
            return None
        line = bytes(self._input[:end])
        del self._input[:end]
        if end > self._settings.smtp_max_command_line:
            return replies.LINE_TOO_LONG
        if not line.endswith(b"\r\n"):
            return replies.BARE_IN_COMMAND
        line = line[:-2]
        return line if line.isascii() and line.decode().isprintable() else _checked(line)

    async def _line(self) -> bytes | Reply:
        """As `_next_line`, and waits for it. Empty when what comes next is no command but for `_then`."""
        while (line := self._next_line()) is None:
            if len(self._input) > self._settings.smtp_max_command_line:
                # the rest of the line is thrown away as it comes
                while b"\n" not in self._input:
                    self._input.clear()
                    await self._more()
                del self._input[: self._input.find(b"\n") + 1]
                return replies.LINE_TOO_LONG
            self._at_command = True
            try:
                await self._more()
            finally:
                self._at_command = False
            if self._then is not None:
                return b""
        return line

    async def _handle_client(self) -> None:
        assert self.session is not None
        peer: object = self.session.peer  # aiosmtpd calls it a str; it is the socket's address tuple
        self._client_ip = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        try:
            refusal = self._house.admit(self._client_ip)
            if refusal is not None:
                self._end_with(refusal)
            self._admitted = True
            self._take_off = self._house.on_stop(self._stop)
            self._say(Reply(f"220 {self.hostname} {'LMTP' if self.lmtp else 'ESMTP'} Mailroom"))
            while True:
                await self._command()
        except Over:
            pass
        except (ConnectionError, ssl.SSLError, TimeoutError):
            log.debug("smtp.connection_broken", client_ip=self._client_ip)
        except Exception:
            # one broken conversation must not pass for an accepted mail, nor stop the service
            log.exception("smtp.session_failed", client_ip=self._client_ip)
            self._say(replies.BROKEN)
        finally:
            self._over = True
            if self.transport is not None:
                self._flush()
                self.transport.close()

    async def _command(self) -> None:
        line = await self._line()
        if self._then is not None:
            then, self._then = self._then, None
            await then()
            return
        command = self._admitted_command(line)
        if command is None:
            return
        name, argument = command
        handler = self._handlers.get(name.upper())
        if handler is None:
            self._refuse(replies.UNRECOGNIZED if name.isalpha() and name.isascii() else replies.BAD_SYNTAX)
        else:
            await handler(argument)

    def _admitted_command(self, line: bytes | Reply) -> tuple[str, str] | None:
        """The command and its argument, counted; None: it was refused."""
        if self._house.stopping and not self.under_way:
            self._end_with(replies.STOPPING)
        self._commands += 1
        if self._commands > self._settings.smtp_max_commands:
            self._end_with(replies.TOO_MANY_COMMANDS)
        if isinstance(line, Reply):
            self._refuse(line)
            return None
        name, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
        return name, argument.strip(" ")

    def _refuse(self, reply: Reply) -> None:
        """Say it and count it: who errs all the time is sent away (RFC 5321 section 4.3.2, RFC 3463 x.7.0)."""
        self._say(reply)
        self._errors += 1
        if self._errors >= self._settings.smtp_max_errors:
            log.info("smtp.too_many_errors", client_ip=self._client_ip)
            self._end_with(replies.TOO_MANY_ERRORS)


def _checked(line: bytes) -> bytes | Reply:
    """A line with characters beyond ASCII; control characters (a lone CR, NUL) are refused."""
    if any((byte < 32 and byte != 9) or byte == 127 for byte in line):
        return replies.BARE_IN_COMMAND
    return line
