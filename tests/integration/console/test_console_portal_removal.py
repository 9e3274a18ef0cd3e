"""Deleting a portal on a page: with the platform's token, which is in no answer and no table afterwards."""

from __future__ import annotations

import re
from typing import Any

import httpx
from mailroom_runtime.blobs.store import BlobStore
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter
from .test_console_erasing import WORD, erasing, tables_with, told

PATH = "/platform/delete-portal"


def operator(console: RunningConsole) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=console.settings.url, timeout=20, trust_env=False)


async def sent(browser: httpx.AsyncClient, **form: str) -> httpx.Response:
    page = await browser.get(PATH)
    assert page.status_code == 200
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return await browser.post(PATH, data={"csrf": found[1], **form})


async def made(console: RunningConsole, name: str, domain: str) -> dict[str, Any]:
    answer = await console.api.post("/portals", json={"name": name, "domains": [domain]})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_platforms_token_deletes_a_portal_and_its_progress_is_shown(start_console: Starter, bus: Bus) -> None:
    first = await start_console()
    platform = first.api.headers["Authorization"].removeprefix("Bearer ")
    portal = await made(first, "Zebra Ltd", "zebra.example")
    headers = {"Authorization": f"Bearer {portal['api_token']}"}
    async with (
        operator(first) as browser,
        httpx.AsyncClient(base_url=f"{first.settings.url}/api/v1", headers=headers, timeout=20) as api,
    ):
        zebra = RunningConsole(api, first.settings, first.api, domain="zebra.example")
        zebra.ids = {"portal": portal["id"], "queue": "q", "address": "ad"}
        await told(bus, zebra, 1, "jo@zebra-customer.example", BlobStore(first.settings.blob_url))

        async def shown() -> bool:
            return len((await zebra.get("/tickets"))["items"]) == 1

        await eventually(shown, 30)
        wrong = await sent(browser, name="Zebra", token=platform)
        assert (wrong.status_code, platform in wrong.text) == (422, False)
        assert "There is no portal of exactly this name." in wrong.text
        own = await sent(browser, name="Zebra Ltd", token=portal["api_token"])
        assert (own.status_code, portal["api_token"] in own.text) == (403, False)
        async with bus.answering(zebra, erasing):
            begun = await sent(browser, name=" Zebra  Ltd ", token=f" {platform} ")
            assert begun.status_code == 303, begun.text

            async def done() -> Any:
                page = await browser.get(begun.headers["location"])
                assert page.status_code == 200
                assert ("Refresh" in page.headers) == ("under way" in page.text)
                return page if "nothing of the portal is left" in page.text else None

            page = await eventually(done, 60, what="the portal being deleted")
        assert "Zebra Ltd is deleted" in page.text
        assert (await browser.get(begun.headers["location"][:-4])).status_code == 404, (
            "whoever has no link sees nothing"
        )
        assert (await api.get("/queues")).status_code == 401
    database = first.settings.data / "console.db"
    for word in (WORD, "zebra-customer", platform):
        assert tables_with(word, database) == [], word


async def test_wrong_tokens_are_told_and_soon_have_to_wait(start_console: Starter) -> None:
    console = await start_console(login_tries=3)
    portal = await made(console, "Zebra Ltd", "zebra.example")
    async with operator(console) as browser:
        without = await browser.post(PATH, data={"name": "Zebra Ltd", "token": "mr_x"})
        assert without.status_code == 403, "no CSRF token"
        for number in range(3):
            answer = await sent(browser, name="Zebra Ltd", token=f"mr_guess{number}")
            assert answer.status_code == 401
            assert "This token is not valid." in answer.text
        platform = console.api.headers["Authorization"].removeprefix("Bearer ")
        blocked = await sent(browser, name="Zebra Ltd", token=platform)
        assert blocked.status_code == 429
        assert int(blocked.headers["Retry-After"]) > 0
    assert (await console.get("/erasures"))["items"] == []
    assert portal["id"]


async def test_of_two_portals_of_one_name_the_one_that_was_chosen_goes(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    platform = console.api.headers["Authorization"].removeprefix("Bearer ")
    kept, gone = await made(console, "Twin", "one.example"), await made(console, "Twin", "two.example")
    async with operator(console) as browser:
        asked = await sent(browser, name="Twin", token=platform)
        assert asked.status_code == 422
        assert "two.example" in asked.text
        assert (await sent(browser, name="Twin", token=platform, portal="no such")).status_code == 422
        begun = await sent(browser, name="Twin", token=platform, portal=gone["id"])
        assert begun.status_code == 303

        async def done() -> bool:
            return "nothing of the portal is left" in (await browser.get(begun.headers["location"])).text

        await eventually(done, 60, what="the portal being deleted")
        own = await sent(browser, name="Acme", token=platform)
        assert own.status_code == 409
        assert "Use the token of another one." in own.text
    for portal, status in ((kept, 200), (gone, 401)):
        headers = {"Authorization": f"Bearer {portal['api_token']}"}
        assert (await console.api.get("/queues", headers=headers)).status_code == status
