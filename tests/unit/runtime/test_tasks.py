"""Tasks end when they are told to, even those that lost the first word."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from mailroom_runtime.process import tasks
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import aside, end, lasting, together
from structlog.testing import capture_logs
from support.waiting import eventually


async def for_ever() -> None:
    while True:
        await asyncio.sleep(3600)


async def loses_the_first(lost: list[int]) -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if lost:
                raise
            lost.append(1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.02)


async def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    lost: list[int] = []
    stubborn, plain = asyncio.create_task(loses_the_first(lost)), asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(stubborn, plain), 5)
    assert lost
    assert stubborn.cancelled()
    assert plain.cancelled()


async def test_what_ended_before_is_left_as_it_is() -> None:
    async def fails() -> None:
        raise ValueError("no")

    failed, done = asyncio.create_task(fails()), asyncio.create_task(asyncio.sleep(0))
    with contextlib.suppress(ValueError):
        await failed
    await done
    await end(failed, done)
    assert isinstance(failed.exception(), ValueError)
    assert not done.cancelled()


async def test_together_raises_what_failed_and_ends_the_rest() -> None:
    lost: list[int] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await asyncio.wait_for(together(loses_the_first(lost), fails()), 5)
    assert lost


async def test_together_ends_when_all_have_ended() -> None:
    done: list[int] = []

    async def works(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    await together(works(1), works(2))
    assert done == [1, 2]


async def test_together_is_cancelled_as_one() -> None:
    lost: list[int] = []
    both = asyncio.create_task(together(loses_the_first(lost), for_ever()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(end(both), 5)
    assert both.cancelled()
    assert lost


async def test_a_lasting_task_that_dies_ends_the_service_which_names_it() -> None:
    service = Service("test", ServiceSettings(health_port=0))

    async def app(_: Service[ServiceSettings]) -> None:
        async def dies() -> None:
            raise ValueError("boom")

        lasting(dies, "the-one")
        await service.stopping.wait()

    with capture_logs() as logs:
        assert await asyncio.wait_for(service.run(app), 20) == 1
    assert logs[-1]["event"] == "service.failed"
    assert (logs[-1]["task"], logs[-1]["reason"]) == ("the-one", "ValueError: boom")


async def test_a_fault_of_the_app_itself_is_said_too() -> None:
    async def app(_: Service[ServiceSettings]) -> None:
        raise LookupError("gone")

    with capture_logs() as logs:
        assert await asyncio.wait_for(Service("test", ServiceSettings(health_port=0)).run(app), 20) == 1
    assert logs[-1]["event"] == "service.failed"
    assert logs[-1]["reason"] == "LookupError: gone"


async def test_a_task_that_begins_anew_goes_on_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PAUSE_S", 0.01)
    begun: list[int] = []

    async def fails_at_first() -> None:
        begun.append(1)
        if len(begun) < 4:
            raise ValueError("boom")
        await for_ever()

    with capture_logs() as logs:
        task = lasting(fails_at_first, "reader", again=True)
        await eventually(lambda: len(begun) == 4)
        assert not task.done()
        await end(task)
    assert [line["task"] for line in logs if line["event"] == "task.begins_anew"] == ["reader"] * 3


async def test_a_lasting_task_that_is_ended_is_no_death() -> None:
    with capture_logs() as logs:
        both = [lasting(for_ever, "a"), lasting(for_ever, "b", again=True)]
        await asyncio.sleep(0)
        await end(*both)
    assert logs == []


async def test_what_goes_wrong_aside_is_logged() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with capture_logs() as logs:
        task = aside(fails(), "look")
        await eventually(task.done)
        await asyncio.sleep(0)
    assert [line["event"] for line in logs] == ["task.died"]
