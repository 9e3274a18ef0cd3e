"""SMTP addresses that sign in at their provider: made, connected in place, refused with what was typed kept, disconnected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from mailroom_contracts import Address, topics
from mailroom_oauth import Tokens
from mailroom_runtime.seals.sealing import Sealer
from support.processes import free_port
from support.sign_in_servers import SignInServers
from support.submission import Submission, Verdict

from .conftest import Bus, RunningConsole, Starter

PORT = free_port()
HELP, ANA = "help@shop.example", "ana@shop.example"


@pytest.fixture
def microsoft(tmp_path: Path) -> Iterator[SignInServers]:
    back = [f"http://127.0.0.1:{PORT}/oauth/{name}/callback" for name in ("microsoft", "okta")]
    with SignInServers(tmp_path / "signin", [HELP, ANA], back) as servers:
        yield servers


@pytest.fixture
async def site(start_console: Starter, microsoft: SignInServers, monkeypatch: pytest.MonkeyPatch) -> RunningConsole:
    for name, value in microsoft.env().items():
        monkeypatch.setenv(name, value)
    return await start_console(console_port=PORT, url=f"http://127.0.0.1:{PORT}")


async def back(site: RunningConsole, provider: str, params: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Where the console sends the browser, in which the administrator is signed in, after its way back."""
    login = json.loads((site.settings.data / "admin-login.json").read_text())
    async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
        await browser.post(f"{site.settings.url}/api/v1/session", json=login)
        answer = await browser.get(f"{site.settings.url}/oauth/{provider}/callback?{urlencode(params)}")
    assert answer.status_code == 303
    there = urlsplit(answer.headers["location"])
    return there.path, {k: v[0] for k, v in parse_qs(there.query).items()}


async def connect(site: RunningConsole, **body: object) -> str:
    answer = await site.api.post("/addresses/smtp/connect", json={"provider": "microsoft", "email": HELP, **body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["authorize_url"])


def exchange(server: Submission, account: str) -> None:
    """Exchange: takes long tokens of one account, as XOAUTH2 only."""

    def judge(login: object) -> Verdict:
        user, secret = login.user, login.secret  # type: ignore[attr-defined]
        good = user == account and len(secret) > 1000
        return "235 2.7.0 Authentication successful" if good else "535 5.7.3 Authentication unsuccessful"

    server.judge = judge


async def test_an_address_is_made_by_signing_in_reconnected_in_place_and_disconnected(
    site: RunningConsole, microsoft: SignInServers, bus: Bus
) -> None:
    async with Submission("LOGIN XOAUTH2") as server:
        exchange(server, HELP)
        smtp = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
        params = microsoft.consent(await connect(site, smtp=smtp, full_name="Help Desk"), HELP)
        path, told = await back(site, "microsoft", params)
        assert (path, list(told)) == ("/addresses", ["connected"]), told
        made = await site.get(f"/addresses/{told['connected']}")
        assert (made["email"], made["kind"], made["full_name"], made["state"]) == (HELP, "smtp", "Help Desk", "active")
        assert (made["smtp"]["auth"], made["smtp"]["provider"], made["smtp"]["username"]) == (
            "oauth",
            "microsoft",
            HELP,
        )
        # once: the state is used up
        assert (await back(site, "microsoft", params))[1].keys() == {"oauth_error"}
        published = (await bus.latest(topics.ADDRESSES))[made["id"]]
        assert isinstance(published, Address)
        assert published.smtp is not None
        sealer = Sealer(site.settings.secret_ring())
        tokens = Tokens.kept(sealer.open(published.smtp.secret or "", bound_to=made["id"]))
        assert len(tokens.access_token) >= 1700
        assert tokens.refresh_token not in json.dumps(made)

        # other settings of it: the login is tried with a token; another server wants another sign-in
        answer = await site.api.patch(
            f"/addresses/{made['id']}", json={"smtp": {"username": HELP, "max_connections": 3}}
        )
        assert answer.status_code == 200, answer.text
        moved = await site.api.patch(f"/addresses/{made['id']}", json={"smtp": {"host": "evil.example"}})
        assert (moved.status_code, moved.json()["field"]) == (422, "smtp.host")

        # the same address signs in anew: nothing of its settings changes
        _, told = await back(site, "microsoft", microsoft.consent(await connect(site), HELP))
        again = await site.get(f"/addresses/{told['connected']}")
        assert (again["id"], again["full_name"]) == (made["id"], "Help Desk")
        assert (again["smtp"]["host"], again["smtp"]["port"]) == ("127.0.0.1", server.port)

        gone = await site.api.post(f"/addresses/{made['id']}/disconnect")
        assert (gone.json()["state"], gone.json()["smtp"]["connected"]) == ("disconnected", False)
    assert len(server.logins) == 3


async def test_what_does_not_work_is_told_and_what_was_typed_is_kept(
    site: RunningConsole, microsoft: SignInServers, bus: Bus
) -> None:
    answer = await site.api.post("/addresses/smtp/connect", json={"provider": "nowhere", "email": HELP})
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_not_configured")
    async with Submission("XOAUTH2") as server:
        off = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
        server.judge = lambda _: off
        smtp = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
        url = await connect(site, smtp=smtp)
        path, told = await back(site, "microsoft", microsoft.consent(url, HELP))
        assert path == "/addresses/add/smtp"
        assert "Authenticated SMTP" in told["oauth_error"]
        assert told["draft"]
        microsoft.front.deny = "AADSTS90094: Admin consent is required."
        url = await connect(site, smtp=smtp)
        _, told = await back(site, "microsoft", microsoft.consent(url, HELP))
        assert "grant consent" in told["oauth_error"]
        microsoft.front.deny = ""
        # another way back than the one it left for
        params = microsoft.consent(await connect(site, smtp=smtp), HELP)
        assert "another provider" in (await back(site, "okta", params))[1]["oauth_error"]
    assert HELP not in (await site.api.get("/addresses")).text


async def test_an_account_that_may_send_as_the_address(site: RunningConsole, microsoft: SignInServers) -> None:
    """A shared mailbox: ana signs in, and her account is the login."""
    async with Submission("XOAUTH2") as server:
        exchange(server, ANA)
        smtp = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
        _, told = await back(site, "microsoft", microsoft.consent(await connect(site, smtp=smtp), ANA))
        made = await site.get(f"/addresses/{told['connected']}")
        assert (made["email"], made["smtp"]["username"], made["smtp"]["signed_in_as"]) == (HELP, ANA, ANA)
        assert any(line.startswith(f"MAIL FROM:<{HELP}>") for line in server.heard)
