"""Models to Kafka records and back: JSON values, CloudEvents 1.0 headers in binary mode.

Source: CloudEvents Kafka protocol binding 1.0.2 section 3.2, W3C Trace Context for `traceparent`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, cast

from pydantic import ValidationError

from .base import Message
from .topics import Topic

M = TypeVar("M", bound=Message)
COPY_OF = "mailroom_copy_of"
"""Header of a record of `ticket.events` that was written again: the offset of what it is a copy of."""
Headers = list[tuple[str, bytes]]


class Undecodable(ValueError):
    """A record that is not what its topic promises; says what is wrong without repeating values."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record ready for a producer. `value` None is a tombstone."""

    topic: Topic
    key: bytes
    value: bytes | None
    headers: Headers = field(default_factory=list)


def rfc3339(at: datetime) -> str:
    """A time as RFC 3339 in UTC, ending in Z."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat()[:-6] + "Z"


def encode(
    topic: Topic,
    message: Message,
    *,
    source: str,
    causation_id: str | None = None,
    traceparent: str | None = None,
    now: datetime | None = None,
) -> Record:
    """A record for `message`. `source` is the service ("ingest_smtp"); times without one of their own take `now`."""
    at = message.ce_time or now or datetime.now(UTC)
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", message.ce_id.encode()),
        ("ce_type", message.ce_type.encode()),
        ("ce_source", f"/mailroom/{source}".encode()),
        ("ce_subject", message.ce_subject.encode()),
        ("ce_time", rfc3339(at).encode()),
        ("content-type", b"application/json"),
    ]
    if causation_id:
        headers.append(("ce_causationid", causation_id.encode()))
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    value = message.__pydantic_serializer__.to_json(message, by_alias=True, exclude_none=True)
    return Record(topic, message.record_key.encode(), value, headers)


def tombstone(topic: Topic, key: str, *, source: str, kind: str = "deleted") -> Record:
    """A record that deletes `key` from a compacted topic."""
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{key}:{kind}".encode()),
        ("ce_type", kind.encode()),
        ("ce_source", f"/mailroom/{source}".encode()),
        ("ce_subject", key.encode()),
    ]
    return Record(topic, key.encode(), None, headers)


def header(headers: Iterable[tuple[str, bytes]] | None, name: str) -> str | None:
    """A header's value as text, or None."""
    for key, value in headers or ():
        if key == name:
            return value.decode("utf-8", "replace") if value is not None else None
    return None


def copy_of(headers: Iterable[tuple[str, bytes]] | None) -> int | None:
    """The offset, in the same partition, of the record that this one is a copy of; None where it is none."""
    found = header(headers, COPY_OF)
    return int(found) if found is not None and found.isdecimal() else None


def decode(topic: Topic, value: bytes | None, headers: Iterable[tuple[str, bytes]] | None = None) -> Message | None:
    """The model of a record. None for a tombstone and for types that this version does not know.

    Raises `Undecodable` for anything that is not what the topic promises.
    """
    if value is None:
        return None
    kind: object = header(headers, "ce_type")
    if len(topic.models) > 1 and topic.model_for(kind) is None:
        kind = _type_in(value)
        if not isinstance(kind, str):
            raise Undecodable(f"{topic.name}: the value has no type")
    cls = topic.model_for(kind)
    if cls is None:
        return None
    return decode_as(cls, value)


def decode_as(cls: type[M], value: bytes) -> M:
    """The value as `cls`. Raises `Undecodable` with the places that are wrong, never their content."""
    try:
        return cls.model_validate_json(value)
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}"
            for e in error.errors(include_input=False, include_context=False, include_url=False)[:5]
        )
        raise Undecodable(f"{cls.__name__}: {places}") from None


def _type_in(value: bytes) -> object:
    try:
        parsed = json.loads(value)
    except ValueError:
        raise Undecodable("the value is not JSON") from None
    return cast(Mapping[str, object], parsed).get("type") if isinstance(parsed, dict) else None
