"""Records of every model, made from its schema: every optional field there and not there, lists empty and full, and odd texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from mailroom_contracts import encode, schemas

from .generated_code import Line

TEXTS = ("", "x", "Ümläut 漢字 🙂", 'a "quoted"\tline\nand another', "<b>&amp;</b>\u2028", "2026-11-24", "0", "null")
WHOLE = (0, 1, -1, 7, 2**31, 2**53 - 1)
BEGIN = datetime(2026, 11, 24, 11, 55, 1, tzinfo=UTC)


def made(each: int, seed: int = 23) -> Iterator[Line]:
    """`each` records of every model, as our services would write them."""
    random = Random(seed)
    for topic, model in schemas.models().values():
        schema = schemas.json_schema(model)
        for _ in range(each):
            message = model.model_validate(value_of(schema, schema, random))
            record = encode(topic, message, source="test")
            assert record.value is not None
            yield Line(model.__name__, json.dumps(json.loads(record.value)))


def value_of(schema: dict[str, Any], root: dict[str, Any], random: Random) -> Any:
    """A value that a schema allows."""
    if (ref := schema.get("$ref")) is not None:
        return value_of(root["$defs"][ref.rsplit("/", 1)[-1]], root, random)
    if "const" in schema:
        return schema["const"]
    for choice in ("enum", "anyOf"):
        if choice in schema:
            chosen = random.choice(schema[choice])
            return chosen if choice == "enum" else value_of(chosen, root, random)
    if "properties" in schema:
        always = schema.get("required", ())
        return {
            name: value_of(said, root, random)
            for name, said in schema["properties"].items()
            if name in always or random.random() < 0.6
        }
    kind = schema.get("type")
    if kind == "array":
        least = schema.get("minItems", 0)
        count = max(least, min(random.choice((0, 1, 2)), schema.get("maxItems", 2)))
        return [value_of(schema["items"], root, random) for _ in range(count)]
    if kind == "object":
        inner = schema.get("additionalProperties")
        plain = inner if isinstance(inner, dict) else {"type": "string"}
        return {f"k{n}": value_of(plain, root, random) for n in range(random.choice((0, 1, 2)))}
    return _plain(schema, random)


def _plain(schema: dict[str, Any], random: Random) -> Any:
    kind = schema.get("type")
    if schema.get("format") == "date-time":
        return (BEGIN + timedelta(microseconds=random.choice((0, 1, 120_000, 10**12)))).isoformat()
    if kind == "integer":
        low, high = schema.get("minimum", -(2**53)), schema.get("maximum", 2**53)
        return random.choice([n for n in (*WHOLE, low, high) if low <= n <= high])
    if kind == "number":
        return random.choice((0.0, 0.5, 12.25))
    if kind == "boolean":
        return random.random() < 0.5
    given = [text for text in (*TEXTS, *schema.get("examples", ())) if isinstance(text, str)]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    return random.choice([text for text in given if least <= len(text) <= most])
