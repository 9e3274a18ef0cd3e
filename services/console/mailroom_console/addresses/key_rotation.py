"""Sealing every stored secret anew with the first key of MAILROOM_SECRET_KEYS, so that an old key can go.

Keys belong to the installation, so this goes over all portals; nothing of them is shown but how many secrets there were.
"""

from __future__ import annotations

from typing import Any

from mailroom_runtime.seals.sealing import SealBroken, Sealer
from sqlalchemy import select, update

from mailroom_console.context import Console
from mailroom_console.portals.records import publish_portal
from mailroom_console.principals import PLATFORM, Principal
from mailroom_console.storage.schema import addresses, portals

from .publication import publish_address


async def rotate(console: Console, principal: Principal) -> dict[str, Any]:
    """Seal anew what an older key sealed: `{rotated, current, broken}`, `broken` with the ids that no key opens."""
    principal.require(PLATFORM)
    result: dict[str, Any] = {"rotated": 0, "current": 0, "broken": []}
    now = console.now()
    async with console.database.write() as connection:
        for row in (await connection.execute(select(addresses))).all():
            # the secret itself stays, so parked mail is not tried again: secret_revision is left alone
            changed = {
                name: account | {"secret": again}
                for name, account in (("smtp", row.smtp), ("gmail", row.gmail))
                if account and (again := _sealed_anew(console.sealer, account.get("secret"), row.id, result))
            }
            if changed:
                values = {**changed, "revision": row.revision + 1, "updated_at": now}
                await connection.execute(update(addresses).where(addresses.c.id == row.id).values(**values))
                await publish_address(connection, row.id, now)
        for row in (await connection.execute(select(portals))).all():
            anew = [_sealed_anew(console.sealer, key["secret"], row.id, result) for key in row.dkim]
            if any(anew):
                keys = [key | {"secret": again or key["secret"]} for key, again in zip(row.dkim, anew, strict=True)]
                values = {"dkim": keys, "revision": row.revision + 1, "updated_at": now}
                await connection.execute(update(portals).where(portals.c.id == row.id).values(**values))
                await publish_portal(connection, row.id, now)
    return result


def _sealed_anew(sealer: Sealer, secret: str | None, owner: str, result: dict[str, Any]) -> str | None:
    if not secret:
        return None
    if not sealer.needs_rotation(secret):
        result["current"] += 1
        return None
    try:
        again = sealer.seal(sealer.open(secret, bound_to=owner), bound_to=owner)
    except SealBroken:
        result["broken"].append(owner)
        return None
    result["rotated"] += 1
    return again
