"""The real login that an SMTP account is tried with before it is saved."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import SmtpAccount
from mailroom_runtime.smtp.account import AccountProblem, check_account
from mailroom_runtime.smtp.trouble import FIELDS

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.problems import Problem


async def look(console: Console, account: dict[str, Any], password: str, *, email: str) -> AccountProblem | None:
    """Log in and out again; what is wrong, or None. Logins that were refused wait longer and longer: their server would
    lock the account, or ban this network."""
    settings, pace, now = console.settings, console.check_pace, console.now() / times.SECOND
    host, user = str(account["host"]), str(account["username"])
    if (wait_s := pace.wait_s(host, user, now)) > 0:
        return AccountProblem(
            "too_many_tries",
            f"{host} refused this login several times. So that it does not lock the account, it is not asked again for "
            f"{wait_s:.0f} s.",
        )
    problem = await check_account(
        SmtpAccount.model_validate(account), password, from_email=email, allow_private=settings.allow_private_hosts,
        ca_file=settings.smtp_ca_file, dns_server=settings.dns_server,
    )  # fmt: skip
    if problem is None or problem.code == "sender_refused":
        pace.worked(host, user)
    elif problem.code in ("login_refused", "sign_in_wanted", "login_unavailable"):
        pace.refused(host, user, now)
    return problem


async def check(console: Console, account: dict[str, Any], password: str, *, email: str) -> None:
    """Raise `Problem` 422 `smtp_check_failed` that says what is wrong, when the account does not work."""
    if (problem := await look(console, account, password, email=email)) is not None:
        raise Problem(422, "smtp_check_failed", problem.text, reason=problem.code,
                      field=FIELDS.get(problem.code, "smtp.host"))  # fmt: skip
