"""What is kept of a sign-in at a provider while the browser is there: who began it, for which address. It is used once (`finishing`)."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import passwords
from mailroom_console.principals import Principal
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
