"""Every way into a secured Kafka, against the real broker: who may, gets on; who may not, is told and gets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mailroom_contracts import Actor, AddNote, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import Producer, read_to_end
from mailroom_runtime.process.settings import ServiceSettings
from support.certificates import Authority
from support.kafka_acls import allow_all
from support.secured_broker import PASSWORD, SecuredKafka
from support.topics import create_topics, run_apart

PREFIX = "secured"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    server = SecuredKafka(tmp_path_factory.mktemp("secured"), authority, "router", "nobody")
    try:
        server.start()
        run_apart(create_topics(server.bootstrap, PREFIX, 1))
        run_apart(_allow(server, "router"))
        yield server
    finally:
        server.kill()


async def _allow(server: SecuredKafka, user: str) -> None:
    """Everything on this prefix's topics."""

    await allow_all(server.bootstrap, f"User:{user}", f"{PREFIX}.")


def settings(
    server: SecuredKafka, authority: Authority, way: str, user: str = "router", **more: Any
) -> ServiceSettings:
    given: dict[str, Any] = {"topic_prefix": PREFIX, "partitions": 1, "kafka_ca_file": authority.ca_file}
    if way == "mutual TLS":
        certificate, key = authority.issue(user)
        given |= {"kafka": server.tls, "kafka_security": "SSL", "kafka_cert_file": certificate, "kafka_key_file": key}
    else:
        given |= {"kafka": server.sasl, "kafka_security": "SASL_SSL", "kafka_sasl_mechanism": way,
                  "kafka_username": user, "kafka_password": PASSWORD}  # fmt: skip
    return ServiceSettings(**(given | more))


WAYS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "mutual TLS")


@pytest.mark.parametrize("way", WAYS)
async def test_who_may_writes_and_reads(secured: SecuredKafka, authority: Authority, way: str) -> None:
    its = settings(secured, authority, way)
    note = AddNote(id=f"by {way}", ticket_id="t", portal_id="p", actor=Actor(kind="api"), at=datetime.now(UTC))
    async with Producer(its, source="test") as producer:
        await producer.send(topics.TICKET_COMMANDS, note)
    found = [r.value async for r in read_to_end(its, [topics.TICKET_COMMANDS.full_name(PREFIX)])]
    assert any(note.id.encode() in value for value in found)
    admin = AIOKafkaAdminClient(**connection(its))
    await admin.start()
    assert topics.TICKET_COMMANDS.full_name(PREFIX) in await admin.list_topics()
    await admin.close()


@pytest.mark.parametrize("way", WAYS)
async def test_who_may_not_sees_nothing(secured: SecuredKafka, authority: Authority, way: str) -> None:
    its = settings(secured, authority, way, user="nobody")
    consumer = AIOKafkaConsumer(**connection(its), enable_auto_commit=False)
    await consumer.start()
    try:
        assert topics.TICKET_COMMANDS.full_name(PREFIX) not in await consumer.topics()
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    "wrong",
    [{"kafka_password": "wrong"}, {"kafka_username": "stranger"}, {"kafka_ca_file": None}],
    ids=["password", "user", "authority"],
)
async def test_a_wrong_name_and_a_strange_broker_are_refused(
    secured: SecuredKafka, authority: Authority, wrong: dict[str, Any]
) -> None:
    consumer = AIOKafkaConsumer(**connection(settings(secured, authority, "SCRAM-SHA-512", **wrong)))
    with pytest.raises(KafkaError):
        await consumer.start()
    await consumer.stop()


async def test_without_a_certificate_nobody_comes_in_by_mutual_tls(
    secured: SecuredKafka, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "other")
    certificate, key = stranger.issue("router")
    for given in ({"kafka_cert_file": None, "kafka_key_file": None},
                  {"kafka_cert_file": certificate, "kafka_key_file": key}):  # fmt: skip
        consumer = AIOKafkaConsumer(**connection(settings(secured, authority, "mutual TLS", **given)))
        with pytest.raises(KafkaError):
            await consumer.start()
        await consumer.stop()
