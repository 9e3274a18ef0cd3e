"""Which changes of a schema break those who have the old one: its readers, and for commands its writers.

Both ask the same: may there be a value by the one schema that the other does not allow? A reader has the old schema and
gets values of the new one; a writer's values are of the old schema, and must be allowed by what is accepted now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

JsonSchema = dict[str, Any]
WRITTEN_BY_OTHERS = frozenset({"ticket.commands"})
_AT_MOST = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum")
_AT_LEAST = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum")
_SAME = ("format", "pattern", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType")
_NULL = "null"


@dataclass(frozen=True, slots=True)
class _Side:
    """Which way values go, and how that is told. `null_is_missing`: null stands for what may be left out."""

    reads: bool
    null_is_missing: bool = False

    def missing(self) -> str:
        return "was always there, now it may be missing" if self.reads else "is now required, and writers leave it out"

    def types(self, names: str) -> str:
        return f"may now be {names}" if self.reads else f"may not be {names} any more"

    def rule(self, name: str, old: object, new: object) -> str:
        return f"{name} was {old!r}, now {new!r}"


def unreadable(old: JsonSchema, new: JsonSchema, where: str) -> list[str]:
    """Changes that break who has `old`; `where` begins with the topic's name, which says whether others write it, too."""
    problems = _beyond(_At(new, new), _At(old, old), where, _Side(reads=True), frozenset())
    problems += _lost_and_closed(_At(old, old), _At(new, new), where, frozenset())
    if where.split("/")[0] in WRITTEN_BY_OTHERS:
        # null stays allowed for whatever may be missing: it is told by no schema, and taken by every reader of commands
        problems += unwritable(old, new, where, null_is_missing=True)
    return list(dict.fromkeys(problems))


def unwritable(old: JsonSchema, accepted: JsonSchema, where: str, *, null_is_missing: bool = False) -> list[str]:
    """What a writer who has `old` may write, and what is not accepted any more."""
    side = _Side(reads=False, null_is_missing=null_is_missing)
    return _beyond(_At(old, old), _At(accepted, accepted), where, side, frozenset())


@dataclass(frozen=True, slots=True)
class _At:
    """A schema and the document that its references lead through."""

    schema: JsonSchema
    root: JsonSchema

    def branches(self) -> Iterator[_At]:
        """Every alternative by itself, each of one type."""
        schema = self.resolved()
        for key in ("anyOf", "oneOf"):
            if key in schema:
                for branch in schema[key]:
                    yield from _At(branch, self.root).branches()
                return
        kinds = schema.get("type")
        if isinstance(kinds, list):
            for kind in kinds:
                yield _At({**schema, "type": kind}, self.root)
            return
        yield _At(schema, self.root)

    def resolved(self) -> JsonSchema:
        schema = self.schema
        while (ref := schema.get("$ref")) is not None:
            schema = self.root["$defs"][ref.rsplit("/", 1)[-1]]
        return schema

    @property
    def ref(self) -> str:
        """Where a cycle would come back to."""
        found = [s.get("$ref", "") for s in (self.schema, *self.schema.get("anyOf", ()))]
        return next((ref for ref in found if ref), "")


def _beyond(
    values: _At, allowed: _At, where: str, side: _Side, seen: frozenset[tuple[str, str]], optional: bool = False
) -> list[str]:
    """Where a value by `values` may not be allowed by `allowed`."""
    pair = (values.ref, allowed.ref)
    if all(pair):
        if pair in seen:
            return []
        seen |= {pair}
    problems: list[str] = []
    alternatives = list(allowed.branches())
    beyond: list[str] = []
    for branch in values.branches():
        kind = branch.schema.get("type")
        if kind == _NULL and optional:
            continue
        fitting = [a for a in alternatives if _takes(a.schema.get("type"), kind)]
        if not fitting:
            beyond.append(str(kind or "anything"))
            continue
        tried = [_one_beyond(branch, a, where, side, seen) for a in fitting]
        problems.extend(sorted(tried, key=len)[0])
    if beyond:
        problems.append(f"{where}: {side.types(', '.join(sorted(set(beyond))))}")
    return problems


def _takes(allowed: str | None, kind: str | None) -> bool:
    return allowed is None or allowed == kind or (allowed, kind) == ("number", "integer")


def _one_beyond(values: _At, allowed: _At, where: str, side: _Side, seen: frozenset[tuple[str, str]]) -> list[str]:
    mine, its = values.schema, allowed.schema
    problems = _rules_beyond(mine, its, where, side)
    always = set(mine.get("required", ()))
    problems += [f"{where}.{name}: {side.missing()}" for name in its.get("required", ()) if name not in always]
    properties, others = its.get("properties", {}), its.get("additionalProperties", True)
    for name, said in mine.get("properties", {}).items():
        if name in properties:
            inner = _At(properties[name], allowed.root)
        elif others is False:
            problems.append(f"{where}.{name}: is not known there, and nothing unknown is allowed")
            continue
        elif isinstance(others, dict):
            inner = _At(others, allowed.root)
        else:
            continue
        may_miss = side.null_is_missing and name not in its.get("required", ())
        problems += _beyond(_At(said, values.root), inner, f"{where}.{name}", side, seen, may_miss)
    for key in ("items", "additionalProperties"):
        if isinstance(its.get(key), dict):
            inner_values = mine.get(key)
            if isinstance(inner_values, dict):
                at = f"{where}[]"
                problems += _beyond(_At(inner_values, values.root), _At(its[key], allowed.root), at, side, seen)
            elif key == "items":
                problems.append(f"{where}[]: {side.types('anything')}")
    return problems


def _rules_beyond(mine: JsonSchema, its: JsonSchema, where: str, side: _Side) -> list[str]:
    problems: list[str] = []
    may_be = _listed(its)
    if may_be is not None:
        is_one_of = _listed(mine)
        if is_one_of is None:
            problems.append(f"{where}: {_only(may_be)}, now it may be anything" if side.reads
                            else f"{where}: is now {_only(may_be)}")  # fmt: skip
        elif more := [value for value in is_one_of if value not in may_be]:
            problems.append(f"{where}: {side.types(', '.join(map(repr, more)))}")
    for name in _SAME:
        if name in its and mine.get(name) != its[name]:
            problems.append(f"{where}: {side.rule(name, *_in_time(mine.get(name), its[name], side))}")
    for names, looser in ((_AT_MOST, float.__gt__), (_AT_LEAST, float.__lt__)):
        for name in names:
            if name in its and (name not in mine or looser(float(mine[name]), float(its[name]))):
                problems.append(f"{where}: {side.rule(name, *_in_time(mine.get(name), its[name], side))}")
    return problems


def _in_time(values: object, allowed: object, side: _Side) -> tuple[object, object]:
    return (allowed, values) if side.reads else (values, allowed)


def _listed(schema: JsonSchema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found = schema.get("enum")
    return list(found) if found is not None else None


def _only(values: list[Any]) -> str:
    return f"was always {values[0]!r}" if len(values) == 1 else f"one of {', '.join(map(repr, values))}"


def _lost_and_closed(old: _At, new: _At, where: str, seen: frozenset[tuple[str, str]]) -> list[str]:
    """What is no wrong value, and breaks readers all the same: fields gone, fields that kept records lack, enumerations."""
    pair = (old.ref, new.ref)
    if all(pair):
        if pair in seen:
            return []
        seen |= {pair}
    problems: list[str] = []
    todays = [branch for branch in new.branches() if branch.schema.get("type") != _NULL]
    for before in old.branches():
        kind = before.schema.get("type")
        now = next((branch for branch in todays if branch.schema.get("type") == kind), None)
        if kind == _NULL or now is None:
            continue
        if _listed(now.schema) is not None and _listed(before.schema) is None:
            problems.append(f"{where}: is a closed list now, and a value that is added later breaks its readers")
        known, found = before.schema.get("properties", {}), now.schema.get("properties", {})
        for name, said in known.items():
            if name not in found:
                problems.append(f"{where}.{name}: is gone")
            else:
                at = f"{where}.{name}"
                problems += _lost_and_closed(_At(said, old.root), _At(found[name], new.root), at, seen)
        if known:
            problems += [
                f"{where}.{name}: is new and always there, but the records that are kept do not have it"
                for name in now.schema.get("required", ()) if name not in known
            ]  # fmt: skip
        if isinstance(before.schema.get("items"), dict) and isinstance(now.schema.get("items"), dict):
            problems += _lost_and_closed(
                _At(before.schema["items"], old.root), _At(now.schema["items"], new.root), f"{where}[]", seen
            )
    return problems
