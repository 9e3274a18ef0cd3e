"""The pages that ask before deleting: what it means, why it cannot be, and where it leads."""

from __future__ import annotations

import httpx

from .conftest import RunningConsole

PASSWORD = "correct horse battery"


async def test_asking_refusing_and_deleting(console: RunningConsole) -> None:
    made = {"email": console.at("boss"), "password": PASSWORD, "role": "administrator"}
    assert (await console.api.post("/agents", json=made)).status_code == 201
    agent = (await console.api.post("/agents", json={"email": console.at("ben"), "name": "Ben"})).json()
    empty = (await console.api.post("/queues", json={"name": "Empty"})).json()
    site = str(console.api.base_url).removesuffix("/").removesuffix("/api/v1")
    async with httpx.AsyncClient(base_url=site, timeout=20, trust_env=False) as browser:
        signed = await browser.post("/api/v1/session", json=made)
        form = {"csrf": signed.json()["csrf_token"]}
        for path, name, kind in (
            (f"/agents/{agent['id']}", "Ben", "agent"), (f"/queues/{empty['id']}", "Empty", "queue"),
            (f"/addresses/{console.ids['address']}", console.at("support"), "address"),
        ):  # fmt: skip
            asked = await browser.get(f"{path}/delete")
            assert asked.status_code == 200
            for told in (f"<h1>Delete {name}?</h1>", f"Delete the {kind}", "Keep it", f'action="{path}/delete"'):
                assert told in asked.text, (path, told)
        used = f"/queues/{console.ids['queue']}/delete"
        refused = await browser.post(used, data=form)
        assert refused.status_code == 409
        assert f"The queue is used by {console.at('support')}" in refused.text
        assert "Delete the queue" not in refused.text
        for path in (f"/agents/{agent['id']}", f"/queues/{empty['id']}"):
            gone = await browser.post(f"{path}/delete", data=form)
            assert (gone.status_code, gone.headers["location"]) == (303, "/queues")
            assert (await console.api.get(path)).status_code == 404
