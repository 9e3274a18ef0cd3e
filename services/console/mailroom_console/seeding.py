"""The first start: what a fresh installation holds. Done once, in one transaction; never again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mailroom_contracts import ids
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import func, insert, select

from mailroom_console.access import audit, passwords, tokens
from mailroom_console.addresses import records as addresses
from mailroom_console.people import agents
from mailroom_console.people.memberships import publish_queue
from mailroom_console.portals import records as portals
from mailroom_console.storage.database import Database
from mailroom_console.storage.schema import portals as portals_table
from mailroom_console.storage.schema import queues as queues_table

from . import times
from .settings import ConsoleSettings

log = get_logger()
AUTO_REPLY_SUBJECT = "We got your message [{{ticket.number}}]: {{subject}}"
AUTO_REPLY_CONTENT = (
    "Hello {{customer.name}},\n\nthank you for writing to us. Your message is with our team {{queue.name}} now, as "
    "{{ticket.number}}.\nPlease keep this number in the subject when you write about it again.\n\nYours,\nAcme Support\n"
)
ADMIN_EMAIL = "admin@acme.example"


async def seed(settings: ConsoleSettings, database: Database) -> None:
    """Fill an empty database: the portal Acme with everything (`MAILROOM_SEED=local`), or a portal `Default`."""
    now = times.micros(times.now())
    given = settings.platform_token.get_secret_value()
    async with database.write() as connection:
        await database.one_at_a_time(connection)
        if await connection.scalar(select(func.count()).select_from(portals_table)):
            return
        local = settings.seed == "local"
        portal_id = await portals.add(
            connection, name="Acme" if local else "Default", mail_domains=["acme.example"] if local else [], by=None,
            now=now,
        )  # fmt: skip
        password = passwords.drawn()[:20]
        email = ADMIN_EMAIL if local else "admin@localhost"
        await agents.add(
            connection, portal_id=portal_id, email=email, name="Administrator", role="administrator", queue_ids=[],
            password_hash=await passwords.hashed(password), by=None, now=now, must_change=not local,
        )  # fmt: skip
        token = given or await tokens.add(
            connection, portal_id=portal_id, name="First token", scopes=tokens.ALL_SCOPES, by="Mailroom", now=now
        )
        if local:
            queue_id = ids.derive("queue", portal_id, "Support")
            await connection.execute(
                insert(queues_table).values(id=queue_id, portal_id=portal_id, name="Support", revision=1,
                                            created_at=now, updated_at=now)
            )  # fmt: skip
            await audit.record(connection, portal_id=portal_id, by=None, action="queue.created", kind="queue",
                               subject_id=queue_id, name="Support", revision=1, now=now)  # fmt: skip
            await agents.add(connection, portal_id=portal_id, email="ana@acme.example", name="Ana", role="agent",
                             queue_ids=[queue_id], password_hash=None, by=None, now=now)  # fmt: skip
            await publish_queue(connection, queue_id, now)
            await addresses.insert_row(
                connection,
                {
                    "id": ids.derive("address", portal_id, "support@acme.example"), "portal_id": portal_id,
                    "kind": "internal", "email": "support@acme.example", "full_name": "Acme Support",
                    "queue_id": queue_id, "prefer_online": True, "active": True, "smtp": None, "gmail": None,
                    "auto_reply": {"enabled": True, "subject": AUTO_REPLY_SUBJECT, "content": AUTO_REPLY_CONTENT},
                    "forwards_to": None, "forwarders": [],
                },
                by=None, now=now,
            )  # fmt: skip
            # written before the commit: a crash in between leaves files without a use, never a console without a way in
            keep(settings.data / "api-token", token + "\n")
            keep(settings.data / "admin-login.json", json.dumps({"email": email, "password": password}) + "\n")
        elif not given:
            keep(settings.data / "api-token", token + "\n")
    log.info("console.seeded", portal="Acme" if local else "Default")
    if not local:
        # shown once, to the one who starts it; it must be changed at the first sign-in
        sys.stderr.write(f"\nFirst sign-in at {settings.url}: {email}, one-time password {password}\n\n")
        sys.stderr.flush()


def keep(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(handle, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
