"""Agents: people who answer mail, their role, queues, password and presence."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import ids, topics
from mailroom_runtime.redis.presence import STATES
from mailroom_runtime.redis.valkey import REDIS_DOWN
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit, passwords
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.mailboxes import email_address, person_name
from mailroom_console.principals import ADMIN, CONFIG, READ, TICKETS, Principal
from mailroom_console.problems import Problem, conflict, forbidden, invalid, not_found, revision_conflict
from mailroom_console.storage.outbox import retract
from mailroom_console.storage.paging import Page
from mailroom_console.storage.portal_rows import portal_row
from mailroom_console.storage.schema import agents, invitations, sessions

from . import lasting_presence
from .memberships import publish_agent, queues_of, renew_queues, set_queues

INVITATION_US = 7 * times.DAY
LONGEST_TTL_S = 7 * 24 * 3600.0


async def listed(console: Console, principal: Principal) -> Page:
    """The portal's agents by name, with presence."""
    principal.require(READ)
    async with console.database.read() as connection:
        query = select(agents).where(agents.c.portal_id == principal.portal_id)
        rows = (await connection.execute(query.order_by(agents.c.name, agents.c.id))).all()
        members = await queues_of(connection, [row.id for row in rows])
    presence = await presence_of(console, principal.portal_id, [row.id for row in rows])
    return Page([_shown(row, members.get(row.id, []), presence.get(row.id, "unknown")) for row in rows])


async def named(console: Console, principal: Principal) -> dict[str, dict[str, str]]:
    """`{id, name, email}` of each of the portal's agents by its id, in the order of names: for choices and lists that
    need neither queues nor presence."""
    principal.require(READ)
    query = select(agents.c.id, agents.c.name, agents.c.email).where(agents.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        rows = await connection.execute(query.order_by(agents.c.name, agents.c.id))
        return {row.id: {"id": row.id, "name": row.name, "email": row.email} for row in rows}


async def one(console: Console, principal: Principal, agent_id: str) -> dict[str, Any]:
    """One agent. Raises `Problem` 404."""
    for agent in (await listed(console, principal)).items:
        if agent["id"] == agent_id:
            return agent
    raise not_found(mark("agent"))


async def presence_of(console: Console, portal_id: str, agent_ids: list[str]) -> dict[str, str]:
    """Each agent's presence; {} while Redis is away."""
    try:
        return await console.presence.get_many(portal_id, agent_ids)
    except REDIS_DOWN:
        return {}


async def set_presence(
    console: Console, principal: Principal, agent_id: str, presence: str, ttl_s: float | None = None
) -> dict[str, Any]:
    """Set online, away or offline, until changed or for `ttl_s` seconds. Agents set only their own."""
    principal.require(TICKETS)
    if principal.kind == "session" and agent_id != principal.agent_id:
        principal.require(CONFIG)
    if presence not in STATES:
        raise invalid("presence", say("Presence is one of {names}.", names=", ".join(STATES)))
    if ttl_s is not None and not 0 < ttl_s <= LONGEST_TTL_S:
        raise invalid("ttl_s", say("The time to live is more than 0 and at most seven days."))
    async with console.database.read() as connection:
        row = await portal_row(connection, agents, principal, agent_id, "agent")
    if not row.active and presence != "offline":
        raise conflict("inactive_agent", say("This agent is disabled."))
    lasts = presence if ttl_s is None and presence != "offline" else None
    try:
        if lasts is None and row.presence is not None:  # before, or it would be put back
            await lasting_presence.keep(console, agent_id, None)
        await console.presence.set(principal.portal_id, agent_id, presence, ttl_s)
        if lasts is not None and row.presence != lasts:
            await lasting_presence.keep(console, agent_id, lasts)
    except REDIS_DOWN:
        raise Problem(503, "presence_unavailable", say("Presence cannot be set now: Redis does not answer.")) from None
    return await one(console, principal, agent_id)


async def create(
    console: Console, principal: Principal, *, email: str, name: str = "", role: str = "agent",
    queue_ids: list[str] | None = None, password: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Add an agent. Without a password the answer holds `invite_url`, a link to set one within 7 days."""
    principal.require(CONFIG)
    email, name = email_address(email), person_name(name, "name")
    _check_role(principal, role)
    stored = await passwords.hashed(passwords.acceptable(password, email=email)) if password else None
    now = console.now()
    link = None
    async with console.database.write() as connection:
        agent_id = await add(connection, portal_id=principal.portal_id, email=email, name=name, role=role,
                             queue_ids=queue_ids or [], password_hash=stored, by=principal, now=now)  # fmt: skip
        if stored is None:
            link = await _invite(connection, console, agent_id, now)
    answer = await one(console, principal, agent_id)
    return answer | ({"invite_url": link} if link else {})


async def add(
    connection: AsyncConnection, *, portal_id: str, email: str, name: str, role: str, queue_ids: list[str],
    password_hash: str | None, by: Principal | None, now: int, must_change: bool = False,
) -> str:  # fmt: skip
    """Insert and publish an agent within a transaction; its id. Raises `Problem` 409 `email_taken`."""
    agent_id = ids.derive("agent", portal_id, email)
    revision = await audit.last_revision(connection, agent_id) + 1
    try:
        await connection.execute(
            insert(agents).values(
                id=agent_id, portal_id=portal_id, email=email, name=name or email.partition("@")[0], role=role,
                active=True, password_hash=password_hash, must_change=must_change, revision=revision, created_at=now,
                updated_at=now,
            )
        )  # fmt: skip
    except IntegrityError:
        raise conflict("email_taken", say("{email} signs in here already.", email=email)) from None
    changed = await set_queues(connection, portal_id, agent_id, queue_ids)
    await audit.record(
        connection, portal_id=portal_id, by=by, action="agent.created", kind="agent", subject_id=agent_id, name=email,
        revision=revision, changes={"role": [None, role], "queue_ids": [None, queue_ids]}, now=now,
    )  # fmt: skip
    await publish_agent(connection, agent_id, now)
    await renew_queues(connection, changed, now)
    return agent_id


async def change(
    console: Console, principal: Principal, agent_id: str, *, name: str | None = None, role: str | None = None,
    queue_ids: list[str] | None = None, active: bool | None = None, revision: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Change an agent; None leaves as is. The last administrator stays one."""
    principal.require(CONFIG)
    now = console.now()
    async with console.database.write() as connection:
        row = await portal_row(connection, agents, principal, agent_id, "agent")
        if revision is not None and revision != row.revision:
            raise revision_conflict(row.revision)
        _check_role(principal, row.role)
        own = (await queues_of(connection, [agent_id])).get(agent_id, [])
        before = {"name": row.name, "role": row.role, "active": row.active, "queue_ids": own}
        after: dict[str, Any] = {
            "name": person_name(name, "name") if name is not None else row.name,
            "role": _check_role(principal, role) if role is not None else row.role,
            "active": active if active is not None else row.active,
            "queue_ids": sorted(set(queue_ids)) if queue_ids is not None else own,
        }
        changes = audit.changes_between(before, after)
        if row.role == "administrator" and (after["role"] != "administrator" or not after["active"]):
            await _check_not_last(connection, row)
        if changes:
            done = await connection.execute(
                update(agents).where(agents.c.id == agent_id, agents.c.revision == row.revision)
                .values(name=after["name"], role=after["role"], active=after["active"], revision=row.revision + 1,
                        updated_at=now, presence=row.presence if after["active"] else None)
            )  # fmt: skip
            if done.rowcount != 1:
                raise revision_conflict(row.revision + 1)
            changed = await set_queues(connection, principal.portal_id, agent_id, after["queue_ids"])
            if not after["active"]:
                await connection.execute(delete(sessions).where(sessions.c.agent_id == agent_id))
            await audit.record(
                connection, portal_id=principal.portal_id, by=principal, action="agent.changed", kind="agent",
                subject_id=agent_id, name=row.email, revision=row.revision + 1, changes=changes, now=now,
            )  # fmt: skip
            await publish_agent(connection, agent_id, now)
            await renew_queues(connection, changed, now)
    if active is False:
        await _forget_presence(console, principal.portal_id, agent_id)
    return await one(console, principal, agent_id)


async def remove(console: Console, principal: Principal, agent_id: str) -> None:
    """Delete an agent; their tickets keep what was written. Raises `Problem` 409 for the last administrator."""
    principal.require(CONFIG)
    if agent_id == principal.agent_id:
        raise forbidden(say("You cannot delete yourself."))
    now = console.now()
    async with console.database.write() as connection:
        row = await portal_row(connection, agents, principal, agent_id, "agent")
        _check_role(principal, row.role)
        if row.role == "administrator":
            await _check_not_last(connection, row)
        changed = await set_queues(connection, principal.portal_id, agent_id, [])
        await connection.execute(delete(agents).where(agents.c.id == agent_id))
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="agent.deleted", kind="agent",
            subject_id=agent_id, name=row.email, revision=row.revision, now=now,
        )  # fmt: skip
        await retract(connection, topics.AGENTS, agent_id)
        await renew_queues(connection, changed, now)
    await _forget_presence(console, principal.portal_id, agent_id)


async def invite(console: Console, principal: Principal, agent_id: str) -> str:
    """A new link with which the agent sets a password; earlier links end."""
    principal.require(CONFIG)
    now = console.now()
    async with console.database.write() as connection:
        row = await portal_row(connection, agents, principal, agent_id, "agent")
        _check_role(principal, row.role)  # whoever has the link sets the password
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="agent.invited", kind="agent",
            subject_id=agent_id, name=row.email, now=now,
        )  # fmt: skip
        return await _invite(connection, console, agent_id, now)


async def _invite(connection: AsyncConnection, console: Console, agent_id: str, now: int) -> str:
    token = passwords.drawn()
    await connection.execute(delete(invitations).where(invitations.c.agent_id == agent_id))
    await connection.execute(
        insert(invitations).values(id=passwords.digest(token), agent_id=agent_id, expires_at=now + INVITATION_US)
    )
    return f"{console.settings.url.rstrip('/')}/first-start?token={token}"


async def _forget_presence(console: Console, portal_id: str, agent_id: str) -> None:
    try:
        await console.presence.set(portal_id, agent_id, "offline")
    except REDIS_DOWN:
        return  # the router gives tickets to active agents of the queue only, so nothing goes wrong


async def _check_not_last(connection: AsyncConnection, row: Any) -> None:
    others = await connection.scalar(
        select(func.count()).select_from(agents).where(
            agents.c.portal_id == row.portal_id, agents.c.role == "administrator", agents.c.active,
            agents.c.id != row.id,
        )
    )  # fmt: skip
    if not others:
        raise conflict("last_administrator", say("This is the last administrator of the portal."))


def _check_role(principal: Principal, role: str) -> str:
    """The role. Nobody makes or changes an administrator who is not one: they may do more than the scope `config`."""
    if role not in ("administrator", "agent"):
        raise invalid("role", say("A role is administrator or agent."))
    if role == "administrator":
        principal.require(ADMIN)
    return role


def _shown(row: Any, queue_ids: list[str], presence: str) -> dict[str, Any]:
    return {"id": row.id, "portal_id": row.portal_id, "email": row.email, "name": row.name, "role": row.role,
            "queue_ids": queue_ids, "presence": presence, "active": row.active,
            "has_password": row.password_hash is not None, "revision": row.revision}  # fmt: skip
