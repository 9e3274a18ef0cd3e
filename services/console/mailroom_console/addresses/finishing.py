"""A sign-in at a provider that comes back: its state, used up, and in whose name it is carried out."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, select

from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import Problem
from mailroom_console.storage.schema import oauth_states

SIGN_IN_FIRST = "sign_in_first"


async def taken(console: Console, state: str, session: Principal | None) -> tuple[Any, Principal]:
    """The state, which works once, and who finishes it. Raises `Problem` for one that is unknown, used, too old, or
    not this session's to finish; that one stays good for whose it is."""
    key = passwords.digest(state)
    principal = None
    async with console.database.write() as connection:
        row = (await connection.execute(select(oauth_states).where(oauth_states.c.state == key))).one_or_none()
        if row is not None and row.expires_at >= console.now():
            principal = finisher(row, session)
            done = await connection.execute(delete(oauth_states).where(oauth_states.c.state == key))
    if principal is None or done.rowcount != 1:
        raise Problem(400, "bad_state", say("This sign-in is too old or was used already. Connect the address again."))
    return row, principal


def finisher(state: Any, session: Principal | None) -> Principal:
    """The person in whose browser it ends. Raises `Problem` 403.

    What a person began ends where that person is signed in. What a program began with an API token is handed to a person,
    and is that person's: it ends where somebody is signed in here who may configure the portal. Else a link sent to a
    stranger would connect the stranger's mailbox (RFC 6749 section 10.12).
    """
    begun_by = json.loads(state.principal)
    if begun_by["kind"] == "session":
        if session is None or session.id != begun_by["id"]:
            raise Problem(403, "other_browser", say("Sign in here first, then connect the address again."))
        return session
    if session is None:
        raise Problem(403, SIGN_IN_FIRST, say("Sign in here first: the address is connected in your name."))
    if session.portal_id != state.portal_id or CONFIG not in session.scopes or session.must_change:
        raise Problem(
            403, "other_portal", say("Only an administrator of the portal that asked for it can finish this.")
        )
    return session
