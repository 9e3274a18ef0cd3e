"""The router on a Kafka that lets nobody in without TLS and a name: both steps, their transactions, the auditor's kin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from support.certificates import Authority
from support.kafka_acls import allow_all
from support.processes import ServiceProcess
from support.router_world import World, mail
from support.secured_broker import PASSWORD, SecuredKafka
from support.servers import ValkeyServer
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]


@pytest_asyncio.fixture
async def secured(
    valkey: ValkeyServer, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[tuple[World, SecuredKafka, Authority]]:
    """A world whose own hands come in by loopback; `router` may do everything on its topics."""
    authority = Authority(tmp_path / "authority")
    server = SecuredKafka(tmp_path / "kafka", authority, "router")
    server.start()
    world = World(server.bootstrap, valkey.url, topic_prefix, tmp_path / "data")
    try:
        await world.begin()
        await allow_all(server.bootstrap, "User:router", f"{topic_prefix}.")
        yield world, server, authority
    finally:
        await world.end()
        server.kill()


@pytest.mark.slow  # on a busy machine the first ticket took over 20 s
@pytest.mark.parametrize("way", ["SCRAM-SHA-512", pytest.param("mutual TLS", marks=pytest.mark.slow)])
async def test_a_mail_becomes_a_ticket(
    secured: tuple[World, SecuredKafka, Authority], start_service: Starter, way: str
) -> None:
    world, server, authority = secured
    env = {"MAILROOM_KAFKA_CA_FILE": str(authority.ca_file)}
    if way == "mutual TLS":
        certificate, key = authority.issue("router")
        env |= {"MAILROOM_KAFKA": server.tls, "MAILROOM_KAFKA_SECURITY": "SSL",
                "MAILROOM_KAFKA_CERT_FILE": str(certificate), "MAILROOM_KAFKA_KEY_FILE": str(key)}  # fmt: skip
    else:
        env |= {"MAILROOM_KAFKA": server.sasl, "MAILROOM_KAFKA_SECURITY": "SASL_SSL", "MAILROOM_KAFKA_SASL_MECHANISM": way,
                "MAILROOM_KAFKA_USERNAME": "router", "MAILROOM_KAFKA_PASSWORD": PASSWORD}  # fmt: skip
    router = start_service("router", world.env(**env))
    await world.put(mail(1))
    await eventually(world.states, 45)
    (state,) = (await world.states()).values()
    command = await world.reply(state)

    async def answered() -> bool:
        return any(event.causation_id == command.id for event in await world.events(state.id))

    await eventually(answered, 30)
    assert router.ready
    assert PASSWORD not in router.output()
