"""Connecting Gmail addresses with Google: consent with state and PKCE, tokens sealed, reconnecting in place.

A sign-in's state is drawn, kept as a digest with who began it, ends after a quarter of an hour and works once.
Sources: RFC 6749 section 4.1 and 10.12, RFC 7636 (PKCE), Google's "OAuth 2.0 for Web Server Applications".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_contracts import GmailAccount, ids
from mailroom_gmail import (
    GmailClient,
    GmailTrouble,
    GoogleSettings,
    Grant,
    Refused,
    kept_token,
    missing_scopes,
    oauth,
    token_to_keep,
)
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.seals.sealing import SealBroken
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.mailboxes import email_address
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import Problem, conflict
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.schema import addresses as addresses_table
from mailroom_console.storage.schema import domains

from . import finishing, sign_in_states
from . import records as addresses

log = get_logger()


def google_settings(settings: ConsoleSettings) -> GoogleSettings:
    """Where Google is, as the console is set."""
    return GoogleSettings(
        api_url=settings.google_api_url,
        auth_url=settings.google_auth_url,
        token_url=settings.google_token_url,
        client_id=settings.google_client_id,
        client_secret=settings.google_client_secret,
    )


async def connect(
    console: Console, principal: Principal, *, address_id: str | None = None, import_days: int | None = None
) -> str:
    """Where to send the browser for consent. Raises `Problem` 503 when no OAuth client is configured."""
    principal.require(CONFIG)
    google = google_settings(console.settings)
    if not google.configured:
        raise Problem(503, "google_not_configured",
                      say("Gmail addresses need an OAuth client: set MAILROOM_GOOGLE_CLIENT_ID and MAILROOM_GOOGLE_CLIENT_SECRET."))  # fmt: skip
    now = console.now()
    hint = None
    async with console.database.write() as connection:
        if address_id is not None:
            row = await addresses.row_of(connection, principal, address_id)
            if row.kind != "gmail":
                raise conflict("not_gmail", say("Only Gmail addresses are connected with Google."))
            hint = row.email
        begun = oauth.begin(google, redirect_uri(console), login_hint=hint)
        await sign_in_states.keep(
            connection, principal, begun.state, address_id, {"import_days": import_days}, now=now,
            verifier=begun.verifier,
        )  # fmt: skip
    return begun.url


async def returned(console: Console, params: Mapping[str, str], session: Principal | None = None) -> str:
    """What Google sent the browser back with; the id of the address that is connected now. Raises `Problem`."""
    state, principal = await finishing.taken(console, params.get("state", ""), session)
    if params.get("error"):
        raise conflict("consent_refused", say("Google says that access was not allowed. Nothing was changed."))
    google = google_settings(console.settings)
    try:
        grant = await oauth.finish(google, redirect_uri(console), params.get("code", ""), state.verifier)
    except Refused as error:
        raise Problem(502, "google_refused", say("{error}. Connect the address again.", error=error)) from None
    except GmailTrouble as error:
        raise Problem(
            502, "google_unavailable", say("{error}. Connect the address again later.", error=error)
        ) from None
    # a grant that is of no use is not revoked: at Google that would end the same account's working connection too
    return await _connected(console, principal, state, grant)


async def disconnect(console: Console, principal: Principal, address_id: str) -> None:
    """Take the access back at Google, and forget it. Raises `Problem` 502 while Google does not answer."""
    principal.require(CONFIG)
    async with console.database.read() as connection:
        row = await addresses.row_of(connection, principal, address_id)
    if row.kind != "gmail" or not (row.gmail or {}).get("secret"):
        raise conflict("not_connected", say("This address is not connected with Google."))
    try:
        token = kept_token(console.sealer.open(row.gmail["secret"], bound_to=row.id))
        await oauth.revoke(google_settings(console.settings), token)
    except (SealBroken, ValueError):
        log.warning("gmail.token_unreadable", address_id=row.id)  # then it can only be forgotten
    except GmailTrouble as error:
        raise Problem(502, "google_unavailable", say("{error}. Try again later.", error=error)) from None
    account = row.gmail | {"secret": None, "secret_revision": row.gmail["secret_revision"] + 1}
    await addresses.store(console, principal, row, {"gmail": account})


def redirect_uri(console: Console) -> str:
    """Where Google sends the browser back to; it must be registered there."""
    return f"{console.settings.url.rstrip('/')}/oauth/google/callback"


async def _connected(console: Console, principal: Principal, state: Any, grant: Grant) -> str:
    """The address that the grant is for: made, or connected again in place."""
    if missing := missing_scopes(grant.scopes):
        raise conflict("permission_missing",
                       say("A permission was left unchecked at Google: {names}. Connect again and allow everything that is asked for.", names=', and '.join(missing)))  # fmt: skip
    if not grant.refresh_token:
        raise Problem(502, "google_refused", say("Google gave no lasting access. Connect the address again."))
    email = email_address(grant.email)
    async with console.database.read() as connection:
        row = await _row_for(connection, principal, state.address_id, email)
    address_id = row.id if row is not None else ids.derive("address", principal.portal_id, email)
    start = await _present(console, grant.refresh_token)
    now = console.now()
    before = (row.gmail or {}) if row is not None else {}
    days = (state.options or {}).get("import_days")
    account = GmailAccount(
        secret=console.sealer.seal(token_to_keep(grant), bound_to=address_id),
        secret_revision=before.get("secret_revision", 0) + 1, scopes=sorted(grant.scopes),
        label_ids=before.get("label_ids", ["INBOX"]), connected_at=times.moment(now),
        # on reconnecting the reader goes on from its own cursor: these two count at the first time only
        import_since=times.moment(now - days * times.DAY) if days else before.get("import_since"),
        begun_at=before.get("begun_at") if row is not None else times.moment(now),
        start_history_id=before.get("start_history_id") or start,
        pubsub_subscription=before.get("pubsub_subscription"),
    ).model_dump(mode="json")  # fmt: skip
    if row is not None:
        await addresses.store(console, principal, row, {"gmail": account})
        return address_id
    values: dict[str, Any] = {
        "id": address_id, "portal_id": principal.portal_id, "kind": "gmail", "email": email, "full_name": "",
        "queue_id": None, "prefer_online": False, "active": True,
        "auto_reply": {"enabled": False, "subject": "", "content": ""}, "smtp": None, "gmail": account,
        "forwards_to": None, "forwarders": [],
    }  # fmt: skip
    async with console.database.write() as connection:
        await addresses.insert_row(connection, values, by=principal, now=now)
    return address_id


async def _row_for(connection: AsyncConnection, principal: Principal, wanted: str | None, email: str) -> Any:
    """The row to connect again; None for a new address. Raises `Problem` when this account may not be it."""
    if wanted is not None:
        row = await addresses.row_of(connection, principal, wanted)
        if row.email != email:
            raise conflict("other_account",
                           say("You signed in as {email}, but the address is {address}. Nothing was changed.", email=email, address=row.email))  # fmt: skip
        return row
    row = (await connection.execute(select(addresses_table).where(addresses_table.c.email == email))).one_or_none()
    if row is not None:
        if row.portal_id != principal.portal_id:
            raise conflict(
                "address_taken", say("{email} is in use by another company on this installation.", email=email)
            )
        if row.kind != "gmail":
            raise conflict(
                "address_taken",
                say("{email} is there already, as an address of kind {kind}.", email=email, kind=row.kind),
            )
        return row
    domain = email.rpartition("@")[2]
    portal = await connection.scalar(select(domains.c.portal_id).where(domains.c.domain == domain))
    if portal == principal.portal_id:
        raise conflict(
            "hosted_domain",
            say("Mail for {domain} is received here: add {email} as an internal address.", domain=domain, email=email),
        )
    if portal is not None:
        raise conflict("domain_taken", say("{domain} belongs to another company on this installation.", domain=domain))
    return None


async def _present(console: Console, refresh_token: str) -> str | None:
    """The mailbox's history id at this moment: mail is read from here on, however late the address is configured."""
    client = GmailClient(google_settings(console.settings), refresh_token, None)
    try:
        return (await client.profile())[1]
    except GmailTrouble as error:
        # the reader asks again when it starts
        log.warning("gmail.start_unknown", reason=str(error))
        return None
    finally:
        client.close()
