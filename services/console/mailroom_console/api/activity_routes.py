"""Routes of activity: dead letters, waiting mail, health, audit; of tokens and of sign-in."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailroom_console.access import audit, signin, tokens
from mailroom_console.activity import dead_letters
from mailroom_console.activity import overview as activity
from mailroom_console.addresses import key_rotation
from mailroom_console.principals import ADMIN, READ
from mailroom_console.tickets import reading as tickets

from .access_bodies import InvitationAnswer, PasswordChange, SignInBody, TokenIn
from .configuration_routes import Json, Limit, Name, Next, Short
from .security import ConsoleDep, PrincipalDep

router = APIRouter()


@router.get("/dead-letters", tags=["activity"])
async def dead_list(
    console: ConsoleDep, principal: PrincipalDep, topic: Short = None, state: Name = "new", limit: Limit = 50,
    after: Next = None,
) -> Json:  # fmt: skip
    page = await dead_letters.listed(console, principal, topic=topic, state=state, limit=limit, after=after)
    return page.body()


@router.get("/dead-letters/{dead_id}", tags=["activity"])
async def dead_one(dead_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await dead_letters.one(console, principal, dead_id)


@router.post("/dead-letters/{dead_id}/replay", tags=["activity"])
async def dead_replay(dead_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Put it back on its topic, byte for byte."""
    return await dead_letters.replay(console, principal, dead_id)


@router.post("/dead-letters/{dead_id}/discard", tags=["activity"])
async def dead_discard(dead_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await dead_letters.discard(console, principal, dead_id)


@router.get("/outbound", tags=["activity"])
async def outbound(console: ConsoleDep, principal: PrincipalDep, limit: Limit = 50, after: Next = None) -> Json:
    """Outgoing mail that waits, with its next try."""
    return (await activity.outbound_waiting(console, principal, limit=limit, after=after)).body()


@router.get("/unmatched-bounces", tags=["activity"])
async def bounces(console: ConsoleDep, principal: PrincipalDep, limit: Limit = 50) -> Json:
    return (await tickets.unmatched_bounces(console, principal, limit=limit)).body()


@router.get("/health", tags=["activity"])
async def health(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await activity.health(console, principal)


@router.get("/lag", tags=["activity"])
async def lag(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return (await activity.lag(console, principal)).body()


@router.post("/rebuild", status_code=202, tags=["activity"])
async def rebuild(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Rebuild the ticket tables from Kafka beside the present ones."""
    principal.require(ADMIN)
    await console.read.ask_rebuild()
    return console.read.progress


@router.get("/rebuild", tags=["activity"])
async def rebuild_progress(console: ConsoleDep, principal: PrincipalDep) -> Json:
    principal.require(READ)
    return console.read.progress


@router.post("/keys/rotate", tags=["activity"])
async def rotate_keys(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Seal every stored secret anew with the first key of MAILROOM_SECRET_KEYS."""
    return await key_rotation.rotate(console, principal)


@router.get("/audit", tags=["activity"])
async def audit_list(
    console: ConsoleDep, principal: PrincipalDep, limit: Limit = 50, after: Next = None, subject_id: Short = None
) -> Json:
    return (await audit.entries(console, principal, limit=limit, after=after, subject_id=subject_id)).body()


@router.get("/tokens", tags=["tokens"])
async def tokens_list(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return (await tokens.listed(console, principal)).body()


@router.post("/tokens", status_code=201, tags=["tokens"])
async def token_create(body: TokenIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Make a token; `token` is shown this once."""
    return await tokens.create(console, principal, name=body.name, scopes=body.scopes, days=body.days)


@router.delete("/tokens/{token_id}", status_code=204, tags=["tokens"])
async def token_delete(token_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    await tokens.remove(console, principal, token_id)
    return Response(status_code=204)


@router.get("/me", tags=["sign-in"])
async def me(principal: PrincipalDep) -> Json:
    """Who the token or session stands for."""
    return {"kind": principal.kind, "id": principal.id, "name": principal.name, "email": principal.email or None,
            "portal_id": principal.portal_id, "role": principal.role or None, "scopes": sorted(principal.scopes),
            "queue_ids": None if principal.queue_ids is None else sorted(principal.queue_ids)}  # fmt: skip


@router.post("/session", tags=["sign-in"])
async def sign_in(body: SignInBody, request: Request, response: Response, console: ConsoleDep) -> Json:
    """Sign in: the session comes as a cookie, its CSRF token in the answer (send it as X-CSRF-Token)."""
    client = request.client.host if request.client else ""
    session = await signin.sign_in(console, body.email, body.password, client=client)
    set_cookie(response, session.token, secure=console.settings.secure)
    return {"csrf_token": session.principal.csrf, "must_change_password": session.must_change,
            "agent_id": session.principal.id, "role": session.principal.role}  # fmt: skip


@router.delete("/session", status_code=204, tags=["sign-in"])
async def sign_out(console: ConsoleDep, principal: PrincipalDep) -> Response:
    await signin.sign_out(console, principal)
    response = Response(status_code=204)
    response.delete_cookie(signin.COOKIE, path="/")
    return response


@router.post("/password", status_code=204, tags=["sign-in"])
async def password(body: PasswordChange, console: ConsoleDep, principal: PrincipalDep) -> Response:
    await signin.change_password(console, principal, body.old, body.new)
    return Response(status_code=204)


@router.post("/invitation", tags=["sign-in"])
async def accept(body: InvitationAnswer, request: Request, response: Response, console: ConsoleDep) -> Json:
    """Set the password that an invitation link asks for, and sign in."""
    client = request.client.host if request.client else ""
    session = await signin.accept_invitation(console, body.token, body.password, client=client)
    set_cookie(response, session.token, secure=console.settings.secure)
    return {"csrf_token": session.principal.csrf, "agent_id": session.principal.id, "role": session.principal.role}


def set_cookie(response: Response, token: str, *, secure: bool) -> None:
    """The session's cookie: no script reads it, no other site's form sends it."""
    response.set_cookie(signin.COOKIE, token, httponly=True, secure=secure, samesite="lax", path="/")
