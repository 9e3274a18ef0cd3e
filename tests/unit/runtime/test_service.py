"""What the frame of every service offers beside running it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from mailroom_runtime.process.logs import configure
from mailroom_runtime.process.service import show_tasks
from support.processes import Process
from support.waiting import wait_until


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


STUCK = """
import threading
from mailroom_runtime import launch
from mailroom_runtime.process.settings import ServiceSettings

async def app(service):
    threading.Thread(target=threading.Event().wait, name="never-ends").start()
    await service.stopping.wait()

launch.FORCED_S = 0.5
launch.run("stuck", ServiceSettings, app)
"""


def test_a_process_that_does_not_end_is_ended_and_tells_where_it_was(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", STUCK], tmp_path / "log", {"MAILROOM_DRAIN_S": "0.5"})
    process.launch()
    wait_until(lambda: "service.started" in process.output(), 60)  # the machine may be busy
    assert process.terminate(10) == 1
    assert "service.stopped" in process.output(), "it was through with its work"
    assert "in wait" in process.output(), process.output()
