"""SMTP addresses that sign in at their provider instead of giving a password: leaving for it, coming back, disconnecting.

A sign-in's state is drawn, kept as a digest with who began it and what was typed, ends after a quarter of an hour and works once.
Whoever signs in need not be the address itself: an alias or a shared mailbox sends through the account of a person, so the
login name is a field of its own, and only a mail that is sent shows whether that account may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailroom_mail import comparable
from mailroom_oauth import Grant, OAuthTrouble, Provider, ProviderAway, SetUpWrong
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.seals.sealing import SealBroken
from sqlalchemy import select

from mailroom_console import times
from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.mailboxes import email_address
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import Problem, conflict
from mailroom_console.storage.schema import addresses as addresses_table
from mailroom_console.storage.schema import oauth_states, queues

from . import finishing, records, sign_in_states, smtp_accounts, trial_mails
from .publication import as_published

log = get_logger()
DRAFT_US = 60 * 60 * times.SECOND


@dataclass(frozen=True, slots=True)
class Returned:
    """A sign-in that came back. `address_id`: what it is for, once it worked; `draft`: gets back what was typed, where not."""

    address_id: str | None
    problem: Problem | None = None
    draft: str = ""


def offered(console: Console) -> list[dict[str, Any]]:
    """Providers that people can sign in at here, for a form."""
    return [
        {"id": p.id, "name": p.name, "host": p.host, "port": p.port, "tls": p.tls, "domains": list(p.domains)}
        for p in console.providers.all()
    ]


def redirect_uri(console: Console, provider: str) -> str:
    """Where the provider sends the browser back to; it must be registered there."""
    return f"{console.settings.url.rstrip('/')}/oauth/{provider}/callback"


async def connect(
    console: Console, principal: Principal, *, provider: str, email: str, given: Mapping[str, Any] | None = None,
    address_id: str | None = None,
) -> str:  # fmt: skip
    """Where to send the browser. `given`: the settings of the address that is to be made (as `POST /addresses` takes them).

    Raises `Problem`: 422 with `field`, 409 `address_taken`, 503 `provider_not_configured`.
    """
    principal.require(CONFIG)
    known = _provider(console, provider)
    wanted = dict(given or {}) | {"kind": "smtp", "email": email}
    hint = email
    async with console.database.read() as connection:
        if address_id is None:
            address_id = await connection.scalar(select(addresses_table.c.id).where(
                addresses_table.c.email == email_address(email), addresses_table.c.portal_id == principal.portal_id,
                addresses_table.c.kind == "smtp"))  # fmt: skip
        if address_id is not None:
            row = await records.row_of(connection, principal, address_id)
            if row.kind != "smtp":
                raise conflict("not_smtp", say("Only SMTP addresses are connected this way."))
            wanted["email"], hint = row.email, (row.smtp or {}).get("signed_in_as") or row.email
        elif not wanted.get("queue_id"):
            # a program that connects an address names a queue later, with PATCH
            first = (
                select(queues.c.id)
                .where(queues.c.portal_id == principal.portal_id)
                .order_by(queues.c.created_at)
                .limit(1)
            )
            wanted["queue_id"] = await connection.scalar(first)
    if address_id is None:
        wanted["email"] = hint = email_address(email)
        await records.check_new(console, principal, wanted)
    smtp_accounts.signed_in(
        wanted.get("smtp") or {}, wanted["email"], known, hint, any_host=console.settings.allow_private_hosts
    )
    try:
        begun = await console.providers.begin(known.id, redirect_uri(console, known.id), hint)
    except OAuthTrouble as trouble:
        raise _problem(trouble) from None
    options = {"smtp": {"provider": known.id, "flow": begun.flow, "given": wanted}}
    async with console.database.write() as connection:
        await sign_in_states.keep(connection, principal, begun.state, address_id, options, now=console.now())
    return begun.url


async def is_ours(console: Console, state: str) -> bool:
    """Whether a state that came back belongs to a sign-in of an SMTP address (Google has another use for its way back)."""
    async with console.database.read() as connection:
        options = await connection.scalar(
            select(oauth_states.c.options).where(oauth_states.c.state == passwords.digest(state))
        )
    return bool((options or {}).get("smtp"))


async def returned(
    console: Console, provider: str, params: Mapping[str, str], session: Principal | None = None
) -> Returned:
    """What the provider sent the browser back with. Raises `Problem` for a state that is unknown, used, or another's."""
    row, principal = await finishing.taken(console, params.get("state", ""), session)
    kept = (row.options or {}).get("smtp") or {}
    if kept.get("provider") != provider:
        raise Problem(400, "bad_state", say("This sign-in belongs to another provider. Connect the address again."))
    given = dict(kept["given"])
    try:
        grant = await console.providers.finish(provider, kept["flow"], params)
        address_id = await _connected(console, principal, provider, row.address_id, given, grant)
    except OAuthTrouble as trouble:
        return await _failed(console, principal, row.address_id, given, provider, _problem(trouble))
    except Problem as problem:
        return await _failed(console, principal, row.address_id, given, provider, problem)
    return Returned(address_id)


async def draft(console: Console, principal: Principal, token: str) -> dict[str, Any]:
    """What was typed before a sign-in that did not work; empty when it is gone. It can be asked for again."""
    async with console.database.read() as connection:
        row = (
            await connection.execute(select(oauth_states).where(oauth_states.c.state == passwords.digest(token)))
        ).one_or_none()
    if row is None or row.portal_id != principal.portal_id or row.expires_at < console.now():
        return {}
    return dict((row.options or {}).get("draft") or {})


async def disconnect(console: Console, principal: Principal, address_id: str) -> bool:
    """Forget the sign-in, and take it back at the provider where that can be done (the answer says whether it was).

    Raises `Problem` 502 while the provider does not answer."""
    principal.require(CONFIG)
    async with console.database.read() as connection:
        row = await records.row_of(connection, principal, address_id)
    account = row.smtp or {}
    if row.kind != "smtp" or account.get("auth") != "oauth" or not account.get("secret"):
        raise conflict("not_connected", say("Nobody is signed in for this address."))
    revoked = False
    try:
        tokens = await console.keeper.present(await as_published(console, row.id))
        revoked = await console.providers.revoke(str(account.get("provider")), tokens)
    except (ProviderAway, SealBroken) as trouble:
        raise Problem(502, "provider_unavailable", say("{trouble} Try again later.", trouble=trouble)) from None
    except OAuthTrouble as trouble:
        log.warning("oauth.not_revoked", address_id=row.id, reason=str(trouble)[:200])  # then it can only be forgotten
    changed = account | {"secret": None, "secret_revision": account["secret_revision"] + 1, "checked_at": None}
    await records.store(console, principal, row, {"smtp": changed})
    console.keeper.forget(row.id)
    return revoked


async def _connected(
    console: Console, principal: Principal, provider: str, address_id: str | None, given: dict[str, Any], grant: Grant
) -> str:
    """The address with this sign-in, made or connected in place."""
    email = str(given["email"])
    own = next((e for e in grant.emails if comparable(e) == comparable(email)), None)
    given["signed_in"] = smtp_accounts.SignIn(_provider(console, provider), own or grant.emails[0], grant.tokens)
    if address_id is None:
        made = await records.create(console, principal, given)
    else:
        smtp = given.get("smtp") or {}
        made = await records.change(console, principal, address_id, {"smtp": smtp, "signed_in": given["signed_in"]})
    console.keeper.forget(made["id"])
    if own is None and principal.email:
        # an alias or a shared mailbox: Exchange says only after a whole mail whether the account may send as it
        await trial_mails.send(console, principal, str(made["id"]), to=principal.email, subject=f"A test of {email}",
                               content=f"This mail shows that {given['signed_in'].login} may send as {email}.")  # fmt: skip
    return str(made["id"])


async def _failed(
    console: Console,
    principal: Principal,
    address_id: str | None,
    given: dict[str, Any],
    provider: str,
    problem: Problem,
) -> Returned:
    """Nothing was changed; what was typed is kept for an hour."""
    given.pop("signed_in", None)
    token = passwords.drawn()
    options = {"draft": given | {"provider": provider}}
    async with console.database.write() as connection:
        await sign_in_states.keep(connection, principal, token, address_id, options, now=console.now(), lasts=DRAFT_US)
    return Returned(address_id, problem, token)


def _provider(console: Console, name: str) -> Provider:
    found = console.providers.get(name)
    if found is None:
        raise Problem(503, "provider_not_configured",
                      say("Signing in at {name} is not set up here: whoever runs this installation registers it there and sets its client id (docs/addresses.md).", name=name[:40] or 'a provider'), field="provider")  # fmt: skip
    return found


def _problem(trouble: OAuthTrouble) -> Problem:
    if isinstance(trouble, ProviderAway):
        return Problem(
            502, "provider_unavailable", say("{trouble} Try again later.", trouble=trouble), reason=trouble.code
        )
    code = "provider_set_up_wrong" if isinstance(trouble, SetUpWrong) else "sign_in_refused"
    return Problem(502 if isinstance(trouble, SetUpWrong) else 409, code, str(trouble), reason=trouble.code)
