"""What is kept of a sign-in at a provider while the browser is there: who began it, for which address. It is used once."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import Principal
from mailroom_console.problems import Problem
from mailroom_console.storage.schema import oauth_states

STATE_US = 15 * 60 * times.SECOND


async def keep(
    connection: AsyncConnection, principal: Principal, state: str, address_id: str | None, options: dict[str, Any], *,
    now: int, lasts: int = STATE_US, verifier: str = "",
) -> None:  # fmt: skip
    """Keep it under the digest of `state`, for `lasts` microseconds; what is too old goes."""
    await connection.execute(delete(oauth_states).where(oauth_states.c.expires_at < now))
    await connection.execute(
        insert(oauth_states).values(
            state=passwords.digest(state), portal_id=principal.portal_id, verifier=verifier, address_id=address_id,
            options=options, expires_at=now + lasts,
            principal=json.dumps({"kind": principal.kind, "id": principal.id, "name": principal.name}),
        )
    )  # fmt: skip


async def take(console: Console, state: str) -> Any:
    """The state, used up. Raises `Problem` for one that is unknown, used or too old."""
    key = passwords.digest(state)
    async with console.database.write() as connection:
        row = (await connection.execute(select(oauth_states).where(oauth_states.c.state == key))).one_or_none()
        done = await connection.execute(delete(oauth_states).where(oauth_states.c.state == key))
    if row is None or done.rowcount != 1 or row.expires_at < console.now():
        raise Problem(400, "bad_state", say("This sign-in is too old or was used already. Connect the address again."))
    return row
