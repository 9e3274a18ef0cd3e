"""Changes of a schema that break its readers or its writers: one test for each kind, in each direction."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from mailroom_contracts import schemas
from mailroom_contracts.compatibility import unreadable, unwritable

Schema = dict[str, Any]
Change = Callable[[Schema], Any]
PERSON: Schema = {
    "title": "Person", "type": "object", "required": ["email"],
    "properties": {"email": {"type": "string"}, "name": {"type": "string"}},
}  # fmt: skip
NULL = {"type": "null"}


def base() -> Schema:
    """A bit of everything that a schema of ours has."""
    return {
        "$defs": {"Person": copy.deepcopy(PERSON)},
        "type": "object",
        "required": ["type", "id", "at", "count", "names"],
        "properties": {
            "type": {"type": "string", "const": "x.happened"},
            "id": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
            "count": {"type": "integer"},
            "share": {"type": "number"},
            "names": {"type": "array", "items": {"type": "string"}},
            "people": {"type": "array", "items": {"$ref": "#/$defs/Person"}},
            "who": {"anyOf": [{"$ref": "#/$defs/Person"}, NULL], "default": None},
            "said": {"type": "object", "additionalProperties": {"type": "string"}},
            "mood": {"type": "string", "enum": ["good", "bad"]},
            "short": {"type": "string", "maxLength": 10, "minLength": 2},
            "maybe": {"anyOf": [{"type": "string"}, NULL], "default": None},
        },
    }


def at(*path: str) -> Callable[[Schema], Schema]:
    def found(schema: Schema) -> Schema:
        for name in path:
            schema = schema[name]
        return schema

    return found


def put(*path: str, **values: Any) -> Change:
    return lambda schema: at(*path)(schema).update(values)


def drop(*path: str) -> Change:
    return lambda schema: at(*path[:-1])(schema).pop(path[-1])


def require(*names: str, of: tuple[str, ...] = ()) -> Change:
    return lambda schema: at(*of)(schema)["required"].extend(names)


def both(*changes: Change) -> Change:
    def make(schema: Schema) -> None:
        for change in changes:
            change(schema)

    return make


P = "properties"
NEW_FIELD = put(P, colour={"type": "string"})
# what breaks who reads, by kind
READERS: dict[str, Change] = {
    "a field is gone": drop(P, "share"),
    "a field within a part is gone": drop("$defs", "Person", P, "name"),
    "a field within a part that could be null is gone, and null with it": both(
        put(P, who={"$ref": "#/$defs/Person"}), drop("$defs", "Person", P, "name")
    ),
    "a field within a part in a list is gone": drop("$defs", "Person", P, "email"),
    "always there, now not": lambda s: s["required"].remove("id"),
    "always there in a part, now not": drop("$defs", "Person", "required"),
    "another type": put(P, "count", type="string"),
    "one more type": put(P, "id", type=["string", "integer"]),
    "a wider number": put(P, "count", type="number"),
    "null": put(P, id={"anyOf": [{"type": "string"}, NULL]}),
    "any type": put(P, id={}),
    "another type in a list": put(P, "names", "items", type="integer"),
    "anything in a list": drop(P, "names", "items"),
    "another type in a map": put(P, "said", additionalProperties={"type": "integer"}),
    "the constant changes": put(P, "type", const="x.danced"),
    "the constant goes": drop(P, "type", "const"),
    "the format goes": drop(P, "at", "format"),
    "the format changes": put(P, "at", format="date"),
    "one more value": put(P, "mood", enum=["good", "bad", "ugly"]),
    "any value": drop(P, "mood", "enum"),
    "an open list is closed": put(P, "id", enum=["a"]),
    "longer": put(P, "short", maxLength=20),
    "any length": drop(P, "short", "maxLength"),
    "shorter than before": put(P, "short", minLength=1),
    "new and always there, which kept records lack": both(NEW_FIELD, require("colour")),
}
# what is fine for who reads
READ_ALL_THE_SAME: dict[str, Change] = {
    "nothing": lambda _: None,
    "a new field": NEW_FIELD,
    "null goes": put(P, maybe={"type": "string"}),
    "null of a part goes": put(P, who={"$ref": "#/$defs/Person"}),
    "now always there": require("share"),
    "a narrower number": put(P, "share", type="integer"),
    "shorter": put(P, "short", maxLength=5),
    "one value less": put(P, "mood", enum=["good"]),
}
# what breaks who writes, by kind
WRITERS: dict[str, Change] = {
    "a new field that must be there": both(NEW_FIELD, require("colour")),
    "a field that must be there now": require("share"),
    "a field of a part that must be there now": require("name", of=("$defs", "Person")),
    "another type": put(P, "count", type="string"),
    "a narrower number": put(P, "share", type="integer"),
    "another type in a list": put(P, "names", "items", type="integer"),
    "another type in a map": put(P, "said", additionalProperties={"type": "integer"}),
    "the constant changes": put(P, "type", const="x.danced"),
    "a constant": put(P, "id", const="a"),
    "a format": put(P, "id", format="uuid"),
    "a pattern": put(P, "id", pattern="^[a-z]+$"),
    "a closed list": put(P, "id", enum=["a"]),
    "one value less": put(P, "mood", enum=["good"]),
    "a length": put(P, "id", maxLength=10),
    "a shorter length": put(P, "short", maxLength=5),
    "a longer least length": put(P, "short", minLength=5),
    "nothing unknown any more": both(drop(P, "share"), lambda s: s.update(additionalProperties=False)),
    "null of a part": put(P, who={"$ref": "#/$defs/Person"}),
    "null": put(P, maybe={"type": "string"}),
}  # fmt: skip
WRITTEN_ALL_THE_SAME: dict[str, Change] = {
    "nothing": lambda _: None,
    "a new field": NEW_FIELD,
    "no need any more": lambda s: s["required"].remove("id"),
    "one more type": put(P, "id", type=["string", "integer"]),
    "null": put(P, id={"anyOf": [{"type": "string"}, NULL]}),
    "longer": put(P, "short", maxLength=20),
    "one more value": put(P, "mood", enum=["good", "bad", "ugly"]),
    "any value": drop(P, "mood", "enum"),
    "no format": drop(P, "at", "format"),
}


def changed(change: Change) -> Schema:
    new = base()
    change(new)
    return new


@pytest.mark.parametrize("kind", READERS)
def test_what_breaks_readers(kind: str) -> None:
    (problem, *_) = unreadable(base(), changed(READERS[kind]), "ticket.events/x")
    assert problem.startswith("ticket.events/x")


@pytest.mark.parametrize("kind", READ_ALL_THE_SAME)
def test_what_readers_read_all_the_same(kind: str) -> None:
    assert unreadable(base(), changed(READ_ALL_THE_SAME[kind]), "ticket.events/x") == []


@pytest.mark.parametrize("kind", WRITERS)
def test_what_breaks_writers(kind: str) -> None:
    (problem, *_) = unwritable(base(), changed(WRITERS[kind]), "ticket.commands/x")
    assert problem.startswith("ticket.commands/x")


@pytest.mark.parametrize("kind", WRITTEN_ALL_THE_SAME)
def test_what_writers_write_all_the_same(kind: str) -> None:
    assert unwritable(base(), changed(WRITTEN_ALL_THE_SAME[kind]), "ticket.commands/x") == []


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if "null" not in kind])
def test_topics_that_others_write_are_looked_at_from_both_sides(kind: str) -> None:
    assert unreadable(base(), changed(WRITERS[kind]), "ticket.commands/x")


@pytest.mark.parametrize("kind", ["null of a part", "null"])
def test_null_may_go_from_what_is_told_of_commands_since_it_stays_accepted(kind: str) -> None:
    assert unreadable(base(), changed(WRITERS[kind]), "ticket.commands/x") == []


def test_parts_that_contain_themselves_come_to_an_end() -> None:
    loop = base()
    loop["$defs"]["Person"][P]["boss"] = {"anyOf": [{"$ref": "#/$defs/Person"}, NULL], "default": None}
    assert unreadable(loop, copy.deepcopy(loop), "x") == []
    assert unwritable(loop, copy.deepcopy(loop), "x") == []
    less = copy.deepcopy(loop)
    del less["$defs"]["Person"][P]["name"]
    assert unreadable(loop, less, "x")


@pytest.mark.parametrize("name", schemas.models())
def test_no_model_is_a_break_of_itself(name: str) -> None:
    schema = schemas.json_schema(schemas.models()[name][1])
    assert unreadable(schema, copy.deepcopy(schema), name) == []
