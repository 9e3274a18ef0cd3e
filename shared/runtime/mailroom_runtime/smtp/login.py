"""Signing in to an SMTP server: one login, by the mechanism that the server offers (RFC 4954)."""

from __future__ import annotations

import base64

import aiosmtplib
from mailroom_contracts import SmtpAccount

from . import sasl
from .refusals import NOT_THIS_WAY, not_offered, of_login
from .trouble import SmtpTrouble, said

TOKEN_LOGINS = ("oauth", "xoauth2")  # values of SmtpAccount.auth; xoauth2 is the older name


async def sign_in(client: aiosmtplib.SMTP, account: SmtpAccount, secret: str | None) -> None:
    """Sign in, if the account has a user name; `secret` is a password or an access token. Raises `SmtpTrouble`.

    A refused secret is not tried by another mechanism: that would count as a second failed login, and servers lock
    accounts, or clients' networks, for few of those.
    """
    if not account.username:
        return
    token = account.auth in TOKEN_LOGINS
    private = client.get_transport_info("sslcontext") is not None
    offered = list(dict.fromkeys(client.server_auth_methods))
    names = sasl.usable(offered, token=token, private=private)
    if not names:
        starttls = client.supports_extension("starttls")
        raise not_offered(token=token, offered=offered, private=private, starttls=starttls)
    try:
        for name in names:
            answer, told = await _exchange(client, account, secret or "", name)
            if answer.code == 235:
                return
            if answer.code not in NOT_THIS_WAY or name == names[-1] or told is not None:
                break
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as error:
        raise SmtpTrouble(
            "no_answer", f"The connection to {account.host} broke during the login.", temporary=True
        ) from error
    except aiosmtplib.SMTPResponseException as error:
        raise SmtpTrouble(
            "no_answer", f"The server broke off the login. It said: {said(error.code, error.message)}", temporary=True
        ) from None
    except (aiosmtplib.SMTPException, ValueError) as error:
        raise SmtpTrouble("no_login", f"The login cannot be made: {error}") from None
    raise of_login(answer.code, answer.message, token=token, told=told, private=private)


async def _exchange(
    client: aiosmtplib.SMTP, account: SmtpAccount, secret: str, name: str
) -> tuple[aiosmtplib.SMTPResponse, dict[str, str] | None]:
    """The last answer of one exchange, and what a 334 said about a refused token."""
    user, keyword = account.username, name.upper().encode()
    if name == "login":
        # without the name on the first line: some servers do not take it there
        answer = await client.execute_command(b"AUTH", keyword)
        for part in (user, secret):
            if answer.code == 334:
                answer = await client.execute_command(base64.b64encode(part.encode()))
        return answer, None
    if name == "cram-md5":
        answer = await client.execute_command(b"AUTH", keyword)
        if answer.code == 334:
            response = sasl.cram_md5(user, secret, answer.message.encode())
            answer = await client.execute_command(response)
        return answer, None
    if name == "plain":
        return await _respond(client, keyword, sasl.plain(user, secret)), None
    host = account.host.strip().rstrip(".")
    response = sasl.xoauth2(user, secret) if name == "xoauth2" else sasl.oauthbearer(user, secret, host, account.port)
    answer = await _respond(client, keyword, response)
    if answer.code != 334:
        return answer, None
    told = sasl.refusal(answer.message)
    return await client.execute_command(sasl.END_OF_REFUSAL[name]), told


async def _respond(client: aiosmtplib.SMTP, keyword: bytes, response: bytes) -> aiosmtplib.SMTPResponse:
    """The client's first response, on the AUTH line only where it fits there."""
    if sasl.fits(keyword.decode(), response):
        return await client.execute_command(b"AUTH", keyword, response)
    answer = await client.execute_command(b"AUTH", keyword)
    return await client.execute_command(response) if answer.code == 334 else answer
