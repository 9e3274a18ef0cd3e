"""An internal address of its own for an SMTP address that shares one: then every forwarded mail says whose it is."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.portals.records import domains_of
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import conflict
from mailroom_console.storage.schema import addresses as addresses_table

from . import records

_OTHER = re.compile(r"[^a-z0-9]+")


def name_for(email: str, taken: Collection[str], domain: str) -> str:
    """A free address at `domain` that shows what it stands for: `help@shop.example` becomes `help-shop@…`."""
    local, _, host = email.lower().rpartition("@")
    base = _OTHER.sub("-", f"{local}-{host.partition('.')[0]}").strip("-")[:50] or "mail"
    numbered = (f"{base}@{domain}" if n == 1 else f"{base}-{n}@{domain}" for n in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


async def make(console: Console, principal: Principal, address_id: str) -> dict[str, Any]:
    """Make it, with the SMTP address's queue, and let that forward to it. Raises `Problem` 409."""
    principal.require(CONFIG)
    async with console.database.read() as connection:
        row = await records.row_of(connection, principal, address_id)
        hosted = await domains_of(connection, principal.portal_id)
        taken = set((await connection.execute(select(addresses_table.c.email))).scalars())
    if row.kind != "smtp":
        raise conflict("not_smtp", say("Only SMTP addresses are forwarded to an internal one."))
    if not hosted:
        raise conflict("no_domain", say("The portal has no mail domain yet: add one first."))
    local = name_for(row.email, taken, hosted[0]).rpartition("@")[0]
    made = await records.create(console, principal, {
        "kind": "internal", "local_part": local, "domain": hosted[0], "queue_id": row.queue_id,
        "prefer_online": row.prefer_online, "full_name": row.full_name,
    })  # fmt: skip
    await records.change(console, principal, address_id, {"forwards_to": made["id"]})
    return made
