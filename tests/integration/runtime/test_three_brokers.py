"""On three brokers: topics get three copies of which two must have a record, and what drifted is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from mailroom_contracts import topics
from mailroom_runtime.bus import cluster, topic_admin
from mailroom_runtime.process.settings import ServiceSettings
from support.second_broker import SecondBroker
from support.servers import KafkaServer
from support.waiting import eventually


@pytest.fixture
def three(kafka_server: KafkaServer, tmp_path: Path) -> Iterator[KafkaServer]:
    further = [SecondBroker(kafka_server.broker, tmp_path / f"broker-{node}", node) for node in (2, 3)]
    try:
        for server in further:
            server.start()
        yield kafka_server
    finally:
        for server in further:
            server.kill()


@pytest.mark.slow
async def test_topics_have_three_copies_and_drift_is_told(three: KafkaServer) -> None:
    settings = ServiceSettings(kafka=three.bootstrap, topic_prefix="three", partitions=2)
    admin = AIOKafkaAdminClient(bootstrap_servers=three.bootstrap)
    await admin.start()
    try:

        async def brokers() -> bool:
            return (await cluster.look(admin, settings)).brokers == 3

        await eventually(brokers, 20, what="three brokers in the cluster")
        thin = topics.TICKETS.full_name("three")
        await admin.create_topics([NewTopic(thin, 2, 1, topic_configs=topics.TICKETS.configs())])
        report = await topic_admin.create(settings)
        described = {t["topic"]: t for t in await admin.describe_topics(report.created)}
        assert {len(p["replicas"]) for t in described.values() for p in t["partitions"]} == {3}
        assert report.drift == [f"{thin}: 1 of 3 copies", f"{thin}: min.insync.replicas is 1, wanted 2"]
        looked = await cluster.look(admin, settings)
        assert [said.split(" copies")[0] for said in looked.problems(settings.inline_limit_bytes)] == [
            "__consumer_offsets has 1 of 3"
        ]
        with pytest.raises(ValueError, match="need 4 brokers; 3 answer"):
            await topic_admin.create(settings, replication=4)
    finally:
        await admin.close()
