"""The committed schemas are those of the models, say everything, and stay readable for subscribers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import schemas
from mailroom_contracts.topics import TOPICS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "contracts"


def test_the_committed_schemas_are_current_and_compatible() -> None:
    assert schemas.check(FOLDER) == []


@pytest.mark.parametrize("name", list(schemas.models()))
def test_every_field_has_a_description_and_an_example(name: str) -> None:
    schema = schemas.json_schema(schemas.models()[name][1])
    for owner, definition in {name: schema, **schema.get("$defs", {})}.items():
        assert definition.get("description"), owner
        for field, said in definition.get("properties", {}).items():
            assert said.get("description"), f"{owner}.{field} has no description"
            assert "examples" in said, f"{owner}.{field} has no example"


def test_asyncapi_has_every_topic_and_resolves() -> None:
    document = schemas.asyncapi()
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"{prefix}." + topic.name + ".v1" for topic in TOPICS}

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


def _changed(change: str) -> tuple[dict[str, Any], dict[str, Any]]:
    old = schemas.json_schema(schemas.models()["ticket.events/ticket.created"][1])
    new = copy.deepcopy(old)
    fields = new["properties"]
    match change:
        case "gone":
            del fields["number"]
        case "type":
            fields["version"] = {"type": "string"}
        case "optional":
            new["required"].remove("number")
        case "nested":
            del new["$defs"]["Person"]["properties"]["email"]
        case "nullable":
            fields["number"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
        case "added":
            fields["colour"] = {"type": "string"}
    return old, new


@pytest.mark.parametrize("change", ["gone", "type", "optional", "nested", "nullable"])
def test_a_change_that_subscribers_cannot_read_is_found(change: str) -> None:
    assert schemas.unreadable(*_changed(change), "x")


def test_a_new_field_is_fine() -> None:
    assert schemas.unreadable(*_changed("added"), "x") == []
