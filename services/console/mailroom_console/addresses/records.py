"""Email addresses: list, add, update, disable, delete. Of every change the services hear through the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_contracts import ids, topics
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.mailboxes import person_name
from mailroom_console.portals.records import domains_of
from mailroom_console.principals import CONFIG, READ, Principal
from mailroom_console.problems import Problem, conflict, invalid, not_found, revision_conflict
from mailroom_console.storage.outbox import retract
from mailroom_console.storage.paging import Page, cursor, keys_of
from mailroom_console.storage.portal_rows import portal_row
from mailroom_console.storage.schema import addresses, domains, queues

from . import forwarders
from . import given as fields
from .account_sealing import sealed
from .publication import publish_address
from .shape import shown


async def listed(
    console: Console, principal: Principal, *, limit: int = 50, after: str | None = None, queue_id: str | None = None
) -> Page:
    """The portal's addresses by email, each with its state and today's mails."""
    principal.require(READ)
    query = select(addresses).where(addresses.c.portal_id == principal.portal_id)
    if after:
        (last,) = keys_of(after, str)
        query = query.where(addresses.c.email > last)
    if queue_id:
        query = query.where(addresses.c.queue_id == queue_id)
    async with console.database.read() as connection:
        rows = (await connection.execute(query.order_by(addresses.c.email).limit(limit + 1))).all()
    mails = await console.read.mails_today(principal.portal_id, console.now())
    items = [shown(row, console.live.status_of(row.id), mails.get(row.id)) for row in rows[:limit]]
    return Page(items, cursor(rows[limit - 1].email) if len(rows) > limit else None)


async def everything(console: Console, principal: Principal) -> list[dict[str, Any]]:
    """Every address of the portal, by email."""
    principal.require(READ)
    query = select(addresses).where(addresses.c.portal_id == principal.portal_id).order_by(addresses.c.email)
    async with console.database.read() as connection:
        rows = (await connection.execute(query)).all()
    mails = await console.read.mails_today(principal.portal_id, console.now())
    return [shown(row, console.live.status_of(row.id), mails.get(row.id)) for row in rows]


async def emails(console: Console, principal: Principal) -> dict[str, str]:
    """The email of each address of the portal, by its id: for lists that only name them."""
    principal.require(READ)
    query = select(addresses.c.id, addresses.c.email).where(addresses.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        return {row.id: row.email for row in await connection.execute(query.order_by(addresses.c.email))}


async def emails_of_queues(console: Console, principal: Principal) -> dict[str, list[str]]:
    """The emails of the addresses whose tickets go to each queue, by its id."""
    principal.require(READ)
    query = select(addresses.c.queue_id, addresses.c.email).where(addresses.c.portal_id == principal.portal_id)
    found: dict[str, list[str]] = {}
    async with console.database.read() as connection:
        for row in await connection.execute(query.order_by(addresses.c.email)):
            found.setdefault(row.queue_id, []).append(row.email)
    return found


async def one(console: Console, principal: Principal, address_id: str) -> dict[str, Any]:
    """One address. Raises `Problem` 404."""
    principal.require(READ)
    async with console.database.read() as connection:
        row = await row_of(connection, principal, address_id)
    mails = await console.read.mails_today(principal.portal_id, console.now())
    return shown(row, console.live.status_of(row.id), mails.get(row.id))


async def create(console: Console, principal: Principal, given: Mapping[str, Any]) -> dict[str, Any]:
    """Add an internal or SMTP address (fields as in INTERFACES.md). An SMTP account is tried with a login first.

    Raises `Problem`: 422 with `field`, 409 `address_taken`, 422 `smtp_check_failed` with what is wrong in words.
    """
    principal.require(CONFIG)
    kind = given.get("kind")
    if kind == "gmail":
        raise invalid("kind", say("A Gmail address is added by signing in at Google: POST /addresses/gmail/connect."))
    if kind not in ("internal", "smtp"):
        raise invalid("kind", say("An address is internal, gmail or smtp."))
    now = console.now()
    async with console.database.read() as connection:
        hosted = await domains_of(connection, principal.portal_id)
        email = fields.internal_email(given, hosted) if kind == "internal" else fields.smtp_email(given, hosted)
        if kind == "smtp":
            await _check_nobody_elses(connection, principal, email)
        await _check_free(connection, email)
        await _check_links(connection, principal, kind, given)
    values: dict[str, Any] = {
        "id": ids.derive("address", principal.portal_id, email), "portal_id": principal.portal_id, "kind": kind,
        "email": email, "full_name": person_name(str(given.get("full_name") or "")),
        "queue_id": given.get("queue_id"), "prefer_online": bool(given.get("prefer_online", False)),
        "active": bool(given.get("active", True)), "auto_reply": fields.auto_reply(given.get("auto_reply"), {}),
        "smtp": None, "gmail": None, "forwards_to": given.get("forwards_to"),
        "forwarders": forwarders.given(given.get("forwarders") or [], []), "answering": fields.answering(_looks(given)),
    }  # fmt: skip
    if not values["queue_id"]:
        raise invalid("queue_id", say("Choose the queue that the tickets go to."))
    if kind == "smtp":
        values["smtp"] = await sealed(console, values, given, None)
    async with console.database.write() as connection:
        await _check_links(connection, principal, kind, given)
        await insert_row(connection, values, by=principal, now=now)
    return await one(console, principal, values["id"])


async def change(console: Console, principal: Principal, address_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Change the fields that are given. With `revision`, only when nobody else changed it: 409 `revision_conflict`."""
    principal.require(CONFIG)
    async with console.database.read() as connection:
        row = await row_of(connection, principal, address_id)
    if given.get("revision") is not None and given["revision"] != row.revision:
        raise revision_conflict(row.revision)
    for fixed in ("kind", "email", "local_part"):
        if fixed in given and given[fixed] not in (None, getattr(row, fixed, None)):
            raise invalid(fixed, say("This cannot be changed. Add another address, and disable this one."))
    values: dict[str, Any] = {}
    if given.get("full_name") is not None:
        values["full_name"] = person_name(str(given["full_name"]))
    for name in ("prefer_online", "active"):
        if given.get(name) is not None:
            values[name] = bool(given[name])
    if "queue_id" in given:
        if not given["queue_id"] and (row.kind != "gmail" or row.queue_id):
            raise invalid("queue_id", say("Choose the queue that the tickets go to."))
        values["queue_id"] = given["queue_id"]
    if given.get("auto_reply") is not None:
        values["auto_reply"] = fields.auto_reply(given["auto_reply"], row.auto_reply)
    if looks := _looks(given):
        values["answering"] = row.answering | fields.answering(looks)
    if given.get("plus_replies") is False:
        values["answering"] = values.get("answering", row.answering) | {"plus_replies": False}
    if "forwards_to" in given:
        values["forwards_to"] = given["forwards_to"] or None
        if values["forwards_to"] != row.forwards_to:
            values["forwarders"] = forwarders.named_of(row.forwarders)  # what was learned belongs to the former way
    if given.get("forwarders") is not None:
        values["forwarders"] = forwarders.given(given["forwarders"], values.get("forwarders", row.forwarders))
    if row.kind == "gmail" and given.get("gmail"):
        values["gmail"] = row.gmail | fields.gmail_settings(given["gmail"])
    if row.kind == "smtp" and (given.get("smtp") or given.get("password") or given.get("signed_in")):
        base = {"id": row.id, "email": row.email, "full_name": values.get("full_name", row.full_name)}
        values["smtp"] = await sealed(console, base, given, row.smtp)
    await store(console, principal, row, values)
    return await one(console, principal, address_id)


def _looks(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("signature", "number_in_subject") if given.get(name) is not None}


async def store(console: Console, principal: Principal | None, row: Any, values: dict[str, Any]) -> int:
    """Write new values of an address that was read as `row`; its revision. Raises `revision_conflict`."""
    now = console.now()
    changes = audit.changes_between({key: getattr(row, key) for key in values}, values)
    if not changes:
        return int(row.revision)
    async with console.database.write() as connection:
        if principal is not None:
            await _check_links(connection, principal, row.kind, values, own_id=row.id)
        done = await connection.execute(
            update(addresses).where(addresses.c.id == row.id, addresses.c.revision == row.revision)
            .values(**values, revision=row.revision + 1, updated_at=now)
        )  # fmt: skip
        if done.rowcount != 1:
            current = await connection.scalar(select(addresses.c.revision).where(addresses.c.id == row.id))
            raise revision_conflict(int(current)) if current is not None else not_found(mark("address"))
        await audit.record(
            connection, portal_id=row.portal_id, by=principal, action="address.changed", kind="address",
            subject_id=row.id, name=row.email, revision=row.revision + 1, changes=_harmless(changes), now=now,
        )  # fmt: skip
        await publish_address(connection, row.id, now)
    return int(row.revision) + 1


async def insert_row(connection: AsyncConnection, values: dict[str, Any], *, by: Principal | None, now: int) -> None:
    """Insert and publish an address within a transaction. Raises `Problem` 409 `address_taken`."""
    revision = await audit.last_revision(connection, values["id"]) + 1
    try:
        await connection.execute(insert(addresses).values(**values, revision=revision, created_at=now, updated_at=now))
    except IntegrityError:
        raise _taken(values["email"]) from None
    await audit.record(
        connection, portal_id=values["portal_id"], by=by, action="address.created", kind="address",
        subject_id=values["id"], name=values["email"], revision=revision,
        changes=_harmless({k: [None, v] for k, v in values.items() if k not in ("id", "portal_id") and v}), now=now,
    )  # fmt: skip
    await publish_address(connection, values["id"], now)


async def remove(console: Console, principal: Principal, address_id: str) -> None:
    """Delete an address. Its tickets stay. Raises `Problem` 409 `in_use` while another address forwards to it."""
    principal.require(CONFIG)
    now = console.now()
    async with console.database.write() as connection:
        row = await row_of(connection, principal, address_id)
        users = await connection.execute(select(addresses.c.email).where(addresses.c.forwards_to == address_id))
        if emails := list(users.scalars()):
            raise conflict(
                "in_use", say("{names} forwards to it. Change or delete that one first.", names=", ".join(emails))
            )
        await connection.execute(delete(addresses).where(addresses.c.id == address_id))
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="address.deleted", kind="address",
            subject_id=address_id, name=row.email, revision=row.revision, now=now,
        )  # fmt: skip
        await retract(connection, topics.ADDRESSES, address_id)
        if (row.smtp or {}).get("auth") == "oauth":
            await retract(connection, topics.ADDRESS_TOKENS, address_id)
        for aspect in console.live.status_of(address_id):
            await retract(connection, topics.ADDRESS_STATUS, f"{address_id}:{aspect}")


async def check_new(console: Console, principal: Principal, given: Mapping[str, Any]) -> None:
    """Raise what `create` would about an SMTP address, before anybody signs in for it."""
    async with console.database.read() as connection:
        email = fields.smtp_email(given, await domains_of(connection, principal.portal_id))
        await _check_free(connection, email)
        await _check_links(connection, principal, "smtp", given)
    person_name(str(given.get("full_name") or ""))
    fields.auto_reply(given.get("auto_reply"), {})
    if not given.get("queue_id"):
        raise invalid("queue_id", say("Choose the queue that the tickets go to."))


async def row_of(connection: AsyncConnection, principal: Principal, address_id: str) -> Any:
    """The row of an address of the principal's portal. Raises `Problem` 404."""
    return await portal_row(connection, addresses, principal, address_id, "address")


async def _check_nobody_elses(connection: AsyncConnection, principal: Principal, email: str) -> None:
    """Another company's domain is theirs: an address of it here would keep them from having it."""
    domain = email.rpartition("@")[2]
    holder = await connection.scalar(select(domains.c.portal_id).where(domains.c.domain == domain))
    if holder not in (None, principal.portal_id):
        raise conflict("domain_taken", say("{domain} belongs to another company on this installation.", domain=domain))


async def _check_free(connection: AsyncConnection, email: str) -> None:
    if await connection.scalar(select(addresses.c.id).where(addresses.c.email == email)):
        raise _taken(email)


async def _check_links(
    connection: AsyncConnection, principal: Principal, kind: str, given: Mapping[str, Any], own_id: str | None = None
) -> None:
    if queue_id := given.get("queue_id"):
        found = await connection.scalar(
            select(queues.c.id).where(queues.c.id == queue_id, queues.c.portal_id == principal.portal_id)
        )
        if found is None:
            raise invalid("queue_id", say("There is no such queue."))
    if target := given.get("forwards_to"):
        if kind != "smtp":
            raise invalid("forwards_to", say("Only SMTP addresses forward."))
        row = (
            await connection.execute(
                select(addresses.c.kind).where(
                    addresses.c.id == target, addresses.c.portal_id == principal.portal_id, addresses.c.id != own_id
                )
            )
        ).one_or_none()
        if row is None or row.kind != "internal":
            raise invalid("forwards_to", say("An SMTP address forwards to an internal address of this portal."))


def _taken(email: str) -> Problem:
    return conflict("address_taken", say("{email} is there already.", email=email))


def _harmless(changes: dict[str, Any]) -> dict[str, Any]:
    """Changes for the audit trail, with sealed secrets left out all the same."""

    def cleaned(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: audit.HIDDEN if k == "secret" and v else v for k, v in value.items()}

    return {field: [cleaned(before), cleaned(after)] for field, (before, after) in changes.items()}
