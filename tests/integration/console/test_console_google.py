"""Connecting Gmail addresses: consent once and by whoever asked, reconnecting in place, what is refused and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from mailroom_contracts import Address, topics
from mailroom_gmail import kept_token
from mailroom_runtime.seals.sealing import Sealer
from support.gmail_emulator import CLIENT_ID, CLIENT_SECRET, Emulator, mail
from support.gmail_proxy import Proxy
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter

PASSWORD = "correct horse battery"
SHOP, OTHER, HOSTED = "shop@gmail.example", "other@gmail.example", "boss@acme.example"
READ = "https://www.googleapis.com/auth/gmail.readonly"


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Proxy]:
    emulator = Emulator(tmp_path / "google", [SHOP, OTHER, HOSTED])
    proxy = Proxy(emulator)
    with proxy:
        yield proxy
    emulator.stop()


@pytest.fixture
async def site(start_console: Starter, google: Proxy) -> RunningConsole:
    console = await start_console(
        google_api_url=google.origin, google_auth_url=f"{google.emulator.origin}/o/oauth2/v2/auth",
        google_token_url=f"{google.origin}/oauth2/token", google_client_id=CLIENT_ID, google_client_secret=CLIENT_SECRET,
    )  # fmt: skip
    google.emulator.allow(f"{console.settings.url}/oauth/google/callback")
    await asyncio.to_thread(google.emulator.start)
    return console


async def consent(
    site: RunningConsole, google: Proxy, email: str, *, address_id: str | None = None, without: tuple[str, ...] = (),
    api: httpx.AsyncClient | None = None, **more: Any,
) -> str:  # fmt: skip
    """Ask, and allow at Google: the way back for the browser."""
    body = more | ({"address_id": address_id} if address_id else {})
    answer = await (api or site.api).post("/addresses/gmail/connect", json=body)
    assert answer.status_code == 200, answer.text
    return await asyncio.to_thread(google.emulator.consent, answer.json()["authorize_url"], email, without=without)


async def sign_in(site: RunningConsole, browser: httpx.AsyncClient) -> str:
    """As the administrator; the session's CSRF token."""
    login = json.loads((site.settings.data / "admin-login.json").read_text())
    return str((await browser.post(f"{site.settings.url}/api/v1/session", json=login)).json()["csrf_token"])


async def come_back(site: RunningConsole, url: str, client: httpx.AsyncClient | None = None) -> dict[str, str]:
    """The browser comes back, signed in as the administrator; the query of the list page that it lands on."""
    async with httpx.AsyncClient(timeout=20, trust_env=False) as fresh:
        if client is None:
            await sign_in(site, fresh)
        answer = await (client or fresh).get(url)
    assert answer.status_code == 303
    to = urlsplit(answer.headers["location"])
    assert to.path == "/addresses"
    return {key: values[0] for key, values in parse_qs(to.query).items()}


async def addresses(site: RunningConsole) -> dict[str, Any]:
    return {a["email"]: a for a in (await site.get("/addresses"))["items"]}


async def test_connecting_makes_an_address_that_is_not_configured_yet(
    site: RunningConsole, google: Proxy, bus: Bus
) -> None:
    before = google.emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))
    assert "connected" in await come_back(site, await consent(site, google, SHOP, import_days=7))
    address = (await addresses(site))[SHOP]
    assert (address["kind"], address["state"], address["queue_id"]) == ("gmail", "not_configured", None)

    async def published() -> Address:
        found = (await bus.latest(topics.ADDRESSES)).get(address["id"])
        assert isinstance(found, Address)
        return found

    row = await eventually(published)
    assert row.gmail.start_history_id == before["historyId"]
    assert row.gmail.import_since is not None
    assert row.gmail.secret_revision == 1
    kept = Sealer(site.settings.secret_ring()).open(row.gmail.secret, bound_to=address["id"])
    assert kept_token(kept) not in json.dumps(address)
    assert kept_token(kept) not in row.gmail.secret


async def test_the_way_back_works_once_and_only_for_a_state_of_ours(site: RunningConsole, google: Proxy) -> None:
    url = await consent(site, google, SHOP)
    assert "connected" in await come_back(site, url)
    assert "used already" in (await come_back(site, url))["oauth_error"]
    forged = url.replace("state=", "state=x")
    assert "too old or was used" in (await come_back(site, forged))["oauth_error"]
    assert (await addresses(site))[SHOP]["revision"] == 1


async def test_a_sign_in_that_a_person_began_ends_in_that_persons_browser(site: RunningConsole, google: Proxy) -> None:
    async with httpx.AsyncClient(base_url=site.api.base_url, timeout=20, trust_env=False) as browser:
        browser.headers["X-CSRF-Token"] = await sign_in(site, browser)
        stolen = await consent(site, google, SHOP, api=browser)
        async with httpx.AsyncClient(timeout=20, trust_env=False) as another:
            assert "Sign in here first" in (await come_back(site, stolen, another))["oauth_error"]
        assert SHOP not in await addresses(site)
        assert "connected" in await come_back(site, await consent(site, google, SHOP, api=browser), browser)
    assert SHOP in await addresses(site)


async def test_what_a_program_began_is_finished_by_whoever_is_signed_in_and_may(
    site: RunningConsole, google: Proxy
) -> None:
    await site.api.post("/agents", json={"email": "agent@acme.example", "password": PASSWORD})
    made = await site.root.post("/portals", json={"name": "Other", "domains": ["other.example"]})
    other = {"Authorization": f"Bearer {made.json()['api_token']}"}
    boss = {"email": "boss@other.example", "role": "administrator", "password": PASSWORD}
    assert (await site.api.post("/agents", json=boss, headers=other)).status_code == 201
    url = await consent(site, google, SHOP)
    async with httpx.AsyncClient(base_url=site.settings.url, timeout=20, trust_env=False) as stranger:
        sent_on = await stranger.get(url)
        to = urlsplit(sent_on.headers["location"])
        assert (sent_on.status_code, to.path) == (303, "/sign-in"), "a link sent to anybody connects nobody's mailbox"
        for email in ("agent@acme.example", "boss@other.example"):
            stranger.cookies.clear()
            await stranger.post("/api/v1/session", json={"email": email, "password": PASSWORD})
            assert "administrator of the portal" in (await come_back(site, url, stranger))["oauth_error"]
        assert SHOP not in await addresses(site)
        # it stays good for whose it is, who signs in and goes on where the link led
        stranger.cookies.clear()
        login = json.loads((site.settings.data / "admin-login.json").read_text())
        after = parse_qs(to.query)["next"][0]
        form = (await stranger.get(sent_on.headers["location"])).text
        csrf = form.partition('name="csrf" value="')[2].partition('"')[0]
        signed_in = await stranger.post("/sign-in", data={**login, "next": after, "csrf": csrf})
        assert signed_in.headers["location"] == after, signed_in.text[:500]
        assert "connected" in await come_back(site, f"{site.settings.url}{after}", stranger)
    address = (await addresses(site))[SHOP]
    entries = (await site.get("/audit", subject_id=address["id"]))["items"]
    assert entries[-1]["actor"]["kind"] == "agent", "and it was done in that person's name"


async def test_what_was_left_unchecked_or_refused_is_named(site: RunningConsole, google: Proxy) -> None:
    said = (await come_back(site, await consent(site, google, SHOP, without=(READ,))))["oauth_error"]
    assert "read mail from the inbox" in said
    assert "send replies" not in said
    url = await consent(site, google, SHOP)
    refused = url.partition("code=")[0] + "error=access_denied&state=" + url.partition("state=")[2]
    assert "not allowed" in (await come_back(site, refused))["oauth_error"]
    assert SHOP not in await addresses(site)


async def test_signing_in_again_reconnects_in_place_and_another_account_is_refused(
    site: RunningConsole, google: Proxy, bus: Bus
) -> None:
    await come_back(site, await consent(site, google, SHOP))
    first = (await addresses(site))[SHOP]
    queue = site.ids["queue"]
    await site.api.patch(f"/addresses/{first['id']}", json={"queue_id": queue, "full_name": "The Shop"})
    other = await come_back(site, await consent(site, google, OTHER, address_id=first["id"]))
    assert SHOP in other["oauth_error"]
    assert OTHER in other["oauth_error"]
    assert OTHER not in await addresses(site)
    await come_back(site, await consent(site, google, SHOP, address_id=first["id"]))
    await come_back(site, await consent(site, google, SHOP))  # without naming it: the same
    again = (await addresses(site))[SHOP]
    assert (again["id"], again["queue_id"], again["full_name"]) == (first["id"], queue, "The Shop")
    assert again["revision"] == first["revision"] + 3

    async def published() -> bool:
        row = (await bus.latest(topics.ADDRESSES))[first["id"]]
        assert isinstance(row, Address)
        assert row.gmail is not None
        assert row.gmail.secret_revision == 3
        return bool(row.revision == again["revision"])

    await eventually(published)


async def test_addresses_and_domains_of_others_are_refused(site: RunningConsole, google: Proxy) -> None:
    said = (await come_back(site, await consent(site, google, HOSTED)))["oauth_error"]
    assert "internal address" in said
    made = await site.root.post("/portals", json={"name": "Other", "domains": ["gmail.example"]})
    assert made.status_code == 201, made.text
    assert "belongs to another company" in (await come_back(site, await consent(site, google, SHOP)))["oauth_error"]
    headers = {"Authorization": f"Bearer {made.json()['api_token']}"}
    async with httpx.AsyncClient(base_url=site.api.base_url, headers=headers, timeout=20, trust_env=False) as api:
        changed = await api.patch("/portals/current", json={"domains": ["elsewhere.example"]})
        assert changed.status_code == 200, changed.text
        boss = {"email": "boss@elsewhere.example", "role": "administrator", "password": PASSWORD}
        assert (await api.post("/agents", json=boss)).status_code == 201
        async with httpx.AsyncClient(timeout=20, trust_env=False) as theirs:
            await theirs.post(f"{site.settings.url}/api/v1/session", json={k: boss[k] for k in ("email", "password")})
            assert "connected" in await come_back(site, await consent(site, google, SHOP, api=api), theirs)
    assert "in use by another company" in (await come_back(site, await consent(site, google, SHOP)))["oauth_error"]
    assert SHOP not in await addresses(site)


async def test_disconnecting_revokes_at_google_and_forgets(site: RunningConsole, google: Proxy, bus: Bus) -> None:
    await come_back(site, await consent(site, google, SHOP))
    address = (await addresses(site))[SHOP]
    answer = await site.api.post(f"/addresses/{address['id']}/disconnect")
    assert answer.json()["state"] == "disconnected", answer.text
    assert any(path == "/oauth2/revoke" for _, _, path in google.calls)

    async def forgotten() -> bool:
        row = (await bus.latest(topics.ADDRESSES))[address["id"]]
        return isinstance(row, Address) and row.gmail is not None and row.gmail.secret is None

    await eventually(forgotten)
    twice = await site.api.post(f"/addresses/{address['id']}/disconnect")
    assert (twice.status_code, twice.json()["code"]) == (409, "not_connected")
    await come_back(site, await consent(site, google, SHOP, address_id=address["id"]))
    assert (await addresses(site))[SHOP]["state"] == "not_configured"


async def test_without_an_oauth_client_it_says_what_to_set(start_console: Starter) -> None:
    console = await start_console(google_client_id="")
    answer = await console.api.post("/addresses/gmail/connect")
    assert (answer.status_code, answer.json()["code"]) == (503, "google_not_configured")
    assert "MAILROOM_GOOGLE_CLIENT_ID" in answer.json()["detail"]
