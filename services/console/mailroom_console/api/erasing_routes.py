"""Routes of forgetting: a person, a portal; and what is known of a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from mailroom_console.erasing import asked, event_log, export

from .bodies import Body
from .configuration_routes import Json, Name, Next
from .security import ConsoleDep, PrincipalDep

router = APIRouter()


class PersonIn(Body):
    email: Annotated[str, Field(max_length=320)]


class PortalDeletion(Body):
    name: Annotated[str, Field(max_length=300)] = Field(description="The portal's name, typed by whoever asks.")


class LogRenewal(Body):
    partition: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(None, description="This one alone; null: each.")


@router.post("/people/erase", status_code=202, tags=["people"])
async def person_erase(body: PersonIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Forget every ticket of one address. `GET /erasures` says when it is done."""
    return await asked.erase_person(console, principal, body.email)


@router.get("/people/export", tags=["people"])
async def person_export(
    console: ConsoleDep, principal: PrincipalDep, email: Annotated[str, Query(max_length=320)], after: Next = None
) -> Json:
    """Everything that is known of one address: its tickets with their messages, page by page."""
    return (await export.exported(console, principal, email, after=after)).body()


@router.post("/portals/{portal_id}/delete", status_code=202, tags=["portals"])
async def portal_delete(portal_id: Name, body: PortalDeletion, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Delete a portal with everything of it. `GET /erasures` says what was removed, and when it is done."""
    return await asked.delete_portal(console, principal, portal_id, typed=body.name)


@router.get("/erasures", tags=["people"])
async def erasures(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """What was asked to be forgotten, newest first, with what was removed."""
    return {"items": await asked.listed(console, principal)}


@router.post("/event-log/renew", status_code=202, tags=["event log"])
async def event_log_renew(body: LogRenewal, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Write the event log anew without what was erased, one partition after the other; its mail waits meanwhile."""
    return await event_log.renew(console, principal, body.partition)


@router.get("/event-log", tags=["event log"])
async def event_log_standing(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """How each partition of the event log stands, once it was asked to be renewed."""
    return await event_log.standing(console, principal)
