"""Puts the router together: configuration, Redis, both steps."""

from __future__ import annotations

from datetime import date

from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process import metrics
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.process.tasks import together
from mailroom_runtime.redis.valkey import connect

from . import faust_app, second_step
from .agents import Agents
from .directories import Directories
from .first_step import FirstStep
from .forgetting import Forgetting
from .handed import Handed
from .learning import Learning
from .offsets import check_offsets
from .packed import is_over
from .placing import Placing
from .rebuild_processes import rebuild
from .redis_gate import RedisGate
from .redis_index import KEPT_DAYS, Index
from .second_step import SecondStep
from .settings import RouterSettings


async def app(service: Service[RouterSettings]) -> None:
    """Run both steps until the service stops."""
    settings = service.settings
    ring = settings.message_id_ring()
    if not ring:
        raise Stopped("MAILROOM_MESSAGE_ID_KEYS is empty: the router signs the Message-IDs of what goes out with it")
    for condition in ("kafka", "placing", "tickets"):
        service.health.set(condition, False, "starting")
    tables = ConfigTables(settings)
    book = tables.book
    await tables.start(service)
    if service.stopping.is_set():
        return
    await check_offsets(settings, faust_app.GROUP, second_step.GROUP)
    client = connect(settings.redis)
    gate = RedisGate(client, settings.topic_prefix)

    def kept_days(portal: str) -> int:
        found = book.portals.get(portal)
        return found.known_days if found else KEPT_DAYS

    index = Index(client, settings.topic_prefix, settings.router_receipt_days, kept_days)
    agents = Agents(client, settings.topic_prefix)
    directories = Directories(client, settings.topic_prefix)
    learning = Learning(gate, index, agents)
    handed = Handed()

    async def fill() -> None:
        await rebuild(settings, client, index, {portal: kept_days(portal) for portal in book.portals})

    def redis_state(up: bool, ready: bool) -> None:
        # Redis away is no reason to take no mail: it is said, and the router goes on
        metrics.gauge("mailroom_router_redis_up", "Redis answers").set(int(up))
        metrics.gauge("mailroom_router_index_ready", "The index is whole").set(int(ready))

    service.spawn(gate.watch(fill, redis_state), "redis-gate")
    service.spawn(learning.run(), "index-writer")

    def gone(portal: str, closed: date | None) -> bool:
        return (portal != "" and portal not in book.portals) or is_over(closed, kept_days(portal))

    forgetting = Forgetting(client, settings.topic_prefix, index, gone)
    service.spawn(forgetting.run(gate), "index-sweep")
    async with Producer(settings, source="router", linger_ms=0) as producer:
        first = Placing(
            service,
            FirstStep(book, index, gate, ring, handed),
            producer,
        )
        second = SecondStep(service, book, agents, gate, producer, learning, directories, handed)
        try:
            await together(first.run(), second.run())
        finally:
            await client.aclose()
