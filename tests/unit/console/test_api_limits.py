"""Every string, list and number that the API takes has a limit, and its document says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from mailroom_console.api import build_api
from mailroom_console.context import Console


def unbounded(schema: dict[str, Any], document: dict[str, Any], way: str) -> Iterator[str]:
    """Where a client may send as much as it likes."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from unbounded(branch, document, way)
    kind = schema.get("type")
    if kind == "string" and not {"maxLength", "enum", "const", "format", "contentMediaType"} & schema.keys():
        yield way
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{way}[]"
        yield from unbounded(schema.get("items", {}), document, f"{way}[]")
    if kind == "integer" and not ({"maximum", "exclusiveMaximum"} & schema.keys()):
        yield way
    if kind == "object" and schema.get("additionalProperties") and "maxProperties" not in schema:
        yield f"{way}{{}}"
    for name, field in schema.get("properties", {}).items():
        yield from unbounded(field, document, f"{way}.{name}")


def test_everything_that_is_sent_has_a_limit() -> None:
    document = build_api(cast(Console, None)).openapi()
    found: list[str] = []
    looked_at = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                looked_at += 1
                found += unbounded(parameter["schema"], document, f"{method} {path} ?{parameter['name']}")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                looked_at += 1
                found += unbounded(content["schema"], document, f"{method} {path} ")
    assert looked_at > 80
    assert not found
