"""SMTP accounts that sign in, against Postfix with Dovecot's oauth2 passdb and a provider whose tokens end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import topics
from mailroom_oauth import Grant, OAuthSettings, Providers, Tokens
from support.mailserver import MailServer
from support.outgoing import Installation, installation
from support.processes import ServiceProcess
from support.servers import ValkeyServer
from support.sign_in_servers import SignInServers
from support.waiting import eventually

START = Callable[..., ServiceProcess]
USER, TO, BACK = "help@shop.example", "jo@c.example", "http://127.0.0.1:8080/oauth/microsoft/callback"


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignInServers]:
    with SignInServers(tmp_path_factory.mktemp("signin"), [USER], [BACK]) as servers:
        yield servers


@pytest.fixture(scope="module")
def provider(microsoft: SignInServers) -> Iterator[MailServer]:
    with MailServer({USER: "unused-passw0rd"}, introspect_url=microsoft.front.introspect_url) as server:
        yield server


@pytest.fixture
async def office(
    kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path, provider: MailServer, microsoft: SignInServers
) -> AsyncIterator[Installation]:
    front = microsoft.front
    front.revoked, front.checks_down, front.delay_s, front.rotate = set(), False, 0.0, True
    front.renewals.clear()
    async with installation(kafka, valkey.url, topic_prefix, str(tmp_path / "data")) as office:
        office.env |= microsoft.env() | {
            "MAILROOM_ALLOW_PRIVATE_HOSTS": "true", "MAILROOM_SMTP_CA_FILE": str(provider.ca_file),
        }  # fmt: skip
        yield office


async def signed_in(microsoft: SignInServers) -> Grant:
    settings = OAuthSettings(**{k.removeprefix("MAILROOM_").lower(): v for k, v in microsoft.env().items()})  # type: ignore[arg-type]
    providers = Providers(settings)
    try:
        begun = await providers.begin("microsoft", BACK, USER)
        return await providers.finish("microsoft", begun.flow, microsoft.consent(begun.url, USER))
    finally:
        providers.close()


async def connected(office: Installation, provider: MailServer, tokens: Tokens, revision: int = 1, **more: Any) -> None:
    smtp = {
        "host": "localhost", "port": provider.port, "tls": "starttls", "username": USER, "auth": "oauth",
        "provider": "microsoft", "secret_revision": revision, "checked_at": "2026-11-30T08:00:00Z",
    }  # fmt: skip
    await office.address(
        "help", kind="smtp", email=USER, revision=revision, smtp=smtp | more, password=tokens.sealable()
    )


async def reaches(office: Installation, outbound_id: str, state: str, timeout: float = 60) -> None:
    async def reached() -> bool:
        return state in await office.states(outbound_id)

    await eventually(reached, timeout, every=0.2, what=f"{outbound_id} is {state}")


def ended(tokens: Tokens) -> Tokens:
    """The same sign-in, whose access token was let end."""
    return Tokens(tokens.refresh_token, tokens.access_token, time.time() - 7200, time.time() - 3600)


async def test_two_processes_renew_an_ended_token_once_and_mail_leaves_with_it(
    office: Installation, start_service: START, provider: MailServer, microsoft: SignInServers
) -> None:
    tokens = (await signed_in(microsoft)).tokens
    await connected(office, provider, ended(tokens))
    first, second = start_service("outbound", office.env), start_service("outbound", office.env)
    for number in range(3):
        await office.send(number, "help", TO)
    for number in range(3):
        await reaches(office, f"o{number}", "sent")
    assert len(microsoft.front.renewals) == 1
    kept = list(await office.read(topics.ADDRESS_TOKENS))
    assert len(kept) == 1
    told = first.output() + second.output() + provider.log() + str(kept) + str(await office.read(topics.EMAIL_LANES))
    for secret in (tokens.refresh_token, tokens.access_token):
        assert secret not in told


async def test_withdrawn_consent_is_told_and_a_new_sign_in_sends_what_waited(
    office: Installation, start_service: START, provider: MailServer, microsoft: SignInServers
) -> None:
    await connected(office, provider, (await signed_in(microsoft)).tokens)
    start_service("outbound", office.env)
    await office.send(0, "help", TO)
    await reaches(office, "o0", "sent")
    microsoft.front.end_tokens()
    await connected(office, provider, (await withdrawn(microsoft)).tokens, revision=2)
    await office.send(1, "help", TO)
    await reaches(office, "o1", "parked")
    status = await office.status("help")
    assert status is not None
    assert (status.state, "AADSTS65001" in (status.reason or "")) == ("needs_attention", True)
    microsoft.front.revoked.clear()
    await connected(office, provider, (await signed_in(microsoft)).tokens, revision=3)
    await reaches(office, "o1", "sent")


async def withdrawn(microsoft: SignInServers) -> Grant:
    """A sign-in whose consent is withdrawn at once."""
    grant = await signed_in(microsoft)
    microsoft.front.revoked.add(USER)
    return grant


async def test_a_server_that_cannot_check_is_not_taken_for_a_refusal(
    office: Installation, start_service: START, provider: MailServer, microsoft: SignInServers
) -> None:
    """Postfix says 535 to a good token while Dovecot cannot ask about it."""
    tokens = (await signed_in(microsoft)).tokens
    microsoft.front.checks_down = True
    await connected(office, provider, tokens)
    start_service("outbound", office.env)
    await office.send(0, "help", TO)
    await reaches(office, "o0", "deferred")
    assert "parked" not in await office.states("o0")
    assert await office.status("help") is None
    assert len(microsoft.front.renewals) <= 1
    microsoft.front.checks_down = False
    # signed in anew: what waited for its account goes at once, not in the minute after which it would be tried again
    await connected(office, provider, (await signed_in(microsoft)).tokens, revision=2)
    await reaches(office, "o0", "sent", 40)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_process_killed_in_the_middle_of_a_renewal_leaves_its_lock_and_nothing_else(
    office: Installation, start_service: START, provider: MailServer, microsoft: SignInServers
) -> None:
    """Before the provider answered: another process renews as soon as the dead one's lock has run out (90 s)."""
    await connected(office, provider, ended((await signed_in(microsoft)).tokens))
    microsoft.front.delay_s = 60.0
    first = start_service("outbound", office.env | {"MAILROOM_OAUTH_TIMEOUT_S": "60"})
    await office.send(0, "help", TO)
    await eventually(lambda: len(microsoft.front.waiting) == 1, 60)
    first.kill()
    microsoft.front.delay_s = 0.0
    start_service("outbound", office.env)
    await reaches(office, "o0", "sent", timeout=200)
