"""`mailroom dead`: what could not be processed, straight from the dead-letter topics."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import header
from mailroom_contracts.topics import TOPICS, by_name
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.dead_letters import ADDED, WHOLE_BATCH
from mailroom_runtime.bus.kafka import Producer, read_to_end
from mailroom_runtime.bus.unreadable import UnreadableRecords
from mailroom_runtime.process.settings import ServiceSettings, load

from .output import AsJson, Failure, console, show

app = typer.Typer(help="Dead letters: list, show, replay.", no_args_is_help=True)


@app.command("list")
def list_dead(
    topic: Annotated[str | None, typer.Option(help="Short topic name, email.received say.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every dead letter with where it came from and why."""
    settings = load(ServiceSettings)
    rows = [_row(record) for record in _run(settings, _read(settings, topic))]
    columns = ("id", "topic", "service", "error_type", "error", "failed_at")
    show(sorted(rows, key=lambda r: str(r["failed_at"])), as_json, columns=columns, title="Dead letters")


@app.command("show")
def show_dead(
    dead_id: Annotated[str, typer.Argument(metavar="ID", help="As `dead list` says it: TOPIC/PARTITION/OFFSET.")],
    as_json: AsJson = False,
) -> None:
    """One dead letter with its headers and value."""
    settings = load(ServiceSettings)
    record = _run(settings, _one(settings, dead_id))
    row = _row(record) | {
        "key": (record.key or b"").decode("utf-8", "replace"),
        "headers": {name: value.decode("utf-8", "replace") for name, value in record.headers},
        "value": (record.value or b"").decode("utf-8", "replace"),
    }
    show(row, as_json)


@app.command()
def replay(
    dead_id: Annotated[str | None, typer.Argument(metavar="ID", help="As `dead list` says it.")] = None,
    everything_of: Annotated[str | None, typer.Option("--topic", help="All of this topic's (short name).")] = None,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back on their topics, byte for byte. Ids make a second replay harmless."""
    if (dead_id is None) == (everything_of is None):
        raise Failure("name one dead letter, or --topic for all of a topic")
    settings = load(ServiceSettings)

    async def work() -> int:
        records = [await _one(settings, dead_id)] if dead_id else await _read(settings, everything_of)
        if dead_id and header(records[0].headers, WHOLE_BATCH):
            raise Failure(f"{dead_id}: it is a batch that cannot be read, not a record; it is kept for its bytes only")
        records = [record for record in records if not header(record.headers, WHOLE_BATCH)]
        async with Producer(settings, source="cli") as producer:
            for record in records:
                await (
                    await producer.post_raw(
                        record.topic.removesuffix(".dead"),
                        key=record.key,
                        value=record.value,
                        headers=[h for h in record.headers if not h[0].startswith(ADDED)],
                    )
                )
        return len(records)

    count = _run(settings, work())
    if as_json:
        show({"replayed": count}, True)
    else:
        console.print(f"{count} put back")


def _row(record: ConsumerRecord) -> dict[str, Any]:
    def said(name: str) -> str | None:
        return header(record.headers, f"{ADDED}{name}")

    return {
        "id": f"{record.topic}/{record.partition}/{record.offset}",
        "topic": said("topic") or record.topic.removesuffix(".dead"),
        "service": said("service"),
        "error_type": said("error_type"),
        "error": said("error"),
        "failed_at": said("failed_at"),
        "event_id": header(record.headers, "ce_id"),
    }


async def _read(settings: ServiceSettings, topic: str | None) -> list[ConsumerRecord]:
    try:
        chosen = [by_name(topic)] if topic else list(TOPICS)
    except KeyError as error:
        raise Failure(str(error.args[0])) from error
    names = [t.dead_name(settings.topic_prefix) for t in chosen]
    return [record async for record in read_to_end(settings, names)]


async def _one(settings: ServiceSettings, dead_id: str) -> ConsumerRecord:
    try:
        name, partition, offset = dead_id.rsplit("/", 2)
        where = TopicPartition(name, int(partition))
        wanted = int(offset)
    except ValueError:
        raise Failure(f"{dead_id}: an id looks like mailroom.email.received.v1.dead/0/12") from None
    consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([where])
        ends = await consumer.end_offsets([where])
        if not 0 <= wanted < ends[where]:
            raise Failure(f"{dead_id}: there is no such dead letter")
        consumer.seek(where, wanted)
        record = await asyncio.wait_for(consumer.getone(where), 10)
    finally:
        await consumer.stop()
    if record.offset != wanted:
        raise Failure(f"{dead_id}: it is not kept any more")
    return record


def _run(settings: ServiceSettings, work: Any) -> Any:
    try:
        return asyncio.run(work)
    except UnreadableRecords as error:
        raise Failure(f"{error}: `mailroom records skip` gives it up") from error
    except (KafkaError, TimeoutError) as error:
        raise Failure(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error
