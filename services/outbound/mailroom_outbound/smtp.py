"""The courier for SMTP: the platform's relay and customers' own accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiosmtplib
from mailroom_contracts import OutboundMail, SmtpAccount
from mailroom_runtime.smtp_connect import Access, SmtpTrouble, open_session, said

from .courier import LEASE_LOST, Courier, Deferred, Failed, Hold, Letter, Outcome
from .replies import Reply, of_acceptance, of_recipients, of_transaction, of_trouble
from .session_pool import SessionPool

Sign = Callable[[bytes], Awaitable[bytes]]


def session_pool(account: SmtpAccount, password: str | None, access: Access) -> SessionPool:
    """Sessions of one account, at most `account.max_connections` at once."""
    return SessionPool(lambda: open_session(account, password, access), max(account.max_connections, 1))


class SmtpCourier(Courier):
    """Hands mails to one SMTP server. `sign` adds a DKIM signature, where the platform signs."""

    def __init__(self, pool: SessionPool, *, sign: Sign | None = None) -> None:
        self._pool, self._sign = pool, sign

    async def send(self, order: OutboundMail, mail: Letter) -> Outcome:
        raw = await self._sign(mail.raw) if self._sign is not None else mail.raw
        try:
            async with self._pool.session() as client:
                return await transaction(client, mail, raw)
        except SmtpTrouble as trouble:
            return of_trouble(trouble)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as error:
            words = str(error) if isinstance(error, aiosmtplib.SMTPException) else type(error).__name__
            return Deferred(f"The connection broke while sending ({words}).", Hold.LANE)
        except aiosmtplib.SMTPResponseException as error:
            return Deferred(f"The server answered in an odd way: {said(error.code, error.message)}", Hold.LANE)

    async def close(self) -> None:
        await self._pool.close()


async def transaction(client: aiosmtplib.SMTP, mail: Letter, raw: bytes) -> Outcome:
    """One mail transaction (RFC 5321 section 3.3) on an open session, which can be used again after any answer."""
    options, encoding = [f"SIZE={len(raw)}"] if client.supports_extension("size") else [], "ascii"
    if not raw.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    sender, recipients = on_the_wire(mail.sender), {r: on_the_wire(r) for r in mail.recipients}
    if not all(address.isascii() for address in (sender, *recipients.values())):
        if not client.supports_extension("smtputf8"):
            return Failed("The server cannot send to addresses with letters other than a to z (no SMTPUTF8).")
        options.append("SMTPUTF8")
        encoding = "utf-8"
    try:
        await client.mail(sender, options=options, encoding=encoding)
    except aiosmtplib.SMTPSenderRefused as error:
        return of_transaction(Reply(error.code, error.message))
    except ValueError:
        return Failed(f"{mail.sender} cannot be used as a sender.")
    refused: dict[str, Reply] = {}
    for recipient, on_wire in recipients.items():
        try:
            await client.rcpt(on_wire, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            refused[recipient] = Reply(error.code, error.message)
            if not client.is_connected:  # 421: the server has hung up
                return of_transaction(refused[recipient])
        except ValueError:
            refused[recipient] = Reply(553, "5.1.3 this is not an address that mail can be sent to")
    outcome = of_recipients(refused, len(mail.recipients))
    if outcome is None and not mail.still_ours():
        outcome = LEASE_LOST
    if outcome is not None:
        await _reset(client)
        return outcome
    try:
        answer = await client.data(raw)
    except aiosmtplib.SMTPDataError as error:
        await _reset(client)
        return of_transaction(Reply(error.code, error.message))
    accepted = [r for r in mail.recipients if r not in refused]
    return of_acceptance(Reply(answer.code, answer.message), accepted, refused)


def on_the_wire(address: str) -> str:
    """The address with its domain in ASCII (IDNA), so that only a local part can need SMTPUTF8."""
    local, at, domain = address.rpartition("@")
    if not at or domain.isascii():
        return address
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address


async def _reset(client: aiosmtplib.SMTP) -> None:
    """Clear the server's envelope; a server that does not even do that is left."""
    if not client.is_connected:
        return
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()
