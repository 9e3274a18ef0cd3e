"""What waits for company in a partition of the second step, and what does not."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from mailroom_contracts import Topic, topics
from mailroom_router import partition as module
from mailroom_router.batch import Raw
from mailroom_router.partition import Partition, Shared
from mailroom_router.settings import RouterSettings


class _Shared:
    settings = RouterSettings(_env_file=None)  # type: ignore[call-arg]


def _partition() -> Partition:
    return Partition(0, cast(Shared, _Shared()))


def _raw(topic: Topic, kind: str = "") -> Raw:
    headers = [("ce_type", kind.encode())] if kind else []
    return Raw(topic, 0, 0, b"k", b"{}", headers)


async def _waits(partition: Partition) -> asyncio.Task[Any]:
    """A started `_gather`, after every step that needs no time."""
    task = asyncio.create_task(partition._gather())
    for _ in range(10):
        await asyncio.sleep(0)
    return task


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENT_S", 60.0)


@pytest.mark.usefixtures("patience")
async def test_reports_and_automatic_replies_wait_until_a_mail_takes_them_along() -> None:
    partition = _partition()
    partition.feed([_raw(topics.EMAIL_DELIVERY), _raw(topics.TICKET_COMMANDS, "ticket.auto_reply")])
    task = await _waits(partition)
    assert not task.done()
    partition.feed([_raw(topics.EMAIL_ROUTED)])
    async with asyncio.timeout(5):
        await task


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(
    "raw", [_raw(topics.EMAIL_ROUTED), _raw(topics.TICKET_COMMANDS, "ticket.reply"), _raw(topics.TICKET_COMMANDS)]
)
async def test_mail_and_what_people_ask_for_do_not_wait(raw: Raw) -> None:
    partition = _partition()
    partition.feed([raw])
    assert (await _waits(partition)).done()


async def test_nothing_waits_for_ever_and_a_hand_over_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENT_S", 0.01)
    partition = _partition()
    partition.feed([_raw(topics.EMAIL_DELIVERY)])
    async with asyncio.timeout(5):
        await partition._gather()
    monkeypatch.setattr(module, "PATIENT_S", 60.0)
    task = await _waits(partition)
    assert not task.done()
    partition.hand_over()
    async with asyncio.timeout(5):
        await task
