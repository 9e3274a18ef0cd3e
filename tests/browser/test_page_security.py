"""Every page route, from the registry itself: without session, with another role, another portal, without the token."""

from __future__ import annotations

import secrets

import httpx
import pytest
from mailroom_console.pages.frame.visit import Page
from mailroom_console.pages.mounting import all_pages

from browser.standing_stack import Agent, StandingStack

pytestmark = pytest.mark.timeout(240)
PAGES = all_pages()
ROUTES = [pytest.param(page, id=f"{page.method} {page.path}") for page in PAGES]


def _client(site: StandingStack) -> httpx.Client:
    return httpx.Client(base_url=site.url, follow_redirects=False, timeout=30)


def _signed_in(site: StandingStack, email: str, password: str) -> tuple[httpx.Client, str]:
    """A client with a session, and its CSRF token."""
    client = _client(site)
    token = _token(client.get("/sign-in").text)
    answer = client.post("/sign-in", data={"csrf": token, "email": email, "password": password})
    assert answer.status_code == 303, answer.text
    return client, _token(client.get("/account").text)


def _token(page: str) -> str:
    return page.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.fixture(scope="module")
def things(site: StandingStack) -> dict[str, str]:
    """Ids of real things of the portal, to fill the paths with."""
    tag = secrets.token_hex(3)
    site.write(f"Secret {tag}", "confidential", to="support@acme.example", html="<p>confidential</p>")
    ticket = site.ticket(f"Secret {tag}")
    address = site.add_internal(f"sec-{tag}")
    return {"ticket": ticket["id"], "message": ticket["messages"][0]["id"], "address": address["id"],
            "queue": site.queue()["id"], "agent": site.call("GET", "/agents")["items"][0]["id"],
            "token": site.call("GET", "/tokens")["items"][0]["id"]}  # fmt: skip


@pytest.fixture(scope="module")
def agent(site: StandingStack) -> tuple[httpx.Client, str]:
    """An agent who works in no queue."""
    made: Agent = site.add_agent("Nora")
    return _signed_in(site, made.email, made.password)


@pytest.fixture(scope="module")
def administrator(site: StandingStack) -> tuple[httpx.Client, str]:
    """The portal's administrator, who stays signed in."""
    return _signed_in(site, site.email, site.password)


@pytest.fixture(scope="module")
def token_of_nobody(site: StandingStack) -> str:
    """A token that belongs to a browser of which nobody is signed in."""
    return _token(_client(site).get("/sign-in").text)


@pytest.fixture(scope="module")
def stranger(site: StandingStack) -> tuple[httpx.Client, str]:
    """An administrator of another portal."""
    tag = secrets.token_hex(3)
    portal = site.call("POST", "/portals", 201, name=f"Other {tag}", domains=[f"{tag}.example"])
    other = httpx.Client(base_url=f"{site.url}/api/v1", headers={"Authorization": f"Bearer {portal['api_token']}"})
    email, password = f"boss@{tag}.example", f"quite long {tag}"
    answer = other.post("/agents", json={"email": email, "name": "Boss", "role": "administrator", "password": password})
    assert answer.status_code == 201, answer.text
    return _signed_in(site, email, password)


def path_of(page: Page, things: dict[str, str]) -> str:
    """The route's path with real ids in it."""
    kind = {"tickets": "ticket", "messages": "message", "addresses": "address", "queues": "queue", "agents": "agent",
            "tokens": "token", "activity": "dead"}.get(page.path.split("/")[1], "")  # fmt: skip
    path = page.path.replace("{id}", things.get(kind, "1")).replace("{message}", things["message"])
    return path.replace("{index}", "0").replace("{kind}", "internal")


@pytest.mark.parametrize("page", ROUTES)
def test_without_a_session(site: StandingStack, things: dict[str, str], page: Page) -> None:
    with _client(site) as client:
        answer = client.request(page.method, path_of(page, things), data={} if page.method == "POST" else None)
    assert "confidential" not in answer.text
    if page.scope is None:
        assert answer.status_code in (200, 403, 404)
    elif page.quick:
        assert answer.status_code == 401
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("page", [p for p in ROUTES if p.values[0].method == "POST"])  # type: ignore[union-attr]
def test_without_the_token(
    things: dict[str, str], agent: tuple[httpx.Client, str], administrator: tuple[httpx.Client, str],
    token_of_nobody: str, page: Page,
) -> None:  # fmt: skip
    client, token = agent if page.scope in ("read", "tickets") else administrator
    path = path_of(page, things)
    for data in (
        {},
        {"csrf": ""},
        {"csrf": secrets.token_urlsafe(32)},
        {"csrf": token_of_nobody},
    ):
        answer = client.post(path, data=data)
        assert answer.status_code == 403, (path, data, answer.status_code)
    other_site = client.post(path, data={"csrf": token}, headers={"Sec-Fetch-Site": "cross-site"})
    assert other_site.status_code == 403
    # what was asked for did not happen
    assert client.get("/account").status_code == 200


@pytest.mark.parametrize("page", [p for p in ROUTES if p.values[0].scope in ("config", "admin")])  # type: ignore[union-attr]
def test_with_another_role(things: dict[str, str], agent: tuple[httpx.Client, str], page: Page) -> None:
    client, token = agent
    answer = client.request(page.method, path_of(page, things), data={"csrf": token} if page.method == "POST" else None)
    assert answer.status_code == 403
    assert "confidential" not in answer.text


@pytest.mark.parametrize("page", [p for p in ROUTES if "{id}" in p.values[0].path])  # type: ignore[union-attr]
def test_with_another_portals_session(things: dict[str, str], stranger: tuple[httpx.Client, str], page: Page) -> None:
    client, token = stranger
    given = {"csrf": token, "text": "x", "status": "closed", "name": "x", "email": "x@y.example", "revision": "1"}
    answer = client.request(page.method, path_of(page, things), data=given if page.method == "POST" else None)
    assert answer.status_code == 404, answer.text[:300]
    assert "confidential" not in answer.text


def test_lists_of_another_portal_are_empty(
    site: StandingStack, things: dict[str, str], stranger: tuple[httpx.Client, str]
) -> None:
    client, _ = stranger
    for path in ("/tickets", "/tickets?view=all", "/tickets?q=confidential", "/addresses", "/queues", "/audit", "/tokens",
                 "/activity/outbound", "/activity/dead", "/activity/bounces", f"/tickets?queue={things['queue']}"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "support@acme.example" not in answer.text, path
        assert things["ticket"] not in answer.text, path


def test_an_agent_sees_only_tickets_of_the_own_queues(things: dict[str, str], agent: tuple[httpx.Client, str]) -> None:
    client, token = agent
    assert things["ticket"] not in client.get("/tickets?view=all").text
    assert client.get(f"/tickets/{things['ticket']}").status_code == 404
    for part in ("frame", "raw", "text", "attachments/0"):
        assert client.get(f"/messages/{things['message']}/{part}").status_code == 404
    posted = client.post(f"/tickets/{things['ticket']}/note", data={"csrf": token, "text": "x"})
    assert posted.status_code == 404


def test_strict_headers_everywhere(things: dict[str, str], administrator: tuple[httpx.Client, str]) -> None:
    client, _ = administrator
    for page in PAGES:
        if page.method != "GET" or page.path == "/live":
            continue
        headers = client.get(path_of(page, things)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy or "script-src" not in policy, "script only from files of ours"
        if "frame" in page.path:
            assert "frame-ancestors 'self'" in policy
            assert "sandbox" in policy
            assert "allow-scripts" not in policy
        else:
            assert "unsafe-inline" not in policy, page.path
            assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    cookie = next(c for c in client.cookies.jar if c.name == "mailroom_session")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite", "").lower() == "lax"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)",
               "/%0d%0aLocation:%20https://evil.example", "http:/evil.example", "\\\\evil.example", "/sign-out"],
)  # fmt: skip
def test_no_open_redirect(site: StandingStack, target: str) -> None:
    client = _client(site)
    token = _token(client.get("/sign-in", params={"next": target}).text)
    given = {"csrf": token, "email": site.email, "password": site.password, "next": target}
    answer = client.post("/sign-in", data=given)
    assert answer.status_code == 303
    there = answer.headers["location"]
    assert there.startswith("/")
    assert not there.startswith(("//", "/\\"))
    assert "evil.example" not in there.partition("%0d")[0]


def test_where_one_wanted_to_go_is_kept(site: StandingStack) -> None:
    client = _client(site)
    answer = client.get("/tickets?view=failed")
    assert answer.headers["location"] == "/sign-in?next=%2Ftickets%3Fview%3Dfailed"
    token = _token(client.get(answer.headers["location"]).text)
    given = {"csrf": token, "email": site.email, "password": site.password, "next": "/tickets?view=failed"}
    assert client.post("/sign-in", data=given).headers["location"] == "/tickets?view=failed"


@pytest.mark.parametrize("field", ["cc", "bcc"])
def test_no_header_injection_through_a_reply(
    things: dict[str, str], administrator: tuple[httpx.Client, str], field: str
) -> None:
    client, token = administrator
    for evil in ("a@b.example\r\nBcc: all@evil.example", "a@b.example\nX-Evil: 1", "x\x00@b.example", "nobody", "<>"):
        given = {"csrf": token, "text": "Hello", field: evil, "key": secrets.token_hex(8)}
        answer = client.post(f"/tickets/{things['ticket']}/reply", data=given)
        # receive_only comes first on this ticket; what matters is that nothing is accepted
        assert answer.status_code in (409, 422)


def test_wrong_passwords_are_slowed_down(site: StandingStack) -> None:
    client = _client(site)
    token = _token(client.get("/sign-in").text)
    email = f"nobody-{secrets.token_hex(4)}@acme.example"
    statuses = [
        client.post("/sign-in", data={"csrf": token, "email": email, "password": f"wrong {n}"}).status_code
        for n in range(10)
    ]
    assert statuses[0] == 401
    assert statuses[-1] == 429
