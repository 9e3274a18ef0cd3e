"""The AsyncAPI document: a channel per topic and per dead-letter topic, a message per type, with the `ce_type` it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .base import Message
from .codec import COPY_OF
from .compatibility import WRITTEN_BY_OTHERS
from .schema_form import JsonSchema, Published, writing, written
from .topics import DEAD_RETENTION_MS, TOPICS, Topic

_TEXT = {"type": "string"}
CLOUDEVENTS: JsonSchema = {
    "type": "object",
    "description": "CloudEvents 1.0 Kafka binding, binary mode; traceparent is W3C Trace Context.",
    "properties": {
        "ce_id": {"type": "string", "description": "Event id; the same event has the same id.", "examples": ["e1f2"]},
        "ce_type": {
            "type": "string",
            "description": "Type of the event. Choose by it first; types that are not known are passed over.",
            "examples": ["ticket.created"],
        },
        "ce_source": {"type": "string", "description": "Service that wrote it.", "examples": ["/mailroom/router"]},
        "ce_subject": {"type": "string", "description": "What it is about: the record's key.", "examples": ["9f2c"]},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "When, UTC with Z. Not on tombstones.",
            "examples": ["2026-11-24T11:55:01Z"],
        },
        "ce_specversion": {
            "type": "string", "const": "1.0", "description": "CloudEvents version.", "examples": ["1.0"],
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
            "description": "Always JSON. Not on tombstones.",
            "examples": ["application/json"],
        },
    },
    "required": ["ce_id", "ce_type", "ce_source", "ce_specversion"],
}  # fmt: skip
DEAD_HEADERS: JsonSchema = {
    "type": "object",
    "description": "The headers of the record as it was, and what happened to it.",
    "properties": {
        "mailroom_error": {"type": "string", "description": "Why, in words.", "examples": ["the value is not JSON"]},
        "mailroom_error_type": {"type": "string", "description": "Kind of error.", "examples": ["Undecodable"]},
        "mailroom_topic": {
            "type": "string", "description": "Topic it was on.", "examples": ["mailroom.email.received.v1"],
        },
        "mailroom_partition": {"type": "string", "description": "Partition it was on.", "examples": ["3"]},
        "mailroom_offset": {"type": "string", "description": "Its offset there.", "examples": ["17"]},
        "mailroom_service": {"type": "string", "description": "Who gave it up.", "examples": ["router"]},
        "mailroom_failed_at": {
            "type": "string", "format": "date-time", "description": "When.", "examples": ["2026-11-24T11:55:01Z"],
        },
        "mailroom_batch": {
            "type": "string",
            "description": "The value is a record batch that nothing can decode, as the broker kept it: piece/pieces.",
            "examples": ["1/1"],
        },
    },
    "required": [
        "mailroom_error", "mailroom_error_type", "mailroom_topic", "mailroom_partition", "mailroom_offset",
        "mailroom_service", "mailroom_failed_at",
    ],
}  # fmt: skip
LANE_WRITER: JsonSchema = {
    "type": "object",
    "properties": {
        "mailroom_writer": {
            "type": "string",
            "description": "The sender that wrote it: place, process and term.",
            "examples": ["host-1/4711/3"],
        }
    },
}
COPY_HEADERS: JsonSchema = {
    "type": "object",
    "properties": {
        COPY_OF: {
            "type": "string",
            "description": "The offset, in this partition, of the record that this one is a copy of, unchanged but for this "
            "header: the partition was written anew.",
            "examples": ["51234"],
        }
    },
}


def asyncapi(published: Published | None = None) -> JsonSchema:
    """The AsyncAPI 3 document. Commands are told as other systems may write them."""
    parts = _Parts(published or Published())
    for topic in TOPICS:
        parts.add(topic)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mailroom",
            "version": "1.0.0",
            "description": "The topics of Mailroom. Readers choose by ce_type first, and skip unknown fields, types and "
            "enumeration values. Times are UTC with Z.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": parts.channels,
        "operations": parts.operations,
        "components": {"messages": parts.messages, "schemas": dict(sorted(parts.schemas.items()))},
    }


def message_name(topic: Topic, model: type[Message]) -> str:
    """How the document names a model's message: by its type, or as its topic."""
    return str(model.model_fields["type"].default) if len(topic.models) > 1 else topic.name


def ce_types(model: type[Message]) -> list[str]:
    """What `ce_type` the records of a model have, as far as their open enumerations are known."""
    kind = model.model_fields.get("type")
    if kind is not None and isinstance(kind.default, str):
        return [kind.default]
    known: dict[str, list[Any]] = {}
    for name, said in model.model_fields.items():
        told = said.json_schema_extra
        if isinstance(told, dict) and isinstance(values := told.get("x-known-values"), list):
            known[name] = list(values)
    first: dict[str, Any] = {name: values[0] for name, values in known.items()}
    varied = [first | {name: value} for name, values in known.items() for value in values] or [first]
    return list(dict.fromkeys(model.model_construct(**given).ce_type for given in varied))


class _Parts:
    def __init__(self, published: Published) -> None:
        self._published = published
        self.schemas: JsonSchema = {"CloudEventsHeaders": CLOUDEVENTS, "DeadLetterHeaders": DEAD_HEADERS,
                                    "LaneHeaders": LANE_WRITER, "CopyHeaders": COPY_HEADERS}  # fmt: skip
        self.messages: JsonSchema = {}
        self.channels: JsonSchema = {}
        self.operations: JsonSchema = {}

    def add(self, topic: Topic) -> None:
        """A topic with its dead letters."""
        names = [self._message(topic, model) for model in topic.models]
        if topic.tombstone_type is not None:
            names.append(self._tombstone(topic, topic.tombstone_type))
        self._channel(topic.name, topic.about, names, _configuration(topic))
        if topic.name in WRITTEN_BY_OTHERS:
            self._operation("send", topic.name, "Ask something of a ticket.")
        dead = f"{topic.name}.dead"
        self.messages[dead] = {
            "name": dead,
            "title": "Dead letter",
            "summary": f"A record of {topic.name} that could not be processed, byte for byte.",
            "contentType": "application/octet-stream",
            "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
            "payload": True,
            "bindings": {"kafka": {"key": {**_TEXT, "description": topic.key}}},
        }
        about = f"What could not be processed of {topic.name}, with the error in added headers."
        settings = {"cleanup.policy": ["delete"], "retention.ms": DEAD_RETENTION_MS}
        self._channel(topic.name, about, [dead], settings, dead=True)

    def _message(self, topic: Topic, model: type[Message]) -> str:
        name = message_name(topic, model)
        schema = writing(model) if topic.name in WRITTEN_BY_OTHERS else written(model, self._published)
        title = self._schema(schema)
        self.messages[name] = {
            "name": name,
            "title": model.__name__,
            "summary": (model.__doc__ or "").strip().split("\n")[0],
            "contentType": "application/json",
            "headers": self._headers(topic, ce_types(model)),
            "payload": {"$ref": f"#/components/schemas/{title}"},
            "bindings": {"kafka": {"key": {**_TEXT, "description": topic.key}}},
        }
        return name

    def _tombstone(self, topic: Topic, ce_type: str) -> str:
        name = f"{topic.name}.tombstone"
        self.messages[name] = {
            "name": name,
            "title": "Tombstone",
            "summary": f"The key of {topic.name} is gone. Without value, ce_time and content-type.",
            "headers": self._headers(topic, (ce_type,)),
            "payload": {"type": "null"},
            "bindings": {"kafka": {"key": {**_TEXT, "description": topic.key}}},
        }
        return name

    def _headers(self, topic: Topic, ce_types: Iterable[str]) -> JsonSchema:
        types = list(ce_types)
        told: JsonSchema = {"const": types[0]} if len(types) == 1 else {"type": "string", "examples": types}
        base = [{"$ref": "#/components/schemas/CloudEventsHeaders"}]
        if topic.name == "email.outbound.lanes":
            base.append({"$ref": "#/components/schemas/LaneHeaders"})
        if topic.name == "ticket.events":
            base.append({"$ref": "#/components/schemas/CopyHeaders"})
        return {"allOf": [*base, {"type": "object", "properties": {"ce_type": told}}]}

    def _schema(self, schema: JsonSchema) -> str:
        """Put it among the schemas, and what it is made of beside it; each model once, under its own name."""
        for name, definition in schema.get("$defs", {}).items():
            self._once(name, definition)
        title = str(schema["title"])
        self._once(title, {k: v for k, v in schema.items() if k not in ("$schema", "$defs")})
        return title

    def _once(self, name: str, definition: JsonSchema) -> None:
        moved = _moved(definition)
        known = self.schemas.setdefault(name, moved)
        if known != moved:
            # a part of commands and of events: what may be written of it is the wider form, and true of both
            known["required"] = [n for n in known.get("required", ()) if n in moved.get("required", ())]

    def _channel(self, topic: str, about: str, names: list[str], settings: JsonSchema, *, dead: bool = False) -> None:
        end = ".dead" if dead else ""
        channel = f"{topic}{end}".replace(".", "_")
        self.channels[channel] = {
            "address": "{prefix}." + topic + ".v1" + end,
            "description": about,
            "parameters": {"prefix": {"default": "mailroom", "description": "MAILROOM_TOPIC_PREFIX."}},
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            "bindings": {"kafka": {"topicConfiguration": settings}},
        }
        self._operation("receive", f"{topic}{end}", f"Subscribe to {topic}{end}.")

    def _operation(self, action: str, topic: str, summary: str) -> None:
        channel = topic.replace(".", "_")
        name = f"{'read' if action == 'receive' else 'send'}_{channel}"
        self.operations[name] = {
            "action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary,
        }  # fmt: skip


def _configuration(topic: Topic) -> JsonSchema:
    settings: JsonSchema = {"cleanup.policy": ["compact"] if topic.compacted else ["delete"]}
    if not topic.compacted:
        settings["retention.ms"] = topic.retention_ms
    return settings


def _moved(value: Any) -> Any:
    """With references into the document instead of the schema's own definitions."""
    if isinstance(value, dict):
        return {
            key: inner.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(inner)
            for key, inner in value.items()
        }
    return [_moved(inner) for inner in value] if isinstance(value, list) else value
