"""The read model over a log that is written anew: one that followed, one that was behind, one that begins now."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from mailroom_contracts import COPY_OF, topics
from mailroom_runtime.bus.kafka import read_to_end
from support.console_story import Story
from support.waiting import eventually

from .conftest import PARTITIONS, Bus, RunningConsole, Starter
from .test_console_readmodel import _rows


async def renew(bus: Bus, *, delete: bool = True) -> None:
    """Every partition, as the router does; nothing is left out."""
    name = topics.TICKET_EVENTS.full_name(bus.settings.topic_prefix)
    records = [r async for r in read_to_end(bus.settings, [name])]
    parts = [TopicPartition(name, n) for n in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=bus.settings.kafka) as consumer:
        ends = await consumer.end_offsets(parts)
        begins = await consumer.beginning_offsets(parts)
    for r in records:
        of = dict(r.headers).get(COPY_OF)
        if of is None or int(of) < begins[TopicPartition(name, r.partition)]:
            headers = [*((n, v) for n, v in r.headers if n != COPY_OF), (COPY_OF, b"%d" % r.offset)]
            await (await bus.producer.post_raw(name, key=r.key, value=r.value, headers=headers, partition=r.partition))
    if delete:
        admin = AIOKafkaAdminClient(bootstrap_servers=bus.settings.kafka)
        await admin.start()
        await admin.delete_records({tp: RecordsToDelete(before_offset=ends[tp]) for tp in parts})
        await admin.close()


async def at(console: RunningConsole, *stories: Story) -> None:
    async def there() -> bool:
        found = [(await console.api.get(f"/tickets/{s.ticket}")).json() for s in stories]
        return [t.get("version") for t in found] == [s.version for s in stories]

    await eventually(there, 30, what="the read model")


async def test_copies_change_nothing_and_who_was_behind_misses_nothing(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    where = {"portal": console.ids["portal"], "queue": console.ids["queue"], "address": console.ids["address"]}
    stories = [Story(n, **where) for n in range(1, 9)]
    for s in stories:
        await bus.events(s.created(), s.mail("one"), s.assigned("a1"))
    await at(console, *stories)
    before = _rows(console, 0)

    # followed: a try that was broken off, and one that was not
    await renew(bus, delete=False)
    await renew(bus)
    for s in stories[:4]:
        await bus.events(s.status("pending"))
    await at(console, *stories)
    assert _rows(console, 0)["messages"] == before["messages"]

    # behind: it is stopped, and what it has not read is there as copies alone
    await console.stop()
    for s in stories:
        await bus.events(s.mail("two", cause=f"later{s.number}"))
    await renew(bus)
    await renew(bus)
    for s in stories[4:]:
        await bus.events(s.status("closed"))
    console = await start_console()
    await at(console, *stories)
    whole = _rows(console, 0)
    assert len(whole["messages"]) == 16
    assert (await console.get("/rebuild"))["generation"] == 0, "nothing was rebuilt for it"

    # a restart among all that, and one that begins at the new beginning
    await console.stop()
    console = await start_console()
    await console.api.post("/rebuild")

    async def rebuilt() -> bool:
        return (await console.get("/rebuild"))["generation"] == 1

    await eventually(rebuilt, 30)
    assert _rows(console, 1) == whole
