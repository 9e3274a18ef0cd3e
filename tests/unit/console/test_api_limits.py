"""Every text and every list that the API takes has a limit, and its document says so: what passes becomes one record of Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from mailroom_console.api import build_api

DOCUMENT: dict[str, Any] = build_api(cast(Any, None)).openapi()
LONGEST = {"content_base64": 40_000_000}  # a file
MOST_CHARACTERS, MOST_ITEMS = 200_000, 2_000
TIMES = {"date-time", "date"}  # read as such, and refused when they are too long for it
METHODS = ("get", "put", "post", "patch", "delete")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every route, with what the document says of it."""
    for path, methods in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def given(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What it takes: the schemas of its parameters and of its body."""
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter["schema"]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            yield "", content["schema"]


def unbounded(name: str, schema: dict[str, Any], seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The texts, lists and free objects within a schema that may be of any size."""
    if "$ref" in schema:
        found = schema["$ref"].rsplit("/", 1)[-1]
        if found not in seen:
            yield from unbounded(name, DOCUMENT["components"]["schemas"][found], (*seen, found))
        return
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from unbounded(name, branch, seen)
    kind = schema.get("type")
    told = "enum" in schema or "const" in schema or schema.get("format") in TIMES
    most = LONGEST.get(name.rpartition(".")[2], MOST_CHARACTERS)
    if kind == "string" and not told and schema.get("maxLength", 1 << 62) > most:
        yield name
    if kind == "array":
        if schema.get("maxItems", 1 << 62) > MOST_ITEMS:
            yield name
        yield from unbounded(f"{name}[]", schema.get("items", {}), seen)
    if kind == "object" and "properties" not in schema and "maxProperties" not in schema:
        yield name
    for inner, field in schema.get("properties", {}).items():
        yield from unbounded(f"{name}.{inner}".lstrip("."), field, seen)


def test_every_text_and_list_has_a_limit() -> None:
    found = {
        where: [n for name, schema in given(told) for n in unbounded(name, schema)] for where, told in operations()
    }
    assert {where: names for where, names in found.items() if names} == {}
    assert len(found) > 60


@pytest.mark.parametrize(
    ("schema", "bad"),
    [
        ({"type": "string"}, True),
        ({"type": "string", "maxLength": 10}, False),
        ({"type": "array", "items": {"type": "string", "maxLength": 10}}, True),
        ({"type": "array", "maxItems": 3, "items": {"type": "string"}}, True),
        ({"anyOf": [{"type": "null"}, {"type": "object"}]}, True),
        ({"type": "string", "maxLength": 10**9}, True),
    ],
)
def test_what_has_none_is_found(schema: dict[str, Any], bad: bool) -> None:
    assert bool(list(unbounded("x", schema))) is bad
