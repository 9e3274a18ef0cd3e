"""`mailroom records`: what to do about records that no service can read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, UnknownTopicOrPartitionError
from mailroom_contracts import RecordsSkipped, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.dead_letters import bury_batch
from mailroom_runtime.bus.groups import GROUPS, group_name
from mailroom_runtime.bus.kafka import BusDown, Producer, partitions_for
from mailroom_runtime.bus.raw_batches import RawBatch, fetch, fetch_some, problem
from mailroom_runtime.bus.skipping import SkipReader
from mailroom_runtime.bus.topic_admin import topic_of
from mailroom_runtime.bus.unreadable import Unreadable
from mailroom_runtime.process.settings import ServiceSettings, load

from .output import AsJson, Failure, console, show

app = typer.Typer(help="Records that no service can read.", no_args_is_help=True)


@app.callback()
def records() -> None:
    """Records that no service can read: `mailroom doctor` names them."""


@app.command()
def skip(
    topic: Annotated[str, typer.Argument(help="Full or short name of the topic.")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0, help="Where reading stands still.")],
    as_json: AsJson = False,
) -> None:
    """Give an unreadable batch up: every service steps over it, and its bytes are kept as a dead letter."""
    settings = load(ServiceSettings)
    try:
        skipped = asyncio.run(_skip(settings, _full_name(settings, topic), partition, offset))
    except UnknownTopicOrPartitionError:
        raise Failure(f"there is no {topic} partition {partition}") from None
    except OffsetOutOfRangeError:
        raise Failure(f"{topic} partition {partition} has no offset {offset} (any more)") from None
    except (KafkaError, BusDown, TimeoutError) as error:
        raise Failure(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error
    if as_json:
        show(skipped.model_dump(mode="json"), True)
    else:
        console.print(
            f"{skipped.topic} partition {partition}: offsets {skipped.offset} to {skipped.next_offset - 1} are passed "
            f"over; their bytes are a dead letter. {skipped.reason}"
        )


def _full_name(settings: ServiceSettings, topic: str) -> str:
    for known in topics.TOPICS:
        full = known.full_name(settings.topic_prefix)
        if topic in (known.name, full):
            return full
    raise Failure(f"{topic} is no topic of Mailroom")


async def _skip(settings: ServiceSettings, name: str, partition: int, offset: int) -> RecordsSkipped:
    tp = TopicPartition(name, partition)
    batch = await fetch(settings, tp, offset)
    if batch is None:
        raise Failure(f"{name} partition {partition} has nothing at offset {offset} yet")
    reason = problem(tp, batch)
    if reason is None:
        raise Failure(
            f"{name} partition {partition} offset {offset} can be read: nothing stands still because of it. What is in it "
            "but cannot be processed goes to the dead letters by itself (`mailroom dead list`)"
        )
    return await _give_up(settings, tp, batch, reason)


async def _give_up(settings: ServiceSettings, tp: TopicPartition, batch: RawBatch, reason: str) -> RecordsSkipped:
    now = datetime.now(UTC)
    skipped = RecordsSkipped(topic=tp.topic, partition=tp.partition, offset=batch.offset, next_offset=batch.next_offset,
                             reason=reason, at=now)  # fmt: skip
    async with Producer(settings, source="cli") as producer:
        # first kept, then passed over: a second try keeps it twice, which harms nobody
        await bury_batch(producer, batch.data, topic=topic_of(tp.topic, settings), prefix=settings.topic_prefix,
                         partition=tp.partition, offset=batch.offset, error=reason, now=now)  # fmt: skip
        await producer.send(topics.RECORDS_SKIPPED, skipped)
    return skipped


async def unreadable_ahead(settings: ServiceSettings) -> list[Unreadable]:
    """What each group that is behind meets next, if it cannot be read and nobody gave it up. Raises KafkaError."""
    found: set[Unreadable] = set()
    for tp, offset in await _behind(settings):
        for batch in await fetch_some(settings, tp, offset):
            if (reason := problem(tp, batch)) is not None:
                found.add(Unreadable(tp.topic, tp.partition, max(offset, batch.offset), reason))
    if not found:
        return []
    reader = SkipReader(settings)
    try:
        await reader.read()
    finally:
        await reader.close()
    return sorted((what for what in found if reader.skips.beyond(what) is None), key=str)


async def _behind(settings: ServiceSettings) -> list[tuple[TopicPartition, int]]:
    """Partitions in which a group has something to read, with the offset it goes on from."""
    behind: dict[TopicPartition, int] = {}
    for group, read in GROUPS.items():
        consumer = AIOKafkaConsumer(
            **connection(settings), group_id=group_name(settings.topic_prefix, group), enable_auto_commit=False
        )
        await consumer.start()
        try:
            names = [topic.full_name(settings.topic_prefix) for topic in read]
            parts = [TopicPartition(name, p) for name in names for p in await partitions_for(consumer, name)]
            ends = await consumer.end_offsets(parts)
            for tp in parts:
                committed = await consumer.committed(tp)
                if committed is not None and committed < ends[tp]:
                    behind[tp] = min(committed, behind.get(tp, committed))
        finally:
            await consumer.stop()
    return list(behind.items())
