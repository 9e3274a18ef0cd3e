"""The committed schemas are those of the models, say everything, and stay readable for subscribers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mailroom_contracts import encode, schema_form, schemas
from mailroom_contracts.topics import TOPICS
from support.generated_code import SAYS_SOMETHING_EMPTY
from support.made_records import made

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "contracts"
SUBSCRIBING = (FOLDER.parent / "subscribing.md").read_text()
asyncapi = cache(schemas.asyncapi)


def test_the_committed_schemas_are_current_and_compatible() -> None:
    assert schemas.check(FOLDER) == []


@pytest.mark.parametrize("name", list(schemas.models()))
def test_every_field_has_a_description_and_an_example(name: str) -> None:
    schema = schemas.models()[name][1].model_json_schema(by_alias=True)
    for owner, definition in {name: schema, **schema.get("$defs", {})}.items():
        assert definition.get("description"), owner
        for field, said in definition.get("properties", {}).items():
            assert said.get("description"), f"{owner}.{field} has no description"
            assert "examples" in said, f"{owner}.{field} has no example"


KEYWORDS = {
    "$schema", "$comment", "$defs", "$ref", "title", "description", "type", "properties", "required", "items", "anyOf",
    "additionalProperties", "const", "enum", "default", "examples", "format", "minimum", "maximum", "exclusiveMinimum",
    "minLength", "maxLength", "minItems", "maxItems", "pattern",
}  # fmt: skip


def _files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in FOLDER.glob(pattern))


@pytest.mark.parametrize(
    "path", _files("schemas/**/*.json", "writing/**/*.json", "mailroom.json"), ids=lambda p: p.stem
)
def test_generators_and_strict_validators_take_the_form(path: Path) -> None:
    def look(schema: Any, where: str, *, is_model: bool = False) -> None:
        assert set(schema) <= KEYWORDS, where
        assert ("title" in schema) == is_model, f"{where}: a name is for models only"
        if "$ref" in schema:
            assert set(schema) == {"$ref"}, f"{where}: something stands beside $ref"
        assert schema.get("type") != "null", where
        assert schema.get("default", 0) is not None, where
        assert None not in schema.get("examples", ()), where
        if "properties" in schema:
            assert is_model, f"{where}: an object without a name"
            assert set(schema.get("required", ())) <= set(schema["properties"])
        for name, said in schema.get("properties", {}).items():
            look(said, f"{where}.{name}")
        for name, model in schema.get("$defs", {}).items():
            assert model["title"] == name
            look(model, name, is_model=True)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                look(schema[key], f"{where}[]")
        for branch in schema.get("anyOf", ()):
            look(branch, where)

    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    look(schema, path.stem, is_model=True)


def test_what_is_always_written_is_required_and_what_came_later_is_not() -> None:
    published = schema_form.Published.of(FOLDER / "baseline")
    for name, (_, model) in schemas.models().items():
        schema = schema_form.written(model, published)
        for title, definition in {**schema.get("$defs", {}), schema["title"]: schema}.items():
            for field in definition.get("required", ()):
                assert not published.lacks(title, field), f"{title}.{field}: records are kept without it"
        if "type" in schema["properties"]:
            assert "type" in schema["required"], name
    tickets = schema_form.written(schemas.models()["tickets"][1], published)
    assert "version" in tickets["required"]
    assert "tags" not in tickets["required"], "added after 0.1.0"


@pytest.mark.parametrize("name", list(schemas.models()))
def test_a_record_with_nothing_but_what_must_be_holds_to_what_is_written(name: str) -> None:
    topic, model = schemas.models()[name]
    least = _least(schemas.json_schema(model))
    value = encode(topic, model.model_validate(least), source="test").value
    assert value is not None
    jsonschema.validate(json.loads(value), json.loads((FOLDER / "schemas" / f"{name}.json").read_text()))


def test_a_list_that_no_schema_demands_is_left_out_where_it_is_empty() -> None:
    """Go, Rust and others leave it out when they write the record again; so do we, and nothing is lost."""
    definitions = json.loads((FOLDER / "mailroom.json").read_text())["$defs"]

    def look(value: Any, said: dict[str, Any], where: str) -> None:
        said = definitions[said["$ref"].rsplit("/", 1)[-1]] if "$ref" in said else said
        if isinstance(value, list):
            for inner in value:
                look(inner, said.get("items", {}), where)
        elif isinstance(value, dict):
            for name, inner in value.items():
                field = said.get("properties", {}).get(name, {})
                told = "properties" not in said or f"{where}.{name}" in SAYS_SOMETHING_EMPTY
                demanded = told or name in said.get("required", ())
                assert demanded or inner != [], f"{where}.{name} is empty, and no schema demands it"
                look(inner, field, f"{where}.{name}")

    for line in made(20):
        look(json.loads(line.value), definitions[line.model], line.model)


def _least(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    root = root or schema
    if "$ref" in schema:
        return _least(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    if "const" in schema:
        return schema["const"]
    if schema.get("format") == "date-time":
        return "2026-11-24T11:55:01+02:00"
    if "properties" in schema:
        return {n: _least(schema["properties"][n], root) for n in schema.get("required", ())}
    return {"integer": 7, "number": 1.5, "boolean": True, "array": [], "object": {}}.get(str(schema.get("type")), "x")


def test_times_are_written_in_utc_with_z() -> None:
    topic, model = schemas.models()["ticket.events/ticket.created"]
    value = encode(topic, model.model_validate(_least(schemas.json_schema(model))), source="test").value or b""
    assert json.loads(value)["at"] == "2026-11-24T09:55:01Z"


@pytest.mark.parametrize("name", list(schemas.models()))
def test_the_ce_type_that_is_sent_is_told(name: str) -> None:
    """A dispatcher made from the document knows every record."""
    topic, model = schemas.models()[name]
    message = asyncapi()["components"]["messages"][name.split("/")[-1]]
    (*_, told) = message["headers"]["allOf"]
    said = told["properties"]["ce_type"]
    known = [said["const"]] if "const" in said else said["examples"]
    for field in ("state", "action"):
        extra = getattr(model.model_fields.get(field), "json_schema_extra", None) or {}
        for value in extra.get("x-known-values", ["x"]):
            given = _least(schemas.json_schema(model)) | ({field: value} if value != "x" else {})
            sent = dict(encode(topic, model.model_validate(given), source="test").headers)["ce_type"].decode()
            assert sent in known or value == "x"
    assert all(f"`{each}`" in SUBSCRIBING for each in known if topic.name != "ticket.events" and len(topic.models) == 1)


def test_asyncapi_has_every_topic_and_resolves() -> None:
    document = asyncapi()
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"{prefix}." + topic.name + ".v1" + end for topic in TOPICS for end in ("", ".dead")}
    deleting = [topic.name for topic in TOPICS if topic.tombstone_type is not None]
    assert deleting
    for name in deleting:
        assert document["components"]["messages"][f"{name}.tombstone"]["payload"] == {"type": "null"}

    def resolve(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(ref := value.get("$ref"), str):
                at: Any = document
                for part in ref.removeprefix("#/").split("/"):
                    at = at[part]
            for inner in value.values():
                resolve(inner)
        elif isinstance(value, list):
            for inner in value:
                resolve(inner)

    resolve(document)
