"""Least rights on the real broker: each service may do what is listed for it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from mailroom_console.storage.outbox import OUTBOX_PRODUCER
from mailroom_contracts import Record
from mailroom_contracts.topics import QUEUES, TICKETS, TOPICS
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.fenced import FencedProducer, NotAllowed
from mailroom_runtime.bus.groups import GROUPS, group_name
from mailroom_runtime.bus.kafka import read_to_end
from mailroom_runtime.bus.rights import SERVICES, user_name
from mailroom_runtime.process.settings import ServiceSettings
from support.certificates import Authority
from support.kafka_acls import allow
from support.secured_broker import PASSWORD, SecuredKafka
from support.topics import create_topics, run_apart

PREFIX = "least"
ALL_TOPICS = [name for topic in TOPICS for name in (topic.full_name(PREFIX), topic.dead_name(PREFIX))]
QUICK = ("router", "router_audit", "console")  # the others' groups are looked at in the long run only
ALL_GROUPS = [*GROUPS, "ingest_gmail"]


@asynccontextmanager
async def started(client: Any) -> Any:
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def administering(its: ServiceSettings) -> Any:
    admin = AIOKafkaAdminClient(**connection(its))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _put_one_record_everywhere(bootstrap: str) -> None:
    async with started(AIOKafkaProducer(bootstrap_servers=bootstrap)) as producer:
        for name in ALL_TOPICS:
            await producer.send_and_wait(name, b"x", key=b"k")


async def _allow_all_services(bootstrap: str) -> None:
    for service, rights in SERVICES.items():
        await allow(bootstrap, f"User:{user_name(service)}", *rights.listed(PREFIX))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecuredKafka, Authority]]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    server = SecuredKafka(tmp_path_factory.mktemp("rights"), authority, *map(user_name, SERVICES))
    try:
        server.start(120)
        run_apart(create_topics(server.bootstrap, PREFIX, 1))
        run_apart(_put_one_record_everywhere(server.bootstrap))
        run_apart(_allow_all_services(server.bootstrap))
        yield server, authority
    finally:
        server.kill()


def settings(secured: tuple[SecuredKafka, Authority], service: str) -> ServiceSettings:
    server, authority = secured
    return ServiceSettings(
        kafka=server.sasl, kafka_security="SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_username=user_name(service), kafka_password=PASSWORD, kafka_ca_file=authority.ca_file,
        topic_prefix=PREFIX, partitions=1,
    )  # fmt: skip


def listed(service: str, resource: str, operation: str) -> set[str]:
    """What of all names the service's rights cover."""
    names = ALL_TOPICS if resource == "topic" else [group_name(PREFIX, group) for group in ALL_GROUPS]
    found = set()
    for right in SERVICES[service].listed(PREFIX):
        implied = {"read": {"read", "describe"}, "write": {"write", "describe"}}.get(right.operation, {right.operation})
        if right.resource == resource and operation in implied:
            found |= {n for n in names if n == right.name or (right.pattern == "prefixed" and n.startswith(right.name))}
    return found


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_and_writes_what_is_listed_and_nothing_else(
    secured: tuple[SecuredKafka, Authority], service: str
) -> None:
    its = connection(settings(secured, service))

    async def writes(producer: AIOKafkaProducer, name: str) -> bool:
        try:
            await producer.send_and_wait(name, b"x", key=b"k")
        except TopicAuthorizationFailedError:
            return False
        return True

    async def reads(name: str) -> bool:
        async with started(AIOKafkaConsumer(**its, enable_auto_commit=False, auto_offset_reset="earliest")) as consumer:
            part = TopicPartition(name, 0)
            consumer.assign([part])
            consumer.seek(part, 0)
            try:
                return bool(await consumer.getmany(part, timeout_ms=15_000 if name in mine else 1_000))
            except TopicAuthorizationFailedError:
                return False

    async with started(AIOKafkaProducer(**its, acks="all")) as producer:
        written = {name for name in ALL_TOPICS if await writes(producer, name)}
    assert written == listed(service, "topic", "write")
    mine = listed(service, "topic", "read")
    # all that it may, and of the others one of each topic: each takes a connection of its own
    looked = [name for name in ALL_TOPICS if name in mine or not name.endswith(".dead")]
    assert {name for name, yes in zip(looked, await asyncio.gather(*map(reads, looked)), strict=True) if yes} == mine


@pytest.mark.parametrize(
    "service", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SERVICES]
)
async def test_a_service_joins_its_own_groups_only(secured: tuple[SecuredKafka, Authority], service: str) -> None:
    its = connection(settings(secured, service))
    part = TopicPartition(min(listed(service, "topic", "read")), 0)

    async def looks_and_commits(group: str) -> tuple[bool, bool]:
        consumer = AIOKafkaConsumer(**its, group_id=group_name(PREFIX, group), enable_auto_commit=False)
        done = [False, False]
        try:
            await asyncio.wait_for(consumer.start(), 20)
            consumer.assign([part])
            await consumer.committed(part)
            done[0] = True
            await consumer.commit({part: 0})
            done[1] = True
        except (GroupAuthorizationFailedError, TimeoutError):
            pass
        finally:
            await consumer.stop()
        return done[0], done[1]

    for group in ALL_GROUPS:
        looks, commits = await looks_and_commits(group)
        assert looks == (group_name(PREFIX, group) in listed(service, "group", "describe")), group
        assert commits == (group_name(PREFIX, group) in listed(service, "group", "read")), group


@pytest.mark.parametrize("service", ["router", "router_audit", "console"])
async def test_a_service_deletes_records_of_what_is_listed_and_nothing_else(
    secured: tuple[SecuredKafka, Authority], service: str
) -> None:
    async with administering(settings(secured, service)) as admin:

        async def deletes(name: str) -> bool:
            try:
                await admin.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=0)})
            except (TopicAuthorizationFailedError, LeaderNotAvailableError, NotLeaderForPartitionError):
                return False  # what one may not even see has no leader
            return True

        assert {name for name in ALL_TOPICS if await deletes(name)} == listed(service, "topic", "delete")


@pytest.mark.parametrize("service", ["router", "router_audit", "console"])
async def test_only_the_router_writes_in_its_transactions(
    secured: tuple[SecuredKafka, Authority], service: str
) -> None:
    its = connection(settings(secured, service))
    producer = AIOKafkaProducer(**its, transactional_id=f"{PREFIX}.router.host.a", request_timeout_ms=5000)
    try:
        await asyncio.wait_for(producer.start(), 10)
        may = True
    except (KafkaError, TimeoutError):
        may = False
    finally:
        await producer.stop()
    assert may == (service == "router")


async def test_what_must_be_read_and_may_not_be_is_no_empty_topic(secured: tuple[SecuredKafka, Authority]) -> None:
    """The broker tells of no topic that one may not see: the router's index must not be filled from nothing."""
    name = TICKETS.full_name(PREFIX)
    assert [r async for r in read_to_end(settings(secured, "ingest_smtp"), [name])] == []
    with pytest.raises(UnknownTopicOrPartitionError, match="may not be read"):
        async for _ in read_to_end(settings(secured, "ingest_smtp"), [name], required=True):
            pass
    assert {r.value async for r in read_to_end(settings(secured, "router"), [name], required=True)} == {b"x"}


async def test_only_the_console_is_the_one_producer_of_its_outbox_and_others_are_told_at_once(
    secured: tuple[SecuredKafka, Authority],
) -> None:
    """The console of an installation whose rights are an older release's is as little allowed as any other service."""
    record = Record(QUEUES, b"k", b"x", [])
    console = FencedProducer(settings(secured, "console"), OUTBOX_PRODUCER)
    await console.open()
    await console.write([record])
    await console.close()
    with pytest.raises(NotAllowed, match=f"{PREFIX}.{OUTBOX_PRODUCER}"):
        await asyncio.wait_for(FencedProducer(settings(secured, "autoreply"), OUTBOX_PRODUCER).open(), 10)
