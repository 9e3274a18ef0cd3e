"""Logs hide secrets, and a storm of the same line is cut."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from mailroom_runtime.process.logs import RateLimit, configure, get_logger


def test_secrets_are_hidden_by_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")
    get_logger().info("address.checked", password="hunter2", refresh_token="hunter2", secret_revision=3, address_id="a")
    line = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    assert line["event"] == "address.checked"
    assert line["password"] == line["refresh_token"] == "(hidden)"
    assert line["secret_revision"] == 3
    assert line["service"] == "test"


def test_lines_of_one_turn_of_the_loop_are_written_together_and_none_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("test")
    log = get_logger()

    async def work() -> None:
        log.info("one")
        log.info("two")
        assert capsys.readouterr().err == ""
        await asyncio.sleep(0)
        assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["one", "two"]
        log.info("three")
        await asyncio.to_thread(log.info, "four")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(work())
    loop.run_until_complete(asyncio.sleep(0, log.info("five")))
    loop.close()
    log.info("six")
    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert events == ["three", "four", "five", "six"]


def test_a_storm_of_one_message_is_cut() -> None:
    limit = RateLimit(burst=5, window_s=60)
    record = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, "Unable connect to node with id %s", (1,), None)
    assert sum(limit.filter(record) for _ in range(1000)) == 5
    other = logging.LogRecord("aiokafka", logging.ERROR, "f", 1, "something else", (), None)
    assert limit.filter(other)
