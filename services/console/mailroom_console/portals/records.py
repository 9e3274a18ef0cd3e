"""Portals: customer companies, their name and mail domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_contracts import DkimKey, OfficeHours, Portal, ids, topics
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.mailboxes import domain_name
from mailroom_console.principals import CONFIG, PLATFORM, READ, Principal
from mailroom_console.problems import conflict, invalid, not_found, revision_conflict
from mailroom_console.storage.outbox import publish
from mailroom_console.storage.paging import Page
from mailroom_console.storage.schema import addresses, blocked, domains, portals

from . import domain_proof
from .office_hours import UNSET, Unset, checked_hours


async def current(console: Console, principal: Principal) -> dict[str, Any]:
    """The principal's own portal."""
    principal.require(READ)
    async with console.database.read() as connection:
        return await _shown(connection, principal.portal_id)


async def listed(console: Console, principal: Principal) -> Page:
    """The portals that the principal sees: its own."""
    return Page([await current(console, principal)])


async def one(console: Console, principal: Principal, portal_id: str) -> dict[str, Any]:
    """One portal. Raises `Problem` 404 for another than the principal's own."""
    principal.require(READ)
    if portal_id != principal.portal_id:
        raise not_found(mark("portal"))
    return await current(console, principal)


async def create(console: Console, principal: Principal, *, name: str, mail_domains: list[str]) -> dict[str, Any]:
    """Make another portal. The answer holds `api_token`, all scopes of the new portal, shown this once."""
    from mailroom_console.access import tokens

    principal.require(PLATFORM)
    now = console.now()
    async with console.database.write() as connection:
        portal_id = await add(connection, name=name, mail_domains=mail_domains, by=None, now=now)
        secret = await tokens.add(connection, portal_id=portal_id, name="first token", scopes=tokens.PORTAL_SCOPES,
                                  by=principal.name, now=now)  # fmt: skip
        return await _shown(connection, portal_id) | {"api_token": secret}


async def add(
    connection: AsyncConnection, *, name: str, mail_domains: list[str], by: Principal | None, now: int
) -> str:
    """Insert and publish a portal within a transaction; its id. Raises `Problem` 409 `domain_taken`."""
    name = _name(name)
    cleaned = list(dict.fromkeys(domain_name(d) for d in mail_domains))
    for domain in cleaned:
        domain_proof.check_claimable(domain)
    portal_id = ids.derive("portal", name, *cleaned)
    if await connection.scalar(select(portals.c.id).where(portals.c.id == portal_id)):
        raise conflict("portal_exists", say("There is a portal {name!r} already.", name=name))
    await connection.execute(
        insert(portals).values(id=portal_id, name=name, active=True, dkim=[], revision=1, created_at=now,
                               updated_at=now)
    )  # fmt: skip
    await _set_domains(connection, portal_id, cleaned)
    await audit.record(
        connection, portal_id=portal_id, by=by, action="portal.created", kind="portal", subject_id=portal_id,
        name=name, revision=1, changes={"domains": [None, cleaned]}, now=now,
    )  # fmt: skip
    await publish_portal(connection, portal_id, now)
    return portal_id


async def change(
    console: Console, principal: Principal, *, name: str | None = None, mail_domains: list[str] | None = None,
    follow_up_after_days: int | None = None, undo_send_s: int | None = None, known_days: int | None = None,
    tickets_kept_days: int | Unset | None = UNSET, attachments_kept_days: int | Unset | None = UNSET,
    office_hours: Mapping[str, Any] | Unset | None = UNSET, revision: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Change the principal's own portal. A domain with internal addresses cannot be taken away; a new one needs a proof.

    Raises `Problem` 409 `proof_missing` with the `record` to set.
    """
    principal.require(CONFIG)
    now = console.now()
    if mail_domains is not None:
        async with console.database.read() as connection:
            held = await domains_of(connection, principal.portal_id)
        for domain in dict.fromkeys(map(domain_name, mail_domains)):
            if domain not in held:
                await domain_proof.check(console, principal.portal_id, domain)
    async with console.database.write() as connection:
        before = await _shown(connection, principal.portal_id)
        if revision is not None and revision != before["revision"]:
            raise revision_conflict(before["revision"])
        after: dict[str, Any] = {
            "name": _name(name) if name is not None else before["name"],
            "domains": list(dict.fromkeys(map(domain_name, mail_domains)))
            if mail_domains is not None
            else before["domains"],
            "follow_up_after_days": _days("follow_up_after_days", follow_up_after_days, before["follow_up_after_days"]),
            "known_days": _days("known_days", known_days, before["known_days"]),
            "tickets_kept_days": _kept("tickets_kept_days", tickets_kept_days, before),
            "attachments_kept_days": _kept("attachments_kept_days", attachments_kept_days, before),
            "undo_send_s": _undo(undo_send_s, before["undo_send_s"]),
            "office_hours": before["office_hours"] if isinstance(office_hours, Unset) else checked_hours(office_hours),
        }
        check_kept(after["tickets_kept_days"], after["attachments_kept_days"])
        changes = audit.changes_between(before, after)
        for gone in set(before["domains"]) - set(after["domains"]):
            await _check_unused(connection, principal.portal_id, gone)
        if changes:
            done = await connection.execute(
                update(portals).where(portals.c.id == principal.portal_id, portals.c.revision == before["revision"])
                .values(name=after["name"], follow_up_after_days=after["follow_up_after_days"],
                        undo_send_s=after["undo_send_s"], known_days=after["known_days"],
                        tickets_kept_days=after["tickets_kept_days"],
                        attachments_kept_days=after["attachments_kept_days"], office_hours=after["office_hours"],
                        revision=before["revision"] + 1, updated_at=now)
            )  # fmt: skip
            if done.rowcount != 1:
                raise revision_conflict(before["revision"] + 1)
            await _set_domains(connection, principal.portal_id, after["domains"])
            await audit.record(
                connection, portal_id=principal.portal_id, by=principal, action="portal.changed", kind="portal",
                subject_id=principal.portal_id, name=after["name"], revision=before["revision"] + 1, changes=changes,
                now=now,
            )  # fmt: skip
            await publish_portal(connection, principal.portal_id, now)
        return await _shown(connection, principal.portal_id)


async def publish_portal(connection: AsyncConnection, portal_id: str, now: int) -> None:
    """Put the portal as it is now into the outbox."""
    row = (await connection.execute(select(portals).where(portals.c.id == portal_id))).one()
    await publish(
        connection, topics.PORTALS,
        Portal(id=row.id, name=row.name, domains=await domains_of(connection, portal_id), active=row.active,
               dkim=[DkimKey.model_validate(key) for key in row.dkim],
               follow_up_after_days=row.follow_up_after_days, known_days=row.known_days, revision=row.revision, undo_send_s=row.undo_send_s,
               blocked=await _blocked(connection, portal_id),
               office_hours=None if row.office_hours is None else OfficeHours.model_validate(row.office_hours),
               updated_at=times.moment(row.updated_at)),
        now=times.moment(now),
    )  # fmt: skip


async def _blocked(connection: AsyncConnection, portal_id: str) -> list[str]:
    query = select(blocked.c.entry).where(blocked.c.portal_id == portal_id)
    return list((await connection.execute(query.order_by(blocked.c.entry))).scalars())


async def domains_of(connection: AsyncConnection, portal_id: str) -> list[str]:
    """The portal's mail domains, the first one first."""
    query = select(domains.c.domain).where(domains.c.portal_id == portal_id)
    return list((await connection.execute(query.order_by(domains.c.position, domains.c.domain))).scalars())


async def _set_domains(connection: AsyncConnection, portal_id: str, wanted: list[str]) -> None:
    await connection.execute(delete(domains).where(domains.c.portal_id == portal_id))
    for position, domain in enumerate(wanted):
        try:
            await connection.execute(insert(domains).values(domain=domain, portal_id=portal_id, position=position))
        except IntegrityError:
            raise conflict(
                "domain_taken", say("The domain {domain} belongs to another portal.", domain=domain)
            ) from None


async def _check_unused(connection: AsyncConnection, portal_id: str, domain: str) -> None:
    used = await connection.scalar(
        select(func.count()).select_from(addresses).where(
            addresses.c.portal_id == portal_id, addresses.c.kind == "internal",
            addresses.c.email.endswith(f"@{domain}", autoescape=True),
        )
    )  # fmt: skip
    if used:
        raise conflict("in_use", say("{domain} has internal addresses. Delete them first.", domain=domain))


async def _shown(connection: AsyncConnection, portal_id: str) -> dict[str, Any]:
    row = (await connection.execute(select(portals).where(portals.c.id == portal_id))).one()
    return {"id": row.id, "name": row.name, "domains": await domains_of(connection, portal_id), "active": row.active,
            "follow_up_after_days": row.follow_up_after_days, "undo_send_s": row.undo_send_s,
            "known_days": row.known_days, "tickets_kept_days": row.tickets_kept_days,
            "attachments_kept_days": row.attachments_kept_days,
            "office_hours": row.office_hours,
            "dkim": [{"domain": key["domain"], "selector": key["selector"]} for key in row.dkim],
            "revision": row.revision}  # fmt: skip


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 100:
        raise invalid("name", say("A name has 1 to 100 characters."))
    return name


def _days(name: str, wanted: int | None, present: int) -> int:
    if wanted is None:
        return present
    if not 0 <= wanted <= 3650:
        raise invalid(name, say("Days are 0 to 3650."))
    return wanted


def _kept(name: str, wanted: int | Unset | None, before: dict[str, Any]) -> int | None:
    return before[name] if isinstance(wanted, Unset) else wanted


def check_kept(tickets: int | None, attachments: int | None) -> None:
    """Raises `Problem` 422 for days that closed tickets and their files cannot be kept for; None: for ever."""
    for name, days in (("tickets_kept_days", tickets), ("attachments_kept_days", attachments)):
        if days is not None and not 1 <= days <= 3650:
            raise invalid(name, say("Days are 1 to 3650, or none: then it is kept for ever."))
    if tickets is not None and attachments is not None and attachments > tickets:
        raise invalid(
            "attachments_kept_days",
            say("Attachments go with their tickets at the latest, after {days} days.", days=tickets),
        )


def _undo(wanted: int | None, present: int) -> int:
    if wanted is None:
        return present
    if not 0 <= wanted <= 60:
        raise invalid("undo_send_s", say("Sending can be undone within 0 to 60 seconds."))
    return wanted
