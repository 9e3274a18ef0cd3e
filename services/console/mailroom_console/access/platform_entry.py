"""Who operates the platform has no account in a portal: for one request the platform's token is typed instead."""

from __future__ import annotations

from sqlalchemy import delete

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import PLATFORM, Principal
from mailroom_console.problems import Problem
from mailroom_console.storage.schema import login_failures

from . import throttle, tokens


async def by_token(console: Console, secret: str, *, client: str) -> Principal:
    """Whom a typed token stands for; it is kept nowhere.

    Raises `Problem` 401 `wrong_token`, 403 `scope_missing` for a portal's own token, and 429 `too_many_tries` after as many
    wrong ones of a client as a sign-in takes of an account.
    """
    who, wait_us = f"platform:{client[:60]}", int(console.settings.login_wait_s * times.SECOND)
    await throttle.take(
        console, who, most=console.settings.login_tries, within_us=wait_us, told=say("Too many wrong tokens.")
    )
    principal = await tokens.principal_of(console, secret.strip())
    if principal is None:
        raise Problem(401, "wrong_token", say("This token is not valid."), field="token")
    if PLATFORM not in principal.scopes:
        raise Problem(
            403, "scope_missing", say("This is a portal’s own token. It takes the platform’s: it has the scope platform."),
            field="token",
        )  # fmt: skip
    async with console.database.write() as connection:
        await connection.execute(delete(login_failures).where(login_failures.c.who == who))
    return principal
