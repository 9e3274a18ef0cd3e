"""The frame of an SMTP conversation: lines, replies, time-outs and the end, on aiosmtpd's connection.

Own here: strict line ends, pipelined replies in one write, one timer instead of one for each command, drain
(docs/decisions/0011-smtp-engine.md says why). Input comes straight from the transport, and commands are answered as
they come; the conversation's task is only woken for what needs waiting (`_then`: a mail's data, a TLS handshake).
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
Handler = Callable[[str], None]  # answers a command, given its argument


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
        self._at_commands = False  # and what it waits for are commands
        self._then: Callable[[], Awaitable[None]] | None = None  # what a command leaves to be waited for
        self._overlong = False  # the rest of a line that is too long is thrown away as it comes
        self._eof = False
        self._paused = False
        self._idle_at = 0.0
        self._mail_until = float("inf")  # when a mail has to be here
        self._timer_at = 0.0
        self._errors = 0
        self._commands = 0
        self._take_off: Callable[[], None] | None = None
        self._handlers = self.commands()

    def commands(self) -> dict[str, Handler]:
        """The commands that are understood, those included that are only refused politely.

        A handler never waits: what does, it leaves in `_then`, and no further command is read until that is done.
        """
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
        if self._at_commands:
            try:
                self._answer_commands()
                if self._then is None:
                    self._before_waiting()
                    return
            except Exception as error:  # noqa: BLE001  # the conversation's task ends with it, or logs it
                waiter.set_exception(error)
                return
        waiter.set_result(None)

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

    def _before_waiting(self) -> None:
        """Say what there is to say, or the last of it where the service stops; the client has its whole time again."""
        if self._house.stopping and not self.under_way:
            self._end_with(replies.STOPPING)
        self._flush()
        self._reset_timeout()

    async def _more(self) -> None:
        """Wait for more input; what there is to say is said first."""
        self._before_waiting()
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
        longest = self._settings.smtp_max_command_line
        if end == 0:
            if self._overlong or len(self._input) > longest:
                self._overlong = True
                self._input.clear()
            return None
        line = bytes(self._input[:end])
        del self._input[:end]
        if self._overlong or end > longest:
            self._overlong = False
            return replies.LINE_TOO_LONG
        if not line.endswith(b"\r\n"):
            return replies.BARE_IN_COMMAND
        line = line[:-2]
        return line if line.isascii() and line.decode().isprintable() else _checked(line)

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
                self._answer_commands()
                if self._then is None:
                    self._at_commands = True
                    await self._more()
                    self._at_commands = False
                else:
                    then, self._then = self._then, None
                    await then()
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

    def _answer_commands(self) -> None:
        """Answer all commands that have come, up to one that leaves something to be waited for."""
        while self._then is None and (line := self._next_line()) is not None:
            self._answer_line(line)

    def _answer_line(self, line: bytes | Reply) -> None:
        if self._house.stopping and not self.under_way:
            self._end_with(replies.STOPPING)
        self._commands += 1
        if self._commands > self._settings.smtp_max_commands:
            self._end_with(replies.TOO_MANY_COMMANDS)
        if isinstance(line, Reply):
            self._refuse(line)
            return
        name, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
        handler = self._handlers.get(name.upper())
        if handler is None:
            self._refuse(replies.UNRECOGNIZED if name.isalpha() and name.isascii() else replies.BAD_SYNTAX)
        else:
            handler(argument.strip(" "))

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
