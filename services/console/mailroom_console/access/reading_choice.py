"""How somebody reads the pages: language and time zone."""

from __future__ import annotations

from zoneinfo import available_timezones

from sqlalchemy import update

from mailroom_console.context import Console
from mailroom_console.languages import LANGUAGES, say
from mailroom_console.principals import Principal
from mailroom_console.problems import invalid
from mailroom_console.storage.schema import agents


async def choose_language(console: Console, principal: Principal, language: str) -> None:
    """One of `LANGUAGES`, or "" for what the browser would rather have. Raises `Problem` 422."""
    if language and language not in LANGUAGES:
        raise invalid("language", say("There is no such language."))
    async with console.database.write() as connection:
        await connection.execute(update(agents).where(agents.c.id == principal.agent_id).values(language=language))


async def keep_zone(console: Console, agent_id: str, zone: str) -> None:
    """The zone of the browser that signed in; one that there is not is not kept."""
    if zone not in available_timezones():
        return
    async with console.database.write() as connection:
        await connection.execute(update(agents).where(agents.c.id == agent_id, agents.c.zone != zone).values(zone=zone))
