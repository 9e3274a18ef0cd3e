"""`mailroom schemas`: the topics' JSON Schemas in a schema registry."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import typer
from mailroom_contracts.schema_form import draft_07
from mailroom_contracts.schemas import json_schema, models
from mailroom_runtime.process.settings import load

from .output import AsJson, Failure, console, show
from .registry import Refused, Registry, RegistrySettings

app = typer.Typer(help="JSON Schemas of the topics.", no_args_is_help=True)
COLUMNS = ("subject", "state", "version", "id", "compatibility", "problem")


class Rule(StrEnum):
    """What a registry compares a new version with (Confluent's names)."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


@dataclass
class Subject:
    """One schema and where it stands. `compatibility`: the rule that the subject has; empty: the registry's own."""

    subject: str
    topic: str
    state: str = ""  # registered, unchanged, refused; at a dry run: new, changed
    version: int | None = None
    id: int | None = None
    compatibility: str = ""
    problem: str = ""


@app.command()
def register(
    compatibility: Annotated[
        Rule, typer.Option(help="Set for each subject: what the registry compares later versions with.")
    ] = Rule.FORWARD_TRANSITIVE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the registry only, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register the schemas of all topics (MAILROOM_SCHEMA_REGISTRY). Safe to repeat; 1 where one is refused."""
    settings = load(RegistrySettings)
    if not settings.schema_registry:
        raise Failure(
            "no schema registry: set MAILROOM_SCHEMA_REGISTRY to the URL of its Confluent-compatible API, "
            "http://registry:8081 say, for Apicurio http://registry:8080/apis/ccompat/v7"
        )
    registry = Registry(settings)
    try:
        there = registry.subjects()
        rows = []
        for subject, topic, text in named(settings.topic_prefix):
            row = Subject(subject, topic)
            try:
                if dry_run:
                    _look(registry, row, text, subject in there)
                else:
                    _register(registry, row, text, compatibility, subject in there)
            except Refused as refused:
                row.state, row.problem = "refused", str(refused) or "the registry gives no reason"
            rows.append(row)
    finally:
        registry.close()
    show([asdict(row) for row in rows], as_json, columns=COLUMNS, title="Schemas")
    bad = sum(row.state == "refused" for row in rows)
    if bad:
        raise Failure(
            f"{bad} of {len(rows)} schemas refused. Ours only ever gain optional fields, which FORWARD and "
            "FORWARD_TRANSITIVE take and BACKWARD and FULL do not; see docs/subscribing.md, Schema registry"
        )
    if not as_json:
        counted = {state: sum(row.state == state for row in rows) for state in dict.fromkeys(r.state for r in rows)}
        console.print(", ".join(f"{number} {state}" for state, number in counted.items()))


def named(prefix: str) -> list[tuple[str, str, str]]:
    """Subject, topic and schema of every type: `TOPIC-value` where a topic has one type (TopicNameStrategy), else
    `TOPIC-TITLE` (TopicRecordNameStrategy). Each schema is whole by itself, without references to others."""
    found = []
    for topic, model in models().values():
        schema = draft_07(json_schema(model))
        name = "value" if len(topic.models) == 1 else schema["title"]
        full = topic.full_name(prefix)
        found.append((f"{full}-{name}", full, json.dumps(schema, ensure_ascii=False, separators=(",", ":"))))
    return found


def _register(registry: Registry, row: Subject, text: str, rule: Rule, there: bool) -> None:
    """The rule before the version: it is what the version is compared by. A subject that is not there has none yet."""
    known = None
    if there:
        known = registry.known(row.subject, text)
        if registry.rule(row.subject) != rule:
            registry.set_rule(row.subject, rule)
        row.compatibility = rule.value
    row.state = "unchanged"
    if known is None:
        registry.register(row.subject, text)
        known = registry.known(row.subject, text) or {}
        row.state = "registered"
    if not there:
        registry.set_rule(row.subject, rule)
        row.compatibility = rule.value
    row.version, row.id = known.get("version"), known.get("id")


def _look(registry: Registry, row: Subject, text: str, there: bool) -> None:
    if not there:
        row.state = "new"
        return
    row.compatibility = registry.rule(row.subject) or ""
    if (known := registry.known(row.subject, text)) is not None:
        row.state, row.version, row.id = "unchanged", known.get("version"), known.get("id")
    elif registry.fits(row.subject, text):
        row.state = "changed"
    else:
        raise Refused(f"not compatible with an earlier version by {row.compatibility or 'the rule of the registry'}")
