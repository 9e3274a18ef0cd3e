"""An SMTP account as it is kept: its login tried, its new password or tokens sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_oauth import OAuthTrouble

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.problems import Problem, invalid

from . import account_check, smtp_accounts
from .publication import as_published


async def sealed(
    console: Console, values: Mapping[str, Any], given: Mapping[str, Any], previous: dict[str, Any] | None
) -> dict[str, Any]:
    """The account to store, from what was given over what was there.

    Raises `Problem`: 422 with `field`, `smtp_check_failed` with what is wrong in words.
    """
    wanted = dict(given.get("smtp") or {})
    if (sign_in := given.get("signed_in")) is not None:
        return await _signed_in(console, values, wanted, previous, sign_in)
    password = given.get("password")
    if password is not None and not wanted.get("auth"):
        wanted["auth"] = "password" if (previous or {}).get("auth") == "oauth" else None
    account = smtp_accounts.account(wanted, values["email"], previous)
    if account["auth"] == "oauth":
        return await _still_signed_in(console, values, account, previous)
    if password is None:
        if not account["secret"] or (previous or {}).get("auth") == "oauth":  # tokens are nobody's password
            raise invalid("password", say("The password of the account is missing."))
        if previous is not None and any(
            account[name] != previous.get(name) for name in ("host", "port", "tls", "username")
        ):
            # else anybody who may edit could have the stored password sent to a server of their own, or in the clear
            raise invalid("password", say("Host, port, TLS or login name changed: give the password again."))
        password = console.sealer.open(account["secret"], bound_to=values["id"])
    await account_check.check(console, account, str(password), email=values["email"])
    if given.get("password") is not None or account != previous:
        account["secret"] = console.sealer.seal(str(password), bound_to=values["id"])
        account["secret_revision"] = int(account["secret_revision"]) + 1
    account["checked_at"] = times.rfc3339(console.now())
    return account


async def _signed_in(
    console: Console, values: Mapping[str, Any], wanted: dict[str, Any], previous: dict[str, Any] | None,
    sign_in: smtp_accounts.SignIn,
) -> dict[str, Any]:  # fmt: skip
    """The account of somebody who has just signed in: its login tried, its tokens sealed."""
    account = smtp_accounts.signed_in(
        wanted, values["email"], sign_in.provider, sign_in.login, previous,
        any_host=console.settings.allow_private_hosts,
    )  # fmt: skip
    await account_check.check(console, account, sign_in.tokens.access_token, email=values["email"])
    account["secret"] = console.sealer.seal(sign_in.tokens.sealable(), bound_to=values["id"])
    account["secret_revision"] = int(account["secret_revision"]) + 1
    account["checked_at"] = times.rfc3339(console.now())
    return account


async def _still_signed_in(
    console: Console, values: Mapping[str, Any], account: dict[str, Any], previous: dict[str, Any] | None
) -> dict[str, Any]:
    """Other settings of an account that is signed in: the login tried with them."""
    if previous is None or previous.get("auth") != "oauth" or not previous.get("secret"):
        raise invalid(
            "smtp.auth", say("Sign in at the provider: POST /addresses/smtp/connect gives the address to go to.")
        )
    if any(account[name] != previous[name] for name in ("host", "port", "tls")):
        raise invalid("smtp.host", say("Another server wants another sign-in: sign in again."))
    try:
        token = await console.keeper.token(await as_published(console, values["id"]))
    except OAuthTrouble as trouble:
        raise Problem(422, "smtp_check_failed", str(trouble), reason="sign_in_needed", field="smtp.provider") from None
    await account_check.check(console, account, token, email=values["email"])
    account["checked_at"] = times.rfc3339(console.now())
    return account
