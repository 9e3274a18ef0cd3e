"""The courier for SMTP: the platform's relay and customers' own accounts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import aiosmtplib
from mailroom_contracts import OutboundMail, SmtpAccount
from mailroom_mail import ascii_address
from mailroom_runtime.smtp.connect import Access, open_session
from mailroom_runtime.smtp.trouble import SmtpTrouble

from .courier import LEASE_LOST, Courier, Deferred, Delivered, Failed, Hold, Letter, Outcome
from .replaced_ids import replaced_id
from .replies import Reply, of_acceptance, of_recipients, of_transaction, of_trouble, recipient_reports
from .session import ConnectionBroken, Session, Waits
from .session_pool import SessionPool

Sign = Callable[[bytes], Awaitable[bytes]]
_NOT_IN_A_PATH = re.compile(r"[\x00-\x20\x7f<>]")
_ONE_DOT = b".\r\n"


def session_pool(account: SmtpAccount, password: str | None, access: Access) -> SessionPool:
    """Sessions of one account, at most `account.max_connections` at once."""
    return pool_of(account, lambda: open_session(account, password, access))


def pool_of(account: SmtpAccount, sign_in: Callable[[], Awaitable[aiosmtplib.SMTP]]) -> SessionPool:
    """The same, with a way of signing in of its own."""

    async def connect() -> Session:
        return Session.over(await sign_in())

    return SessionPool(connect, max(account.max_connections, 1))


class SmtpCourier(Courier):
    """Hands mails to one SMTP server. `sign` adds a DKIM signature, where the platform signs."""

    def __init__(
        self, pool: SessionPool, *, sign: Sign | None = None, host: str = "", waits: Waits | None = None
    ) -> None:
        self._pool, self._sign, self._host, self._waits = pool, sign, host, waits or Waits()

    async def send(self, order: OutboundMail, mail: Letter) -> Outcome:
        raw = await self._sign(mail.raw) if self._sign is not None else mail.raw
        try:
            while True:
                async with self._pool.session() as session:
                    fresh = session.mails == 0
                    session.mails += 1
                    outcome = await transaction(session, mail, raw, self._waits)
                    if not (isinstance(outcome, Deferred) and outcome.hold is Hold.SESSION):
                        return self._named(outcome)
                    session.close()
                if fresh:  # then it is not the session: the server closes down, or wants less of us
                    return replace(outcome, hold=Hold.LANE)
        except SmtpTrouble as trouble:
            return of_trouble(trouble)
        except ConnectionBroken as error:
            return Deferred(f"The connection broke while sending. {error}", Hold.LANE)
        except OSError as error:
            return Deferred(f"The connection broke while sending ({type(error).__name__}).", Hold.LANE)

    def _named(self, outcome: Outcome) -> Outcome:
        """With the Message-ID that the server put in place of ours, where it did."""
        if isinstance(outcome, Delivered) and (other := replaced_id(self._host, outcome.server_reply)):
            return replace(outcome, rfc_message_id=other)
        return outcome

    async def close(self) -> None:
        await self._pool.close()


async def transaction(session: Session, mail: Letter, raw: bytes, waits: Waits | None = None) -> Outcome:
    """One mail transaction (RFC 5321 section 3.3). The session can be used again, unless it was closed.

    Raises `ConnectionBroken`.
    """
    sender, recipients = on_the_wire(mail.sender), {r: on_the_wire(r) for r in mail.recipients}
    options = b" SIZE=%d" % len(raw) if "size" in session.extensions else b""
    if not raw.isascii() and "8bitmime" in session.extensions:
        options += b" BODY=8BITMIME"
    if not all(path.isascii() for path in (sender, *recipients.values())):
        if "smtputf8" not in session.extensions:
            return Failed("The server cannot send to addresses with letters other than a to z (no SMTPUTF8).")
        options += b" SMTPUTF8"
    if _NOT_IN_A_PATH.search(sender):
        return Failed(f"{mail.sender!r} cannot be used as a sender.")
    refused = {
        recipient: Reply(553, "5.1.3 this is not an address that mail can be sent to")
        for recipient, path in recipients.items()
        if _NOT_IN_A_PATH.search(path) or not path
    }
    asked = {recipient: path for recipient, path in recipients.items() if recipient not in refused}
    if not asked:
        return of_recipients(refused, len(recipients)) or Failed("It has no recipient.")
    commands = [
        b"MAIL FROM:<" + sender.encode() + b">" + options,
        *(b"RCPT TO:<" + path.encode() + b">" for path in asked.values()),
        b"DATA",
    ]
    waits = waits or Waits()
    outcome = await _envelope(session, commands, list(asked), refused, len(recipients), waits)
    if outcome is not None:
        await session.reset()
        return outcome
    if not mail.still_ours():
        session.close()  # after 354 there is no other way back
        return LEASE_LOST
    await session.upload(_content(raw), within_s=waits.piece)
    session.write(_ONE_DOT)
    try:
        answer = await session.reply(waits.final)
    except ConnectionBroken as error:
        words = f"The server took the whole mail, but did not say so. {error}"
        return Deferred(words, Hold.LANE, recipients=recipient_reports(refused), uncertain=True)
    if answer.code != 250:
        await session.reset()
        return of_transaction(answer)
    return of_acceptance(answer, [r for r in asked if r not in refused], refused)


async def _envelope(
    session: Session, commands: list[bytes], asked: list[str], refused: dict[str, Reply], count: int, waits: Waits
) -> Outcome | None:
    """MAIL, RCPT and DATA: together where the server takes that (RFC 2920), else one by one. None: it waits for the
    content. Adds to `refused`."""
    together = "pipelining" in session.extensions
    if together:
        session.write(b"\r\n".join(commands) + b"\r\n")
    mail = await (session.reply(waits.answer) if together else session.command(commands[0], waits.answer))
    if mail.code != 250 and not together:
        return of_transaction(mail)
    last = mail
    for recipient, command in zip(asked, commands[1:-1], strict=True):
        last = answer = await _next(session, command, together, last, waits.answer)
        if answer.code not in (250, 251):
            refused[recipient] = answer
    outcome = of_transaction(mail) if mail.code != 250 else of_recipients(refused, count)
    if outcome is not None and not together:
        return outcome
    data = await _next(session, commands[-1], together, last, waits.data)
    if outcome is not None:
        if data.code == 354:
            # it waits for a mail that nobody gets: an empty one ends that (RFC 2920 section 3.1)
            session.write(_ONE_DOT)
            await session.reply(waits.final)
        return outcome
    return None if data.code == 354 else of_transaction(data)


async def _next(session: Session, command: bytes, together: bool, last: Reply, within_s: float) -> Reply:
    """The answer to a command. A server that hung up after a refusal (421) gave that answer to all the rest."""
    try:
        return await (session.reply(within_s) if together else session.command(command, within_s))
    except ConnectionBroken:
        if last.code >= 400:
            return last
        raise


def _content(raw: bytes) -> bytes:
    """The mail as DATA wants it before the dot: CRLF line ends only, dots doubled (RFC 5321 section 4.5.2)."""
    if not raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):
        raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    raw = raw.replace(b"\r\n.", b"\r\n..")
    if raw.startswith(b"."):
        raw = b"." + raw
    return raw + (b"" if raw.endswith(b"\r\n") else b"\r\n")


def on_the_wire(address: str) -> str:
    """The address with its domain in ASCII (IDNA), so that only a local part can need SMTPUTF8."""
    try:
        return ascii_address(address)
    except ValueError:
        return ""  # there is no such domain: asking with the letters as they stand may reach another
