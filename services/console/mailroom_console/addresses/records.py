"""Email addresses: list, add, update, disable, delete. Of every change the services hear through the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_contracts import Address, AutoReply, Forwarder, GmailAccount, SmtpAccount, ids, topics
from mailroom_mail.writing.templates import LONGEST_TEMPLATE, check_template
from mailroom_oauth import OAuthTrouble
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.mailboxes import domain_name, email_address, local_part, person_name
from mailroom_console.portals.records import domains_of
from mailroom_console.principals import CONFIG, READ, Principal
from mailroom_console.problems import Problem, conflict, invalid, not_found, revision_conflict
from mailroom_console.storage.outbox import publish, retract
from mailroom_console.storage.paging import MAX_LIMIT, Page, cursor, keys_of
from mailroom_console.storage.portal_rows import portal_row
from mailroom_console.storage.schema import addresses, domains, queues

from . import account_check, forwarders, smtp_accounts
from .shape import shown

LONGEST_SIGNATURE = 2_000
LONGEST_SUBJECT_TEMPLATE = 1000  # characters of an automatic reply's subject as it is written


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
    items: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = await listed(console, principal, limit=MAX_LIMIT, after=after)
        items += page.items
        after = page.next
        if after is None:
            return items


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
        raise invalid("kind", "A Gmail address is added by signing in at Google: POST /addresses/gmail/connect.")
    if kind not in ("internal", "smtp"):
        raise invalid("kind", "An address is internal, gmail or smtp.")
    now = console.now()
    async with console.database.read() as connection:
        hosted = await domains_of(connection, principal.portal_id)
        email = _internal_email(given, hosted) if kind == "internal" else _smtp_email(given, hosted)
        if kind == "smtp":
            await _check_nobody_elses(connection, principal, email)
        await _check_free(connection, email)
        await _check_links(connection, principal, kind, given)
    values: dict[str, Any] = {
        "id": ids.derive("address", principal.portal_id, email), "portal_id": principal.portal_id, "kind": kind,
        "email": email, "full_name": person_name(str(given.get("full_name") or "")),
        "queue_id": given.get("queue_id"), "prefer_online": bool(given.get("prefer_online", False)),
        "active": bool(given.get("active", True)), "auto_reply": _auto_reply(given.get("auto_reply"), {}),
        "smtp": None, "gmail": None, "forwards_to": given.get("forwards_to"),
        "forwarders": forwarders.given(given.get("forwarders") or [], []),
    }  # fmt: skip
    if not values["queue_id"]:
        raise invalid("queue_id", "Choose the queue that the tickets go to.")
    if kind == "smtp":
        values["smtp"] = await _smtp(console, values, given, None)
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
            raise invalid(fixed, "This cannot be changed. Add another address, and disable this one.")
    values: dict[str, Any] = {}
    if given.get("full_name") is not None:
        values["full_name"] = person_name(str(given["full_name"]))
    for name in ("prefer_online", "active"):
        if given.get(name) is not None:
            values[name] = bool(given[name])
    if "queue_id" in given:
        if not given["queue_id"] and (row.kind != "gmail" or row.queue_id):
            raise invalid("queue_id", "Choose the queue that the tickets go to.")
        values["queue_id"] = given["queue_id"]
    if given.get("auto_reply") is not None:
        values["auto_reply"] = _auto_reply(given["auto_reply"], row.auto_reply)
    answering = {name: given[name] for name in ("signature", "number_in_subject") if given.get(name) is not None}
    if answering:
        values["answering"] = row.answering | _answering(answering)
    if "forwards_to" in given:
        values["forwards_to"] = given["forwards_to"] or None
        if values["forwards_to"] != row.forwards_to:
            values["forwarders"] = forwarders.named_of(row.forwarders)  # what was learned belongs to the former way
    if given.get("forwarders") is not None:
        values["forwarders"] = forwarders.given(given["forwarders"], values.get("forwarders", row.forwarders))
    if row.kind == "gmail" and given.get("gmail"):
        values["gmail"] = row.gmail | _gmail(given["gmail"])
    if row.kind == "smtp" and (given.get("smtp") or given.get("password") or given.get("signed_in")):
        base = {"id": row.id, "email": row.email, "full_name": values.get("full_name", row.full_name)}
        values["smtp"] = await _smtp(console, base, given, row.smtp)
    await store(console, principal, row, values)
    return await one(console, principal, address_id)


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
            raise revision_conflict(int(current)) if current is not None else not_found("address")
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
            raise conflict("in_use", f"{', '.join(emails)} forwards to it. Change or delete that one first.")
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
        email = _smtp_email(given, await domains_of(connection, principal.portal_id))
        await _check_free(connection, email)
        await _check_links(connection, principal, "smtp", given)
    person_name(str(given.get("full_name") or ""))
    _auto_reply(given.get("auto_reply"), {})
    if not given.get("queue_id"):
        raise invalid("queue_id", "Choose the queue that the tickets go to.")


async def as_published(console: Console, address_id: str) -> Address:
    """The address as other services know it."""
    async with console.database.read() as connection:
        return _published((await connection.execute(select(addresses).where(addresses.c.id == address_id))).one())


async def publish_address(connection: AsyncConnection, address_id: str, now: int) -> None:
    """Put the address as it is now into the outbox."""
    row = (await connection.execute(select(addresses).where(addresses.c.id == address_id))).one()
    await publish(connection, topics.ADDRESSES, _published(row), now=times.moment(now))


def _published(row: Any) -> Address:
    return Address(
        id=row.id, portal_id=row.portal_id, kind=row.kind, email=row.email, full_name=row.full_name,
        queue_id=row.queue_id, prefer_online=row.prefer_online, active=row.active,
        auto_reply=AutoReply.model_validate(row.auto_reply),
        smtp=SmtpAccount.model_validate(row.smtp) if row.smtp else None,
        gmail=GmailAccount.model_validate(row.gmail) if row.gmail else None,
        signature=row.answering.get("signature", ""),
        number_in_subject=bool(row.answering.get("number_in_subject", False)),
        plus_replies=bool(row.answering.get("plus_replies", False)),
        forwards_to=row.forwards_to, forwarders=[Forwarder.model_validate(f) for f in row.forwarders],
        revision=row.revision, updated_at=times.moment(row.updated_at),
    )  # fmt: skip


async def row_of(connection: AsyncConnection, principal: Principal, address_id: str) -> Any:
    """The row of an address of the principal's portal. Raises `Problem` 404."""
    return await portal_row(connection, addresses, principal, address_id, "address")


async def _smtp(
    console: Console, values: Mapping[str, Any], given: Mapping[str, Any], previous: dict[str, Any] | None
) -> dict[str, Any]:
    """The account, its login tried, its new password or tokens sealed."""
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
            raise invalid("password", "The password of the account is missing.")
        if previous is not None and any(
            account[name] != previous.get(name) for name in ("host", "port", "tls", "username")
        ):
            # else anybody who may edit could have the stored password sent to a server of their own, or in the clear
            raise invalid("password", "Host, port, TLS or login name changed: give the password again.")
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
        raise invalid("smtp.auth", "Sign in at the provider: POST /addresses/smtp/connect gives the address to go to.")
    if any(account[name] != previous[name] for name in ("host", "port", "tls")):
        raise invalid("smtp.host", "Another server wants another sign-in: sign in again.")
    try:
        token = await console.keeper.token(await as_published(console, values["id"]))
    except OAuthTrouble as trouble:
        raise Problem(422, "smtp_check_failed", str(trouble), reason="sign_in_needed", field="smtp.provider") from None
    await account_check.check(console, account, token, email=values["email"])
    account["checked_at"] = times.rfc3339(console.now())
    return account


def _internal_email(given: Mapping[str, Any], hosted: list[str]) -> str:
    if not hosted:
        raise conflict("no_domain", "The portal has no mail domain yet: add one first.")
    local = str(given.get("local_part") or "")
    if not local and given.get("email"):
        local, _, domain = str(given["email"]).partition("@")
        if domain and domain_name(domain, "email") not in hosted:
            raise invalid("email", f"An internal address is at {' or '.join(hosted)}.")
        given = {**given, "domain": domain or None}
    domain = domain_name(str(given["domain"]), "domain") if given.get("domain") else hosted[0]
    if domain not in hosted:
        raise invalid("domain", f"An internal address is at {' or '.join(hosted)}.")
    return f"{local_part(local)}@{domain}"


def _smtp_email(given: Mapping[str, Any], hosted: list[str]) -> str:
    email = email_address(str(given.get("email") or ""))
    if email.rpartition("@")[2] in hosted:
        raise invalid("email", "We receive this domain's mail ourselves: add it as an internal address.")
    return email


def _gmail(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of a Gmail account may be changed, as it is kept: JSON, times as text in UTC."""
    kept: dict[str, Any] = {}
    if given.get("label_ids") is not None:
        kept["label_ids"] = given["label_ids"]
    if "import_since" in given:
        since = given["import_since"]
        try:
            kept["import_since"] = None if since is None else times.rfc3339(times.micros(since))
        except OverflowError:  # 0001-01-01 in a zone east of Greenwich
            raise invalid("gmail.import_since", "In UTC this is not within the years 1 to 9999.") from None
    return kept


def _answering(given: Mapping[str, Any]) -> dict[str, Any]:
    if len(str(given.get("signature", ""))) > LONGEST_SIGNATURE:
        raise invalid("signature", f"A signature has at most {LONGEST_SIGNATURE} characters.")
    return {name: bool(value) if name == "number_in_subject" else str(value) for name, value in given.items()}


def _auto_reply(given: Any, before: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"enabled": False, "subject": "", "content": "", "outside_content": "", **before}
    if given is None:
        return wanted
    wanted |= {k: v for k, v in dict(given).items() if k in wanted and v is not None}
    if len(str(wanted["subject"])) > LONGEST_SUBJECT_TEMPLATE or len(str(wanted["content"])) > LONGEST_TEMPLATE:
        raise invalid(
            "auto_reply", f"The subject has at most {LONGEST_SUBJECT_TEMPLATE} characters, the text {LONGEST_TEMPLATE}."
        )
    if (wanted["enabled"] or wanted["content"]) and (
        problems := [
            *check_template(str(wanted["subject"]), str(wanted["content"])),
            *(check_template(str(wanted["subject"]), outside) if (outside := str(wanted["outside_content"])) else ()),
        ]
    ):
        raise Problem(422, "bad_template", " ".join(problems), field="auto_reply", problems=problems)
    return wanted


async def _check_nobody_elses(connection: AsyncConnection, principal: Principal, email: str) -> None:
    """Another company's domain is theirs: an address of it here would keep them from having it."""
    domain = email.rpartition("@")[2]
    holder = await connection.scalar(select(domains.c.portal_id).where(domains.c.domain == domain))
    if holder not in (None, principal.portal_id):
        raise conflict("domain_taken", f"{domain} belongs to another company on this installation.")


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
            raise invalid("queue_id", "There is no such queue.")
    if target := given.get("forwards_to"):
        if kind != "smtp":
            raise invalid("forwards_to", "Only SMTP addresses forward.")
        row = (
            await connection.execute(
                select(addresses.c.kind).where(
                    addresses.c.id == target, addresses.c.portal_id == principal.portal_id, addresses.c.id != own_id
                )
            )
        ).one_or_none()
        if row is None or row.kind != "internal":
            raise invalid("forwards_to", "An SMTP address forwards to an internal address of this portal.")


def _taken(email: str) -> Problem:
    return conflict("address_taken", f"{email} is there already.")


def _harmless(changes: dict[str, Any]) -> dict[str, Any]:
    """Changes for the audit trail, with sealed secrets left out all the same."""

    def cleaned(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: audit.HIDDEN if k == "secret" and v else v for k, v in value.items()}

    return {field: [cleaned(before), cleaned(after)] for field, (before, after) in changes.items()}
