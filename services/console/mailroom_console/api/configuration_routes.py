"""Routes of portals, addresses, queues and agents."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from annotated_types import MaxLen
from fastapi import APIRouter, Query, Response

from mailroom_console.addresses import account_check, forwarding, google, sign_ins, smtp_accounts
from mailroom_console.addresses import records as addresses
from mailroom_console.addresses import trial_mails as test_mails
from mailroom_console.erasing import preview
from mailroom_console.mailboxes import email_address
from mailroom_console.people import agents, queues
from mailroom_console.portals import records as portals
from mailroom_console.portals.office_hours import UNSET
from mailroom_console.principals import CONFIG, READ

from .configuration_bodies import (
    AccountCheck,
    AddressChange,
    AddressIn,
    AgentChange,
    AgentIn,
    ConnectIn,
    PortalChange,
    PortalIn,
    PresenceIn,
    PreviewIn,
    QueueChange,
    QueueIn,
    SmtpConnectIn,
    TestMailIn,
)
from .security import ConsoleDep, PrincipalDep

router = APIRouter()
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page.")]
Name = Annotated[str, MaxLen(200)]  # in a path
Short = Annotated[str | None, Query(max_length=1000)]
Next = Annotated[str | None, Query(alias="next", max_length=1000, description="What the page before said as `next`.")]
Json = dict[str, Any]


@router.get("/portals", tags=["portals"])
async def portals_list(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return (await portals.listed(console, principal)).body()


@router.get("/portals/current", tags=["portals"])
async def portal(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await portals.current(console, principal)


@router.post("/portals", status_code=201, tags=["portals"])
async def portal_create(body: PortalIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Make another portal; `api_token` of it is shown this once."""
    return await portals.create(console, principal, name=body.name, mail_domains=body.domains)


@router.patch("/portals/current", tags=["portals"])
async def portal_change(body: PortalChange, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await portals.change(
        console, principal, name=body.name, mail_domains=body.domains, revision=body.revision,
        follow_up_after_days=body.follow_up_after_days, undo_send_s=body.undo_send_s,
        known_days=body.known_days,
        tickets_kept_days=body.tickets_kept_days if "tickets_kept_days" in body.model_fields_set else UNSET,
        attachments_kept_days=body.attachments_kept_days if "attachments_kept_days" in body.model_fields_set else UNSET,
        office_hours=body.office_hours if "office_hours" in body.model_fields_set else UNSET,
    )  # fmt: skip


@router.get("/portals/current/would-go", tags=["portals"])
async def portal_would_go(
    console: ConsoleDep, principal: PrincipalDep, tickets_kept_days: int | None = None,
    attachments_kept_days: int | None = None,
) -> Json:  # fmt: skip
    """What would go at once if these days were saved: `tickets` with `messages`, and the files of `files_of_tickets`."""
    return await preview.would_go(
        console, principal, tickets_kept_days=tickets_kept_days, attachments_kept_days=attachments_kept_days
    )


@router.get("/portals/{portal_id}", tags=["portals"])
async def portal_one(portal_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await portals.one(console, principal, portal_id)


@router.get("/addresses", tags=["addresses"])
async def addresses_list(
    console: ConsoleDep, principal: PrincipalDep, limit: Limit = 50, after: Next = None, queue_id: Short = None
) -> Json:
    return (await addresses.listed(console, principal, limit=limit, after=after, queue_id=queue_id)).body()


@router.post("/addresses", status_code=201, tags=["addresses"])
async def address_create(body: AddressIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Add an internal address (`local_part`) or an SMTP address, which is tried with a real login first."""
    return await addresses.create(console, principal, body.given())


@router.post("/addresses/gmail/connect", tags=["addresses"])
async def gmail_connect(console: ConsoleDep, principal: PrincipalDep, body: ConnectIn | None = None) -> Json:
    """Where to send the browser for Google's consent: `{authorize_url}`."""
    given = body or ConnectIn()
    url = await google.connect(console, principal, address_id=given.address_id, import_days=given.import_days)
    return {"authorize_url": url}


@router.post("/addresses/smtp/connect", tags=["addresses"])
async def smtp_connect(body: SmtpConnectIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Where to send the browser to sign in at the provider of an SMTP address: `{authorize_url}`. Back from there, the
    login is tried, and the address made or connected in place."""
    given = {k: v for k, v in body.given().items() if v is not None and k not in ("provider", "email", "address_id")}
    url = await sign_ins.connect(
        console, principal, provider=body.provider, email=body.email, given=given, address_id=body.address_id
    )
    return {"authorize_url": url}


@router.get("/smtp-providers", tags=["addresses"])
async def smtp_providers(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Where SMTP addresses can sign in instead of giving a password."""
    principal.require(READ)
    return {"items": sign_ins.offered(console), "next": None}


@router.get("/smtp-presets", tags=["addresses"])
async def smtp_presets(principal: PrincipalDep, email: Short = None) -> Json:
    principal.require(READ)
    return {"items": smtp_accounts.presets(), "next": None,
            "suggestion": smtp_accounts.suggestion(email) if email else None}  # fmt: skip


@router.post("/smtp-check", tags=["addresses"])
async def smtp_check(body: AccountCheck, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Try an account without saving it: `{ok, code, text}`."""
    principal.require(CONFIG)
    email = email_address(body.email)
    account = smtp_accounts.account(body.smtp.given(), email)
    problem = await account_check.look(console, account, body.password, email=email)
    return {"ok": problem is None, "code": problem.code if problem else None, "text": problem.text if problem else None}


@router.post("/auto-reply-preview", tags=["addresses"])
async def auto_reply_preview(body: PreviewIn, principal: PrincipalDep) -> Json:
    # a long template takes a tenth of a second to compile
    return await asyncio.to_thread(
        test_mails.preview, principal, body.subject, body.content, queue_name=body.queue_name
    )


@router.get("/addresses/{address_id}", tags=["addresses"])
async def address_one(address_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await addresses.one(console, principal, address_id)


@router.patch("/addresses/{address_id}", tags=["addresses"])
async def address_change(address_id: Name, body: AddressChange, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Change what is given. With `revision`: 409 `revision_conflict` when somebody else changed it."""
    return await addresses.change(console, principal, address_id, body.given())


@router.delete("/addresses/{address_id}", status_code=204, tags=["addresses"])
async def address_delete(address_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    await addresses.remove(console, principal, address_id)
    return Response(status_code=204)


@router.post("/addresses/{address_id}/check-forwarding", status_code=202, tags=["addresses"])
async def check_forwarding(address_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await forwarding.check(console, principal, address_id)


@router.post("/addresses/{address_id}/test-mail", status_code=202, tags=["addresses"])
async def test_mail(address_id: Name, body: TestMailIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Send the address's automatic reply, or the text being edited, to somebody as a test."""
    return await test_mails.send(console, principal, address_id, to=body.to, subject=body.subject, content=body.content)


@router.post("/addresses/{address_id}/disconnect", tags=["addresses"])
async def address_disconnect(address_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Take an address's access back, at its provider too where that can be done."""
    if (await addresses.one(console, principal, address_id))["kind"] == "smtp":
        await sign_ins.disconnect(console, principal, address_id)
    else:
        await google.disconnect(console, principal, address_id)
    return await addresses.one(console, principal, address_id)


@router.get("/queues", tags=["queues"])
async def queues_list(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return (await queues.listed(console, principal)).body()


@router.post("/queues", status_code=201, tags=["queues"])
async def queue_create(body: QueueIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await queues.create(console, principal, name=body.name, agent_ids=body.agent_ids)


@router.get("/queues/{queue_id}", tags=["queues"])
async def queue_one(queue_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await queues.one(console, principal, queue_id)


@router.patch("/queues/{queue_id}", tags=["queues"])
async def queue_change(queue_id: Name, body: QueueChange, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await queues.change(
        console, principal, queue_id, name=body.name, agent_ids=body.agent_ids, revision=body.revision
    )


@router.delete("/queues/{queue_id}", status_code=204, tags=["queues"])
async def queue_delete(queue_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    await queues.remove(console, principal, queue_id)
    return Response(status_code=204)


@router.get("/agents", tags=["agents"])
async def agents_list(console: ConsoleDep, principal: PrincipalDep) -> Json:
    return (await agents.listed(console, principal)).body()


@router.post("/agents", status_code=201, tags=["agents"])
async def agent_create(body: AgentIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await agents.create(
        console, principal, email=body.email, name=body.name, role=body.role, queue_ids=body.queue_ids,
        password=body.password,
    )  # fmt: skip


@router.get("/agents/{agent_id}", tags=["agents"])
async def agent_one(agent_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await agents.one(console, principal, agent_id)


@router.patch("/agents/{agent_id}", tags=["agents"])
async def agent_change(agent_id: Name, body: AgentChange, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await agents.change(
        console, principal, agent_id, name=body.name, role=body.role, queue_ids=body.queue_ids, active=body.active,
        revision=body.revision,
    )  # fmt: skip


@router.delete("/agents/{agent_id}", status_code=204, tags=["agents"])
async def agent_delete(agent_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    await agents.remove(console, principal, agent_id)
    return Response(status_code=204)


@router.put("/agents/{agent_id}/presence", tags=["agents"])
async def presence(agent_id: Name, body: PresenceIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """online, away or offline: until changed, or for `ttl_s` seconds."""
    return await agents.set_presence(console, principal, agent_id, body.presence, body.ttl_s)


@router.post("/agents/{agent_id}/invitation", status_code=201, tags=["agents"])
async def invitation(agent_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return {"invite_url": await agents.invite(console, principal, agent_id)}
