"""What fails while a consumer is given partitions, or gives them up, reaches whoever reads, on a real Kafka."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import topics as known
from mailroom_runtime.bus.rebalances import Rebalances
from support.processes import REPOSITORY
from support.waiting import eventually


@pytest.mark.parametrize("fails", ["given", "taken"])
async def test_what_fails_in_a_rebalance_is_raised_where_is_read(fails: str, kafka: str, topics: str) -> None:
    async def told(event: str, partitions: set[TopicPartition]) -> None:
        if partitions and event == fails:
            raise ArithmeticError(event)

    rebalances = Rebalances(lambda some: told("given", some), lambda some: told("taken", some))
    names = [topic.full_name(topics) for topic in (known.ADDRESSES, known.QUEUES)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=f"{topics}.rebalances", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.subscribe(names[:1], listener=rebalances)

        async def failed() -> bool:
            await consumer.getmany(timeout_ms=50)
            if consumer.assignment() and fails == "taken":
                consumer.subscribe(names, listener=rebalances)  # the group begins anew, without the partitions
            return rebalances.failure is not None

        await eventually(failed, 30)
    finally:
        await consumer.stop()
    with pytest.raises(ArithmeticError, match=fails):
        rebalances.check()


def test_nobody_listens_to_rebalances_in_another_way() -> None:
    """aiokafka would swallow what such a listener raises."""
    found = {
        path.name
        for folder in ("services", "shared")
        for path in (REPOSITORY / folder).rglob("*.py")
        if "ConsumerRebalanceListener" in path.read_text()
    }
    assert found == {"rebalances.py"}
