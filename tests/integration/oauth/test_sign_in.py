"""Signing in at providers: Microsoft by msal, others by Authlib, against the emulator and a front that says what it cannot."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mailroom_oauth import OAuthSettings, OAuthTrouble, ProviderAway, Providers, SetUpWrong, SignInNeeded
from pydantic import SecretStr
from support.sign_in_servers import CLIENT_ID, CLIENT_SECRET, SignInServers

BACK, HELP = "https://desk.example/oauth/microsoft/callback", "help@shop.example"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignInServers]:
    with SignInServers(tmp_path_factory.mktemp("signin"), [HELP, "ana@shop.example"], [BACK]) as running:
        yield running


@pytest.fixture
def providers(servers: SignInServers, tmp_path: Path) -> Iterator[Providers]:
    made = Providers(settings(servers, tmp_path))
    yield made
    front = servers.front
    front.answer, front.deny, front.delay_s, front.rotate, front.revoked = lambda _: None, "", 0.0, False, set()
    made.close()


def settings(servers: SignInServers, folder: Path, **more: object) -> OAuthSettings:
    file = folder / "providers.json"
    file.write_text(
        json.dumps({"okta": {"issuer": servers.okta, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}})
    )
    values: dict[str, object] = {
        "microsoft_client_id": CLIENT_ID, "microsoft_client_secret": SecretStr(CLIENT_SECRET),
        "microsoft_authority": servers.authority, "oauth_providers": str(file), "oauth_ca_file": str(servers.ca_file),
    }  # fmt: skip
    return OAuthSettings(**(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["microsoft", "okta"])
async def test_somebody_signs_in_and_the_sign_in_is_renewed_and_taken_back(
    servers: SignInServers, providers: Providers, name: str
) -> None:
    begun = await providers.begin(name, BACK, HELP)
    assert "code_challenge_method=S256" in begun.url
    assert HELP.replace("@", "%40") in begun.url
    params = servers.consent(begun.url, HELP)
    assert params["state"] == begun.state
    grant = await providers.finish(name, json.loads(json.dumps(begun.flow)), params)
    assert grant.emails[0] == HELP
    assert grant.tokens.lasts(time.time())
    assert grant.tokens.access_token not in repr(grant)
    renewed = await providers.renew(name, grant.tokens)
    assert renewed.access_token
    assert renewed.refresh_token
    assert await providers.revoke(name, renewed) == (name == "okta")  # Microsoft names no endpoint for that


async def test_a_code_works_once_and_only_with_its_own_sign_in(servers: SignInServers, providers: Providers) -> None:
    for name in ("microsoft", "okta"):
        mine, other = await providers.begin(name, BACK), await providers.begin(name, BACK)
        params = servers.consent(mine.url, HELP)
        with pytest.raises(OAuthTrouble):
            await providers.finish(name, other.flow, params)
        again = servers.consent(mine.url, HELP)
        await providers.finish(name, mine.flow, again)
        with pytest.raises(OAuthTrouble):
            await providers.finish(name, mine.flow, again)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("AADSTS65004: User declined to consent to access the app.", SignInNeeded, "not allowed"),
        ("AADSTS90094: Admin consent is required.", SignInNeeded, "grant consent"),
        ("AADSTS50194: Application is not configured as a multi-tenant application.", SetUpWrong, "MAILROOM_MICROSOFT_AUTHORITY"),
        ("AADSTS53003: Access has been blocked by Conditional Access policies.", SignInNeeded, "Conditional Access"),
    ],
)  # fmt: skip
async def test_denied_on_the_providers_page(
    servers: SignInServers, providers: Providers, said: str, kind: type[Exception], words: str
) -> None:
    servers.front.deny = said
    begun = await providers.begin("microsoft", BACK)
    with pytest.raises(kind, match=words):
        await providers.finish("microsoft", begun.flow, servers.consent(begun.url, HELP))


async def test_troubles_of_a_renewal_are_told_apart(servers: SignInServers, providers: Providers) -> None:
    begun = await providers.begin("microsoft", BACK)
    tokens = (await providers.finish("microsoft", begun.flow, servers.consent(begun.url, HELP))).tokens
    for answer, kind in (
        (
            (400, {"error": "invalid_grant", "error_description": "AADSTS50173: The provided grant has expired."}),
            SignInNeeded,
        ),
        ((400, {"error": "invalid_grant", "error_description": "AADSTS50076: multi-factor"}), SignInNeeded),
        ((401, {"error": "invalid_client", "error_description": "AADSTS7000222: expired secret keys"}), SetUpWrong),
        ((503, {"error": "temporarily_unavailable"}), ProviderAway),
        ((500, {}), ProviderAway),
        ((200, {"token_type": "Bearer"}), ProviderAway),
    ):
        servers.front.answer = lambda _, answer=answer: answer
        with pytest.raises(kind) as caught:
            await providers.renew("microsoft", tokens)
        assert tokens.refresh_token not in str(caught.value)
    # msal remembers an error for a while: a fresh look must not hear of it
    servers.front.answer = lambda _: None
    assert (await providers.renew("microsoft", tokens)).access_token


async def test_a_provider_that_is_slow_counts_as_away(
    servers: SignInServers, providers: Providers, tmp_path: Path
) -> None:
    # only here is the limit short: the emulator itself takes seconds for a call while other tests have the processors
    hasty = Providers(settings(servers, tmp_path, oauth_timeout_s=2))
    begun = await providers.begin("microsoft", BACK)
    tokens = (await providers.finish("microsoft", begun.flow, servers.consent(begun.url, HELP))).tokens
    servers.front.delay_s = 10
    began = time.monotonic()
    with pytest.raises(ProviderAway):
        await hasty.renew("microsoft", tokens)
    assert time.monotonic() - began < 9.5
    hasty.close()


async def test_one_organisations_own_application_takes_only_its_accounts(
    servers: SignInServers, tmp_path: Path
) -> None:
    """Under `common` the issuer is the token's own tenant; with an authority of one tenant it must be that one."""
    alone = Providers(
        settings(servers, tmp_path, microsoft_authority=f"{servers.origin}/22222222-2222-4222-8222-222222222222")
    )
    begun = await alone.begin("microsoft", BACK)
    with pytest.raises(SignInNeeded, match="another organisation"):
        await alone.finish("microsoft", begun.flow, servers.consent(begun.url, HELP))
    alone.close()


async def test_what_is_not_set_up_or_away_is_told(servers: SignInServers, providers: Providers, tmp_path: Path) -> None:
    with pytest.raises(SetUpWrong):
        await providers.begin("google", BACK)
    away = Providers(settings(servers, tmp_path, microsoft_authority="https://localhost:9/common"))
    with pytest.raises(ProviderAway):
        await away.begin("microsoft", BACK)
    away.close()
