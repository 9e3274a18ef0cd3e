"""What `mailroom topics create` does where Kafka is slow to tell of what it made."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from mailroom_runtime.bus import kafka, topic_admin


class Slow:
    """A consumer whose broker tells of the topic when it was asked so often."""

    def __init__(self, after: float) -> None:
        self.left = after

    async def asked(self, *_: Any) -> set[int]:
        self.left -= 1
        return set() if self.left > 0 else {1, 0}


async def _found(after: float, wait_s: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    broker = Slow(after)
    monkeypatch.setattr(kafka, "all_partitions", broker.asked)
    monkeypatch.setattr(topic_admin, "BROKERS_TELL_S", wait_s)
    return await topic_admin._there(cast(AIOKafkaConsumer, broker), "m.email.received.v1")


async def test_a_new_topic_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _found(3, 60, monkeypatch) == [0, 1]


async def test_a_group_without_offsets_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaError, match=r"no broker tells of m\.email\.received\.v1"):
        await _found(float("inf"), 0.05, monkeypatch)
