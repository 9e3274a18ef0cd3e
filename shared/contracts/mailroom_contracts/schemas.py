"""JSON Schemas and an AsyncAPI 3 document, generated from the models: `python -m mailroom_contracts.schemas`.

`write` makes them anew in docs/contracts; `check` says where the committed ones differ, and which changes a
subscriber of the kept baseline (docs/contracts/baseline) could not read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .base import Message
from .topics import TOPICS, Topic

JsonSchema = dict[str, Any]
CLOUDEVENTS_HEADERS: JsonSchema = {
    "type": "object",
    "description": "CloudEvents 1.0 Kafka binding, binary mode; traceparent is W3C Trace Context.",
    "properties": {
        "ce_id": {"type": "string", "description": "Event id; the same event has the same id.", "examples": ["e1f2"]},
        "ce_type": {"type": "string", "description": "Type of the event.", "examples": ["ticket.created"]},
        "ce_source": {"type": "string", "description": "Service that wrote it.", "examples": ["/mailroom/router"]},
        "ce_subject": {"type": "string", "description": "What it is about: the record's key.", "examples": ["9f2c"]},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "When.",
            "examples": ["2026-11-24T11:55:01Z"],
        },
        "ce_specversion": {
            "type": "string",
            "const": "1.0",
            "description": "CloudEvents version.",
            "examples": ["1.0"],
        },
        "ce_causationid": {"type": "string", "description": "Id of the input that caused it.", "examples": ["77aa"]},
        "traceparent": {
            "type": "string",
            "description": "Trace and span.",
            "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        },
        "content-type": {
            "type": "string",
            "const": "application/json",
            "description": "Always JSON.",
            "examples": ["application/json"],
        },
    },
    "required": ["ce_id", "ce_type", "ce_source", "ce_specversion"],
}


def models() -> dict[str, tuple[Topic, type[Message]]]:
    """Every schema's name with its topic and model: `ticket.events/ticket.created`, `tickets`."""
    found: dict[str, tuple[Topic, type[Message]]] = {}
    for topic in TOPICS:
        for model in topic.models:
            kind = model.model_fields["type"].default if len(topic.models) > 1 else None
            found[f"{topic.name}/{kind}" if kind else topic.name] = (topic, model)
    return found


def json_schema(model: type[Message]) -> JsonSchema:
    """The JSON Schema (2020-12) that a reader of the model needs."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def asyncapi() -> JsonSchema:
    """The AsyncAPI 3.0 document: a channel per topic, a message per type."""
    schemas: JsonSchema = {}
    messages: JsonSchema = {}
    channels: JsonSchema = {}
    operations: JsonSchema = {}
    for topic in TOPICS:
        names = []
        for name, (of_topic, model) in models().items():
            if of_topic is not topic:
                continue
            title = name.split("/")[-1]
            names.append(title)
            schema = model.model_json_schema(by_alias=True, ref_template=f"#/components/schemas/{title}_{{model}}")
            for inner, definition in schema.pop("$defs", {}).items():
                schemas[f"{title}_{inner}"] = definition
            schemas[title] = schema
            messages[title] = {
                "name": title,
                "title": model.__name__,
                "summary": (model.__doc__ or "").strip().split("\n")[0],
                "contentType": "application/json",
                "headers": {"$ref": "#/components/schemas/CloudEventsHeaders"},
                "payload": {"$ref": f"#/components/schemas/{title}"},
                "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}}},
            }
        channel = topic.name.replace(".", "_")
        channels[channel] = {
            "address": "{prefix}." + topic.name + ".v1",
            "description": topic.about,
            "parameters": {"prefix": {"default": "mailroom", "description": "MAILROOM_TOPIC_PREFIX."}},
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            "bindings": {"kafka": {"topicConfiguration": _topic_configuration(topic)}},
        }
        operations[f"read_{channel}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": f"Subscribe to {topic.name}.",
        }
    operations["send_ticket_commands"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/ticket_commands"},
        "summary": "Ask something of a ticket.",
    }
    schemas["CloudEventsHeaders"] = CLOUDEVENTS_HEADERS
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mailroom",
            "version": "1.0.0",
            "description": "The topics of Mailroom. Readers skip unknown fields, types and enumeration values.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _topic_configuration(topic: Topic) -> JsonSchema:
    settings: JsonSchema = {"cleanup.policy": ["compact"] if topic.compacted else ["delete"]}
    if not topic.compacted:
        settings["retention.ms"] = topic.retention_ms
    return settings


def generated() -> dict[str, str]:
    """Every file by its path below docs/contracts."""
    files = {f"schemas/{name}.json": _text(json_schema(model)) for name, (_, model) in models().items()}
    files["asyncapi.json"] = _text(asyncapi())
    return files


def unreadable(old: JsonSchema, new: JsonSchema, where: str) -> list[str]:
    """Changes that a reader made for `old` could not read: fields gone, types changed, required ones not sent."""
    return _compare(old, new, old, new, where, frozenset())


def _compare(
    old: JsonSchema, new: JsonSchema, old_root: JsonSchema, new_root: JsonSchema, where: str, seen: frozenset[str]
) -> list[str]:
    if (ref := old.get("$ref")) is not None:
        if ref in seen:
            return []
        seen |= {ref}
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    problems: list[str] = []
    narrower = _types(new, new_root) - _types(old, old_root)
    if "number" in _types(old, old_root):
        narrower -= {"integer"}
    if narrower and _types(old, old_root):
        problems.append(f"{where}: may now be {', '.join(sorted(narrower))}")
    if "const" in old and new.get("const") != old["const"]:
        problems.append(f"{where}: was always {old['const']!r}")
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name, field in old_fields.items():
        if name not in new_fields:
            problems.append(f"{where}.{name}: is gone")
            continue
        if name in old.get("required", ()) and name not in new.get("required", ()):
            problems.append(f"{where}.{name}: was always there, now it may be missing")
        problems += _compare(field, new_fields[name], old_root, new_root, f"{where}.{name}", seen)
    if "items" in old and "items" in new:
        problems += _compare(old["items"], new["items"], old_root, new_root, f"{where}[]", seen)
    for branch_old, branch_new in zip(_objects(old, old_root), _objects(new, new_root), strict=False):
        problems += _compare(branch_old, branch_new, old_root, new_root, where, seen)
    return problems


def _resolve(schema: JsonSchema, root: JsonSchema) -> JsonSchema:
    if (ref := schema.get("$ref")) is not None:
        return dict(root["$defs"][ref.rsplit("/", 1)[-1]])
    return schema


def _types(schema: JsonSchema, root: JsonSchema) -> set[str]:
    schema = _resolve(schema, root)
    if "anyOf" in schema:
        return set().union(*(_types(branch, root) for branch in schema["anyOf"]))
    kind = schema.get("type")
    return {kind} if isinstance(kind, str) else set(kind or ())


def _objects(schema: JsonSchema, root: JsonSchema) -> list[JsonSchema]:
    return [branch for branch in schema.get("anyOf", ()) if "$ref" in branch or "properties" in branch]


def check(folder: Path) -> list[str]:
    """What is wrong with the committed schemas: out of date, or not readable by subscribers of the baseline."""
    problems = []
    files = generated()
    for path, text in files.items():
        target = folder / path
        if not target.is_file() or target.read_text() != text:
            problems.append(f"{target}: out of date; run `python -m mailroom_contracts.schemas write`")
    known = {folder / path for path in files}
    problems += [f"{p}: no model makes it any more" for p in (folder / "schemas").rglob("*.json") if p not in known]
    for old_path in sorted((folder / "baseline").rglob("*.json")):
        name = str(old_path.relative_to(folder / "baseline").with_suffix(""))
        entry = models().get(name)
        if entry is None:
            problems.append(f"{name}: was published, and is gone")
        else:
            problems += unreadable(json.loads(old_path.read_text()), json_schema(entry[1]), name)
    return problems


def write(folder: Path, *, baseline: bool = False) -> None:
    """Write the generated files; with `baseline` also keep them as what subscribers have."""
    for path, text in generated().items():
        targets = [folder / path]
        if baseline and path.startswith("schemas/"):
            targets.append(folder / "baseline" / path.removeprefix("schemas/"))
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


def _text(value: JsonSchema) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def main(arguments: list[str]) -> int:
    """`write`, `check`, or `baseline` (write, and keep as what subscribers have); docs/contracts by default."""
    action = arguments[0] if arguments else "check"
    folder = Path(arguments[1] if len(arguments) > 1 else "docs/contracts")
    if action in ("write", "baseline"):
        write(folder, baseline=action == "baseline")
        return 0
    if action != "check":
        sys.stderr.write("usage: python -m mailroom_contracts.schemas [write|check|baseline] [FOLDER]\n")
        return 2
    problems = check(folder)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
