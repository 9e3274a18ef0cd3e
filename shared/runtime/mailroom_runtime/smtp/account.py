"""Does an SMTP account work? A real login, and what is wrong in words that a person understands."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

import aiosmtplib
from mailroom_contracts import SmtpAccount

from .connect import Access, open_session
from .presets import PRESETS, Preset, preset_for, tls_for_port
from .refusals import of_account
from .trouble import SmtpTrouble, said

__all__ = ["PRESETS", "AccountProblem", "Preset", "check_account", "preset_for", "tls_for_port"]


@dataclass(frozen=True, slots=True)
class AccountProblem:
    """What is wrong with an account.

    `code`: a key of `trouble.FIELDS`. `text` is for people and holds no secret.
    """

    code: str
    text: str


async def check_account(
    account: SmtpAccount,
    password: str | None,
    *,
    from_email: str,
    allow_private: bool = False,
    ca_file: str = "",
    timeout_s: float = 15.0,
    dns_server: str = "",
    access: Access | None = None,
) -> AccountProblem | None:
    """Connect, sign in and ask whether `from_email` may send; nothing is sent. None: it works.

    `access` overrides the other options (tests).
    """
    how = access or Access(allow_private, ca_file, dns_server, timeout_s)
    client: aiosmtplib.SMTP | None = None
    try:
        async with asyncio.timeout(how.timeout_s * 2):
            client = await open_session(account, password, replace(how))
            return await _may_send(client, from_email)
    except SmtpTrouble as trouble:
        return AccountProblem(trouble.code, str(trouble))
    except (TimeoutError, aiosmtplib.SMTPException, OSError):
        return AccountProblem("no_answer", f"{account.host} stopped answering during the check.")
    finally:
        if client is not None:
            with contextlib.suppress(TimeoutError, aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=2)
            client.close()


async def _may_send(client: aiosmtplib.SMTP, from_email: str) -> AccountProblem | None:
    """MAIL FROM and RCPT TO ourselves, then RSET. Many servers judge the sender only at RCPT."""
    words = None
    try:
        await client.mail(from_email)
        await client.rcpt(from_email)
    except aiosmtplib.SMTPSenderRefused as error:
        if (told := of_account(error.code, error.message)) is not None:
            return AccountProblem(told.code, str(told))
        words = said(error.code, error.message) if error.code >= 500 else None
    except aiosmtplib.SMTPRecipientRefused as error:
        if (told := of_account(error.code, error.message)) is not None:
            return AccountProblem(told.code, str(told))
        # a refused recipient may be just that; only what is about the sender counts
        if error.code >= 500 and ("sender" in error.message.lower() or "5.7." in error.message[:8]):
            words = said(error.code, error.message)
    if client.is_connected:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await client.rset()
    if words is None:
        return None
    return AccountProblem(
        "sender_refused", f"The login works, but the server does not let it send as {from_email}. It said: {words}"
    )
