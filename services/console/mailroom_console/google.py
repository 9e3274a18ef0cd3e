"""Connecting Gmail addresses with Google: consent with state and PKCE, tokens sealed, reconnecting in place.

Sources: RFC 6749 section 4.1, RFC 7636 (PKCE), Google's "OAuth 2.0 for Web Server Applications".
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
from mailroom_contracts import GmailAccount, ids
from sqlalchemy import delete, insert, select

from . import addresses, passwords, times
from .context import Console
from .mailboxes import email_address
from .principals import CONFIG, Principal
from .problems import Problem, conflict, not_found
from .schema import addresses as addresses_table
from .schema import oauth_states

GMAIL = "https://www.googleapis.com/auth/gmail.modify"
SCOPES = ("openid", "email", "profile", GMAIL)
STATE_US = 15 * 60 * times.SECOND


async def connect(
    console: Console, principal: Principal, *, address_id: str | None = None, import_days: int | None = None
) -> str:
    """Where to send the browser for consent. Raises `Problem` 503 when no OAuth client is configured."""
    principal.require(CONFIG)
    settings = console.settings
    if not settings.google_client_id:
        raise Problem(503, "google_not_configured",
                      "Gmail addresses need an OAuth client: set MAILROOM_GOOGLE_CLIENT_ID and "
                      "MAILROOM_GOOGLE_CLIENT_SECRET.")  # fmt: skip
    state, verifier = passwords.drawn(), passwords.drawn()
    now = console.now()
    hint = None
    async with console.database.write() as connection:
        if address_id is not None:
            row = await addresses.row_of(connection, principal, address_id)
            if row.kind != "gmail":
                raise conflict("not_gmail", "Only Gmail addresses are connected with Google.")
            hint = row.email
        await connection.execute(delete(oauth_states).where(oauth_states.c.expires_at < now))
        await connection.execute(
            insert(oauth_states).values(
                state=passwords.digest(state), portal_id=principal.portal_id, verifier=verifier, address_id=address_id,
                principal=json.dumps({"kind": principal.kind, "id": principal.id, "name": principal.name}),
                options={"import_days": import_days}, expires_at=now + STATE_US,
            )
        )  # fmt: skip
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "client_id": settings.google_client_id, "redirect_uri": redirect_uri(console), "response_type": "code",
        "scope": " ".join(SCOPES), "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
        "access_type": "offline", "include_granted_scopes": "true", "prompt": "consent",
    } | ({"login_hint": hint} if hint else {})  # fmt: skip
    return f"{settings.google_auth_url}?{urlencode(query)}"


async def returned(console: Console, params: Mapping[str, str], session: Principal | None = None) -> str:
    """What Google sent the browser back with; the id of the address that is connected now. Raises `Problem`."""
    state = await _state(console, params.get("state", ""))
    by = json.loads(state.principal)
    if by["kind"] == "session" and (session is None or session.id != by["id"]):
        raise Problem(403, "other_browser", "Sign in here first, then connect the address again.")
    if params.get("error"):
        raise conflict("consent_refused", "Google says that access was not allowed. Nothing was changed.")
    tokens = await _exchange(console, params.get("code", ""), state.verifier)
    granted = set(str(tokens.get("scope", "")).split())
    if GMAIL not in granted:
        raise conflict("permission_missing",
                       "The permission to read and send Gmail was left unchecked. Connect again and allow it.")  # fmt: skip
    email = email_address(_email_of(tokens))
    principal = Principal(kind=by["kind"], id=by["id"], portal_id=state.portal_id, name=by["name"],
                          scopes=frozenset({CONFIG}))  # fmt: skip
    return await _store(console, principal, state, email, tokens, sorted(granted))


async def disconnect(console: Console, principal: Principal, address_id: str) -> None:
    """Forget the access, and take it back at Google."""
    principal.require(CONFIG)
    async with console.database.read() as connection:
        row = await addresses.row_of(connection, principal, address_id)
    if row.kind != "gmail" or not (row.gmail or {}).get("secret"):
        raise conflict("not_connected", "This address is not connected with Google.")
    tokens = json.loads(console.sealer.open(row.gmail["secret"], bound_to=row.id))
    revoke = console.settings.google_token_url.rpartition("/")[0] + "/revoke"
    try:
        await console.http.post(revoke, data={"token": tokens.get("refresh_token") or tokens.get("access_token")})
    except httpx.HTTPError:
        raise Problem(502, "google_unavailable", "Google does not answer. Try again later.") from None
    account = row.gmail | {"secret": None, "secret_revision": row.gmail["secret_revision"] + 1}
    await addresses.store(console, principal, row, {"gmail": account})


def redirect_uri(console: Console) -> str:
    """Where Google sends the browser back to; it must be registered there."""
    return f"{console.settings.url.rstrip('/')}/oauth/google/callback"


async def _state(console: Console, state: str) -> Any:
    """The state, used up. Raises `Problem` for one that is unknown, used or too old."""
    key = passwords.digest(state)
    async with console.database.write() as connection:
        row = (await connection.execute(select(oauth_states).where(oauth_states.c.state == key))).one_or_none()
        await connection.execute(delete(oauth_states).where(oauth_states.c.state == key))
    if row is None or row.expires_at < console.now():
        raise Problem(400, "bad_state", "This sign-in is too old or was used already. Connect the address again.")
    return row


async def _exchange(console: Console, code: str, verifier: str) -> dict[str, Any]:
    settings = console.settings
    try:
        answer = await console.http.post(
            settings.google_token_url,
            data={"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri(console),
                  "client_id": settings.google_client_id,
                  "client_secret": settings.google_client_secret.get_secret_value(), "code_verifier": verifier},
        )  # fmt: skip
        tokens = answer.json()
    except (httpx.HTTPError, ValueError):
        raise Problem(502, "google_unavailable", "Google does not answer. Connect the address again later.") from None
    if answer.is_error or "access_token" not in tokens:
        raise Problem(502, "google_refused", f"Google refused the sign-in ({answer.status_code}). Connect it again.")
    if not tokens.get("refresh_token"):
        raise Problem(502, "google_refused", "Google gave no lasting access. Connect the address again.")
    return dict(tokens)


def _email_of(tokens: Mapping[str, Any]) -> str:
    """The account's address from the id token, which came straight from Google over TLS (OIDC Core 3.1.3.7)."""
    try:
        payload = str(tokens["id_token"]).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["email"])
    except (KeyError, IndexError, ValueError):
        raise Problem(502, "google_refused", "Google did not say which account signed in.") from None


async def _store(
    console: Console, principal: Principal, state: Any, email: str, tokens: Mapping[str, Any], granted: list[str]
) -> str:
    now = console.now()
    async with console.database.read() as connection:
        row = (
            await connection.execute(select(addresses_table).where(addresses_table.c.email == email))
        ).one_or_none()
        wanted = state.address_id
        if wanted is not None:
            expected = await addresses.row_of(connection, principal, wanted)
            if expected.email != email:
                raise conflict("other_account", f"You signed in as {email}, but the address is {expected.email}.")
    if row is not None and (row.portal_id != principal.portal_id or row.kind != "gmail"):
        raise conflict("address_taken", f"{email} is there already, as another kind of address.")
    if wanted is not None and row is None:
        raise not_found("address")
    address_id = row.id if row is not None else ids.derive("address", principal.portal_id, email)
    secret = json.dumps({
        "refresh_token": tokens["refresh_token"], "access_token": tokens["access_token"],
        "expiry": times.rfc3339(now + int(tokens.get("expires_in", 3600)) * times.SECOND),
    })  # fmt: skip
    before = (row.gmail or {}) if row is not None else {}
    days = (state.options or {}).get("import_days")
    account = GmailAccount(
        secret=console.sealer.seal(secret, bound_to=address_id), secret_revision=before.get("secret_revision", 0) + 1,
        scopes=granted, label_ids=before.get("label_ids", ["INBOX"]), connected_at=times.moment(now),
        import_since=times.moment(now - days * times.DAY) if days else None,
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
