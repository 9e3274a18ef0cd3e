"""The form of the JSON Schemas: what generated code reads and writes again without losing or adding anything.

Two forms of a model. *Written*: what a record of ours looks like; `required` is what is always there, and nothing is null,
since what is None is left out. *Writing*, for commands, which other systems write: `required` is what they must say.
In both, properties have no titles and nothing stands beside a `$ref`: generators take either for a type of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .base import Message

JsonSchema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
WRITTEN = "What is written: what is required is always there, and nothing is null."
WRITING = "What may be written: what is not required may be left out."
_NULL: JsonSchema = {"type": "null"}
KEPT = Path(__file__).with_name("published.json")


@dataclass(slots=True)
class Published:
    """What the records of earlier versions always have, by model: those are kept, some of them for ever."""

    always: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Published:
        """From the schemas of the kept baseline; nothing where there is none."""
        found = cls()
        for path in sorted(folder.rglob("*.json")):
            schema = json.loads(path.read_text())
            told = schema.get("$comment") == WRITTEN
            for definition in (schema, *schema.get("$defs", {}).values()):
                found.always.setdefault(definition["title"], set()).update(
                    definition.get("required", ()) if told else _never_null(definition)
                )
        return found

    @classmethod
    def kept(cls) -> Published:
        """As `of` the kept baseline, from the file that the package carries, since the baseline lies in the repository alone."""
        return cls({title: set(names) for title, names in json.loads(KEPT.read_text()).items()})

    def text(self) -> str:
        """What `kept` reads."""
        return json.dumps({title: sorted(names) for title, names in sorted(self.always.items())}, indent=1) + "\n"

    def lacks(self, title: str, name: str) -> bool:
        """Whether records may be kept that do not have this property."""
        return title in self.always and name not in self.always[title]


def written(model: type[Message], published: Published | None = None) -> JsonSchema:
    """The model as its records are."""
    published = published or Published()

    def always(definition: JsonSchema) -> Iterable[str]:
        title = definition["title"]
        return [name for name in _never_null(definition) if not published.lacks(title, name)]

    return _form(model, WRITTEN, always)


def writing(model: type[Message]) -> JsonSchema:
    """The model as other systems may write it. Its type may stand in `ce_type` alone."""

    def must(definition: JsonSchema) -> Iterable[str]:
        properties = definition.get("properties", {})
        return [name for name in definition.get("required", ()) if not _nullable(properties[name])]

    return _form(model, WRITING, must)


def draft_07(schema: JsonSchema) -> JsonSchema:
    """The same schema, said in draft 07, which every registry compares.

    The newer draft's names are two: the dialect's own, and that of the definitions. All other keywords mean the same in
    both (a test holds the schemas to them).
    """
    made: JsonSchema = _renamed(schema)
    return {**made, "$schema": "http://json-schema.org/draft-07/schema#"}


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            "definitions" if key == "$defs" else key:
                inner.replace("#/$defs/", "#/definitions/") if key == "$ref" else _renamed(inner)
            for key, inner in value.items()
        }  # fmt: skip
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value


def bundle(schemas: Iterable[JsonSchema]) -> JsonSchema:
    """All models once, each under its own name, for generators that name types by where they stand."""
    models: JsonSchema = {}
    for schema in schemas:
        whole = {key: value for key, value in schema.items() if key not in ("$schema", "$comment", "$defs")}
        for name, definition in {**schema.get("$defs", {}), schema["title"]: whole}.items():
            if models.setdefault(name, definition) != definition:
                raise ValueError(f"two models are named {name}")
    return {
        "$schema": DIALECT, "$comment": WRITTEN, "title": "Mailroom",
        "description": "Every model of every topic, and what they are made of.",
        "$defs": dict(sorted(models.items())),
    }  # fmt: skip


def _form(model: type[Message], comment: str, required: Any) -> JsonSchema:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    made: JsonSchema = {"$schema": DIALECT, "$comment": comment}
    inner = {name: _definition(part, required) for name, part in schema.pop("$defs", {}).items()}
    if inner:
        made["$defs"] = inner
    return made | _definition(schema, required)


def _definition(schema: JsonSchema, required: Any) -> JsonSchema:
    made = {key: value for key, value in schema.items() if key not in ("properties", "required")}
    if "properties" in schema:
        made["properties"] = {name: _plain(said) for name, said in schema["properties"].items()}
        if always := list(required(schema)):
            made["required"] = always
    return made


def _plain(schema: JsonSchema) -> JsonSchema:
    """A property without title and null."""
    made = {key: value for key, value in schema.items() if key != "title"}
    if _nullable(made):
        rest = [branch for branch in made.pop("anyOf") if branch != _NULL]
        made = {**rest[0], **made} if len(rest) == 1 else {"anyOf": rest, **made}
        if made.get("default", 0) is None:
            del made["default"]
        if made.get("examples") == [None]:
            del made["examples"]
        made.pop("title", None)
    if "$ref" in made:
        return {"$ref": made["$ref"]}
    if (values := made.pop("x-known-values", None)) is not None:
        made["examples"] = values  # an open enumeration: a keyword of our own is refused by strict validators
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _plain(made[key])
    if "anyOf" in made:
        made["anyOf"] = [_plain(branch) for branch in made["anyOf"]]
    return made


def _nullable(schema: JsonSchema) -> bool:
    return _NULL in schema.get("anyOf", ())


def _never_null(definition: JsonSchema) -> list[str]:
    return [name for name, said in definition.get("properties", {}).items() if not _nullable(said)]
