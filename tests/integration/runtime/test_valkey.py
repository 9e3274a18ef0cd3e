"""Commands that share a round trip: each has its own answer or error."""

from __future__ import annotations

import asyncio

import pytest
from mailroom_runtime.redis.valkey import REDIS_DOWN, Shared, connect
from redis.exceptions import ResponseError
from support.processes import free_port
from support.servers import ValkeyServer


async def test_each_command_has_its_own_answer(valkey: ValkeyServer) -> None:
    client = connect(valkey.url)
    shared = Shared(client)
    before = (await client.info("stats"))["total_reads_processed"]
    answers = await asyncio.gather(
        *(shared.execute("SET", f"shared:{n}", n, "EX", 60) for n in range(50)),
        shared.execute("LPUSH", "shared:1", "x"),
        *(shared.execute("GET", f"shared:{n}") for n in range(50)),
        return_exceptions=True,
    )
    assert answers[:50] == [True] * 50 or answers[:50] == ["OK"] * 50
    assert isinstance(answers[50], ResponseError)
    assert answers[51:] == [str(n) for n in range(50)]
    assert (await client.info("stats"))["total_reads_processed"] - before < 10
    assert await shared.execute("GET", "shared:7") == "7"
    await client.aclose()


async def test_scripts_are_loaded_when_they_are_not_there(valkey: ValkeyServer) -> None:
    client = connect(valkey.url)
    shared = Shared(client)
    await client.script_flush()
    text = "return {KEYS[1], ARGV[1]}"
    assert await asyncio.gather(*(shared.script(text, ["k"], [n]) for n in range(3))) == [
        ["k", "0"], ["k", "1"], ["k", "2"],
    ]  # fmt: skip
    await client.aclose()


async def test_without_redis_all_fail_and_later_ones_are_tried_again() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2)
    shared = Shared(client)
    for _ in range(2):
        answers = await asyncio.gather(*(shared.execute("GET", "x") for _ in range(3)), return_exceptions=True)
        assert all(isinstance(answer, REDIS_DOWN) for answer in answers)
    with pytest.raises(REDIS_DOWN):
        await shared.script("return 1", [], [])
    await client.aclose()


async def test_an_unexpected_error_reaches_who_waits_and_the_next_command_works(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(valkey.url)
    shared = Shared(client)
    whole = client.pipeline

    def broken(**_: object) -> None:
        raise RuntimeError("a fault of the library's")

    monkeypatch.setattr(client, "pipeline", broken)
    answers = await asyncio.wait_for(
        asyncio.gather(*(shared.execute("GET", "x") for _ in range(3)), return_exceptions=True), 5
    )
    assert all(isinstance(answer, RuntimeError) for answer in answers)
    monkeypatch.setattr(client, "pipeline", whole)
    assert await asyncio.wait_for(shared.execute("SET", "x", "1"), 5)
    await client.aclose()
