"""On SQLite there is one console; the platform's token is what the platform says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mailroom_console.storage.only_copy import OnlyCopy, SecondCopy
from mailroom_runtime.process.tasks import end
from mailroom_runtime.redis.valkey import connect
from support.servers import ValkeyServer

from .conftest import Starter, _client

FIRST, SECOND = "mr_" + "a" * 40, "mr_" + "b" * 40


async def test_a_second_console_with_a_database_of_its_own_is_refused(valkey: ValkeyServer, tmp_path: Path) -> None:
    client = connect(valkey.url)
    first, second = (OnlyCopy(client, "t", str(tmp_path / n / "console.db"), lease_s=0.6) for n in ("a", "b"))
    await first.take()
    holding = asyncio.create_task(first.hold())
    with pytest.raises(SecondCopy, match="PostgreSQL"):
        await second.take()
    assert not holding.done()
    await second.give_back()  # which it does not have: the first one's place is untouched
    with pytest.raises(SecondCopy):
        await second.take()
    await end(holding)
    await second.give_back()
    await second.take()  # the lease of one that was killed runs out
    with pytest.raises(SecondCopy, match="took this one's place"):
        await first.hold()
    await client.aclose()


async def test_a_second_process_on_the_same_database_is_refused_and_a_restart_is_not(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    client, path = connect(valkey.url), str(tmp_path / "console.db")
    first = OnlyCopy(client, "t", path, lease_s=60)
    await first.take()
    with pytest.raises(SecondCopy, match=r"has .* open"):
        await OnlyCopy(client, "t", path, lease_s=60).take()
    first._lock.close()  # type: ignore[union-attr]  # as kill -9 does; the lease stays
    await asyncio.wait_for(OnlyCopy(client, "t", path, lease_s=60).take(), 5)
    await client.aclose()


async def test_without_redis_it_starts_and_finds_out_later(valkey: ValkeyServer, tmp_path: Path) -> None:
    client = connect(valkey.url, timeout_s=0.2)
    first, second = (OnlyCopy(client, "t", str(tmp_path / n / "console.db"), lease_s=0.6) for n in ("a", "b"))
    valkey.stop()
    await first.take()
    await second.take()
    valkey.start()
    with pytest.raises(SecondCopy):
        await asyncio.wait_for(asyncio.gather(first.hold(), second.hold()), 10)
    await client.aclose()


async def test_the_platforms_token_is_valid_from_the_start_and_ends_when_another_is_set(start_console: Starter) -> None:
    console = await start_console(platform_token=FIRST)
    assert (await _client(console.settings, FIRST).get("/portals")).status_code == 200
    await console.stop()
    console = await start_console(platform_token=SECOND)
    listed = (await _client(console.settings, SECOND).get("/tokens")).json()["items"]
    assert [t["scopes"] for t in listed if t["hint"].startswith("mr_bbbb")] == [
        ["read", "tickets", "config", "admin", "platform"]
    ]
    assert not [t for t in listed if t["hint"].startswith("mr_aaaa")]
    assert (await _client(console.settings, FIRST).get("/portals")).status_code == 401
    await console.stop()
    console = await start_console(platform_token=SECOND)  # and a restart changes nothing
    again = (await _client(console.settings, SECOND).get("/tokens")).json()["items"]
    assert {t["id"] for t in again} == {t["id"] for t in listed}
