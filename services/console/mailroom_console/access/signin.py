"""Sign-in: passwords, sessions in cookies, links that set a password, and waiting after wrong tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import Principal, agent_principal
from mailroom_console.problems import Problem
from mailroom_console.storage.schema import agents, invitations, login_failures, portals, queue_agents, sessions

from . import audit, passwords, throttle

COOKIE = "mailroom_session"
LONGEST_SESSION_US = 30 * times.DAY


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: `token` goes into the cookie, nowhere else."""

    token: str
    principal: Principal
    must_change: bool


async def sign_in(console: Console, email: str, password: str, *, client: str = "") -> SignedIn:
    """Start a session. Raises `Problem` 401 `wrong_login`, or 429 `too_many_tries` with `retry_after`."""
    email = email.strip().lower()[:320]
    now = console.now()
    await _begin_try(console, email, client)
    async with console.database.read() as connection:
        row = (
            await connection.execute(
                select(agents).join(portals, portals.c.id == agents.c.portal_id)
                .where(agents.c.email == email, agents.c.active, portals.c.active)
            )
        ).one_or_none()  # fmt: skip
    if not await passwords.matches(row.password_hash if row else None, password[:1000]) or row is None:
        raise Problem(401, "wrong_login", say("Address or password is wrong."))
    async with console.database.write() as connection:
        await _forgive(connection, email, client)
        await connection.execute(delete(sessions).where(sessions.c.expires_at < now))
        if passwords.needs_rehash(row.password_hash):
            fresh = await passwords.hashed(password)
            await connection.execute(update(agents).where(agents.c.id == row.id).values(password_hash=fresh))
        return await _start(console, connection, row, client, now)


async def principal_of(console: Console, token: str) -> Principal | None:
    """Whose session it is, or None. Each use prolongs it."""
    if not token or len(token) > 200:
        return None
    now = console.now()
    session_id = passwords.digest(token)
    async with console.database.read() as connection:
        row = (
            await connection.execute(
                select(sessions.c.id.label("session_id"), sessions.c.csrf, sessions.c.seen_at, sessions.c.expires_at,
                       sessions.c.created_at, agents)
                .join(agents, agents.c.id == sessions.c.agent_id).join(portals, portals.c.id == agents.c.portal_id)
                .where(sessions.c.id == session_id, sessions.c.expires_at > now, agents.c.active, portals.c.active)
            )
        ).one_or_none()  # fmt: skip
        if row is None:
            return None
        own = await connection.execute(select(queue_agents.c.queue_id).where(queue_agents.c.agent_id == row.id))
        queue_ids = frozenset(own.scalars())
    if row.seen_at < now - 60 * times.SECOND:
        started = await _session_started(console, session_id)
        lasts = min(now + _session_us(console), started + LONGEST_SESSION_US)
        async with console.database.write() as connection:
            await connection.execute(
                update(sessions).where(sessions.c.id == session_id).values(seen_at=now, expires_at=lasts)
            )
    return agent_principal(agent_id=row.id, portal_id=row.portal_id, name=row.name, email=row.email, role=row.role,
                           queue_ids=queue_ids, csrf=row.csrf, session_id=session_id,
                           must_change=bool(row.must_change), language=row.language, zone=row.zone)  # fmt: skip


async def sign_out(console: Console, principal: Principal) -> None:
    """End this session."""
    async with console.database.write() as connection:
        await connection.execute(delete(sessions).where(sessions.c.id == principal.session_id))


async def change_password(console: Console, principal: Principal, old: str, new: str) -> None:
    """Set another password; every other session of the agent ends. Raises `Problem` 403 `wrong_password`."""
    async with console.database.read() as connection:
        row = (await connection.execute(select(agents).where(agents.c.id == principal.agent_id))).one_or_none()
    if row is None:
        raise Problem(403, "forbidden", say("Only agents have passwords."))
    await _begin_try(console, row.email, "")
    if not await passwords.matches(row.password_hash, old):
        raise Problem(403, "wrong_password", say("The present password is wrong."))
    stored = await passwords.hashed(passwords.acceptable(new, email=row.email))
    async with console.database.write() as connection:
        await _forgive(connection, row.email, "")
        await _set_password(connection, row, stored, console.now(), keep=principal.session_id)


async def invitation(console: Console, token: str) -> dict[str, Any] | None:
    """Whom a link is for, `{email, name}`, or None for one that is used, too old or wrong."""
    async with console.database.read() as connection:
        row = await _invited(connection, token, console.now())
    return None if row is None else {"email": row.email, "name": row.name}


async def accept_invitation(console: Console, token: str, password: str, *, client: str = "") -> SignedIn:
    """Set the password that a link asks for, and sign in. Raises `Problem` 404 `link_ended`."""
    now = console.now()
    async with console.database.read() as connection:
        row = await _invited(connection, token, now)
    if row is None:
        raise Problem(404, "link_ended", say("This link was used already or is too old. Ask for another one."))
    stored = await passwords.hashed(passwords.acceptable(password, email=row.email))
    async with console.database.write() as connection:
        used = await connection.execute(delete(invitations).where(invitations.c.id == passwords.digest(token)))
        if used.rowcount != 1:
            raise Problem(404, "link_ended", say("This link was used already. Ask for another one."))
        await _set_password(connection, row, stored, now, keep="")
        return await _start(console, connection, row, client, now)


async def _start(console: Console, connection: AsyncConnection, row: Any, client: str, now: int) -> SignedIn:
    token, csrf = passwords.drawn(), passwords.drawn()
    session_id = passwords.digest(token)
    await connection.execute(
        insert(sessions).values(id=session_id, agent_id=row.id, csrf=csrf, created_at=now, seen_at=now,
                                expires_at=now + _session_us(console), client=client[:200])
    )  # fmt: skip
    own = await connection.execute(select(queue_agents.c.queue_id).where(queue_agents.c.agent_id == row.id))
    principal = agent_principal(
        agent_id=row.id, portal_id=row.portal_id, name=row.name, email=row.email, role=row.role,
        queue_ids=frozenset(own.scalars()), csrf=csrf, session_id=session_id, must_change=bool(row.must_change),
    )  # fmt: skip
    return SignedIn(token, principal, bool(row.must_change))


async def _invited(connection: AsyncConnection, token: str, now: int) -> Any:
    return (
        await connection.execute(
            select(agents).join(invitations, invitations.c.agent_id == agents.c.id)
            .where(invitations.c.id == passwords.digest(token[:200]), invitations.c.expires_at > now, agents.c.active)
        )
    ).one_or_none()  # fmt: skip


async def _set_password(connection: AsyncConnection, row: Any, stored: str, now: int, *, keep: str) -> None:
    await connection.execute(
        update(agents).where(agents.c.id == row.id).values(password_hash=stored, must_change=False)
    )
    await connection.execute(delete(sessions).where(sessions.c.agent_id == row.id, sessions.c.id != keep))
    await audit.record(connection, portal_id=row.portal_id, by=None, action="agent.password_set", kind="agent",
                       subject_id=row.id, name=row.email, now=now)  # fmt: skip


async def _session_started(console: Console, session_id: str) -> int:
    async with console.database.read() as connection:
        return int(await connection.scalar(select(sessions.c.created_at).where(sessions.c.id == session_id)) or 0)


async def _begin_try(console: Console, email: str, client: str) -> None:
    """Count a try before its password is looked at. Raises `Problem` 429 after too many wrong ones of an account or from
    a client, which stands for many people behind one address and so may try more often."""
    wait_us = int(console.settings.login_wait_s * times.SECOND)
    for who in _throttled(email, client):
        most = console.settings.login_tries * (1 if who.startswith("email:") else 5)
        await throttle.take(console, who, most=most, within_us=wait_us, told=say("Too many wrong passwords."))


async def _forgive(connection: AsyncConnection, email: str, client: str) -> None:
    """It was the right password: the account begins anew, and the client has one wrong try less."""
    f = login_failures
    await connection.execute(delete(f).where(f.c.who == f"email:{email}"))
    await connection.execute(
        update(f).where(f.c.who.in_(_throttled(email, client)[1:]), f.c.tries > 0).values(tries=f.c.tries - 1)
    )


def _throttled(email: str, client: str) -> list[str]:
    return [f"email:{email}"] + ([f"client:{client[:60]}"] if client else [])


def _session_us(console: Console) -> int:
    return int(console.settings.session_hours * times.HOUR)
