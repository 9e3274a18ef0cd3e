"""Sign-in: cookies, wrong passwords and waiting, links that set a password, changing it."""

from __future__ import annotations

import json

import httpx
from support.waiting import eventually

from .conftest import RunningConsole, Starter

PASSWORD = "correct horse battery"


def _client(console: RunningConsole) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=console.api.base_url, timeout=20, trust_env=False)


async def test_the_administrator_of_the_file_signs_in_and_out(start_console: Starter) -> None:
    console = await start_console()
    login = json.loads((console.settings.data / "admin-login.json").read_text())
    async with _client(console) as browser:
        answer = await browser.post("/session", json=login)
        assert (answer.status_code, answer.json()["role"]) == (200, "administrator")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie  # the console is reached by http here
        assert (await browser.get("/me")).json()["email"] == login["email"]
        gone = await browser.delete("/session", headers={"X-CSRF-Token": answer.json()["csrf_token"]})
        assert gone.status_code == 204
        browser.cookies.set("mailroom_session", answer.cookies["mailroom_session"])
        assert (await browser.get("/me")).status_code == 401


async def test_an_invitation_sets_a_password_once(console: RunningConsole) -> None:
    made = (await console.api.post("/agents", json={"email": console.at("ben")})).json()
    token = made["invite_url"].partition("token=")[2]
    async with _client(console) as browser:
        weak = await browser.post("/invitation", json={"token": token, "password": "short"})
        assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
        accepted = await browser.post("/invitation", json={"token": token, "password": PASSWORD})
        assert accepted.status_code == 200
        assert (await browser.get("/me")).json()["email"] == console.at("ben")
        again = await browser.post("/invitation", json={"token": token, "password": PASSWORD + "2"})
        assert (again.status_code, again.json()["code"]) == (404, "link_ended")
        signed = await browser.post("/session", json={"email": console.at("Ben"), "password": PASSWORD})
        assert signed.status_code == 200


async def test_changing_the_password_ends_other_sessions(console: RunningConsole) -> None:
    await console.api.post("/agents", json={"email": console.at("ben"), "password": PASSWORD})
    async with _client(console) as one, _client(console) as two:
        first = (await one.post("/session", json={"email": console.at("ben"), "password": PASSWORD})).json()
        await two.post("/session", json={"email": console.at("ben"), "password": PASSWORD})
        headers = {"X-CSRF-Token": first["csrf_token"]}
        wrong = await one.post("/password", json={"old": "no", "new": "another long one"}, headers=headers)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
        done = await one.post("/password", json={"old": PASSWORD, "new": "another long one"}, headers=headers)
        assert done.status_code == 204
        assert (await one.get("/me")).status_code == 200
        assert (await two.get("/me")).status_code == 401


async def test_wrong_passwords_make_wait_whoever_tries(start_console: Starter) -> None:
    console = await start_console(login_tries=3, login_wait_s=3)
    await console.api.post("/agents", json={"email": console.at("ben"), "password": PASSWORD})
    async with _client(console) as browser:
        for _ in range(3):
            wrong = await browser.post("/session", json={"email": console.at("ben"), "password": "wrong"})
            assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_login")
        blocked = await browser.post("/session", json={"email": console.at("ben"), "password": PASSWORD})
        assert (blocked.status_code, blocked.json()["code"]) == (429, "too_many_tries")
        assert 0 < int(blocked.headers["retry-after"]) <= 4
        nobody = await browser.post("/session", json={"email": console.at("nobody"), "password": "wrong"})
        assert nobody.json()["code"] == "wrong_login"  # nothing tells who is known

        async def in_again() -> bool:
            answer = await browser.post("/session", json={"email": console.at("ben"), "password": PASSWORD})
            return answer.status_code == 200

        await eventually(in_again, 10, every=0.5)


async def test_a_disabled_agent_is_out_at_once(console: RunningConsole) -> None:
    ben = (await console.api.post("/agents", json={"email": console.at("ben"), "password": PASSWORD})).json()
    async with _client(console) as browser:
        await browser.post("/session", json={"email": console.at("ben"), "password": PASSWORD})
        assert (await browser.get("/me")).status_code == 200
        await console.api.patch(f"/agents/{ben['id']}", json={"active": False})
        assert (await browser.get("/me")).status_code == 401
        answer = await browser.post("/session", json={"email": console.at("ben"), "password": PASSWORD})
        assert answer.status_code == 401


async def test_the_audit_trail_says_who_did_what_without_secrets(console: RunningConsole) -> None:
    await console.api.post("/agents", json={"email": console.at("ben"), "password": PASSWORD})
    await console.api.patch(f"/addresses/{console.ids['address']}", json={"full_name": "Help"})
    trail = (await console.get("/audit"))["items"]
    assert [(e["action"], e["actor"]["kind"]) for e in trail[:2]] == [
        ("address.changed", "api"), ("agent.created", "api"),
    ]  # fmt: skip
    assert trail[0]["changes"] == {"full_name": ["Acme Support", "Help"]}
    text = json.dumps(trail)
    assert PASSWORD not in text
    assert "argon2" not in text
