"""The real login that an SMTP account is tried with before it is saved."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import SmtpAccount

from .context import Console
from .problems import Problem


async def check(console: Console, account: dict[str, Any], password: str, *, email: str) -> None:
    """Log in and out again. Raises `Problem` 422 `smtp_check_failed` that says what is wrong, for people."""
    from mailroom_runtime.smtp_account import check_account

    raise NotImplementedError(check_account, SmtpAccount, Problem, account, password, email, console)
