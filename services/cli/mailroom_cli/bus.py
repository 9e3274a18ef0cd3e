"""`mailroom topics`: make the topics, see where they drifted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError
from mailroom_contracts.topics import TOPICS
from mailroom_runtime.bus.topic_admin import create as create_topics
from mailroom_runtime.process.settings import ServiceSettings, load

from .output import AsJson, Failure, console, show

app = typer.Typer(help="Topics on Kafka.", no_args_is_help=True)


@app.command()
def create(
    replication: Annotated[
        int | None,
        typer.Option(help="Copies of each partition; by itself 3 where three brokers answer, else 1.", min=1),
    ] = None,
    min_insync: Annotated[
        int | None,
        typer.Option(
            help="Copies that must have a record before it counts (min.insync.replicas); by itself 2 of 3.", min=1
        ),
    ] = None,
    start_group: Annotated[
        list[str] | None, typer.Option(help="GROUP=beginning or GROUP=end, for a group whose offsets were lost.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create missing topics, report drift, give each consumer group its first offsets. Safe to repeat."""
    forced: dict[str, str] = {}
    for entry in start_group or []:
        group, _, where = entry.partition("=")
        if where not in ("beginning", "end"):
            raise Failure(f"--start-group {entry}: write GROUP=beginning or GROUP=end")
        forced[group] = where
    settings = load(ServiceSettings)
    try:
        report = asyncio.run(
            create_topics(settings, replication=replication, min_insync=min_insync, start_groups=forced)
        )
    except KafkaError as error:
        raise Failure(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error
    except ValueError as error:
        raise Failure(str(error)) from error
    result: dict[str, Any] = {
        "created": report.created,
        "existing": len(report.existing),
        "drift": report.drift,
        "groups_started": report.groups_started,
    }
    if as_json:
        show(result, True)
    else:
        console.print(f"{len(report.created)} topics created, {len(report.existing)} were there")
        for line in report.drift:
            console.print(f"[yellow]drift[/] {line}")
    if report.drift:
        raise SystemExit(1)


@app.command("list")
def list_topics(as_json: AsJson = False) -> None:
    """Every topic: its name, key, how long it is kept, and what is in it."""
    settings = load(ServiceSettings)
    rows = [
        {
            "topic": topic.full_name(settings.topic_prefix),
            "key": topic.key,
            "kept": "compacted" if topic.compacted else _days(topic.retention_ms),
            "what": topic.about,
        }
        for topic in TOPICS
    ]
    show(rows, as_json, title="Topics")


def _days(retention_ms: int | None) -> str:
    return "for ever" if retention_ms in (None, -1) else f"{retention_ms // 86_400_000} days"
