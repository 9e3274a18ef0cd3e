"""What the frame of every service offers beside running it."""

from __future__ import annotations

import asyncio
import json

import pytest
from mailroom_runtime.logs import configure
from mailroom_runtime.service import show_tasks


async def test_tasks_tell_where_they_wait(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")

    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    task = asyncio.create_task(outer(), name="stuck")
    await asyncio.sleep(0)
    show_tasks()
    await asyncio.sleep(0)
    task.cancel()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (stuck,) = [line for line in lines if line["event"] == "task.waits" and line["task"] == "stuck"]
    assert [place.split(":")[0].rpartition(".")[2] for place in stuck["where"]][:3] == ["outer", "inner", "wait"]
