"""JSON Schemas and an AsyncAPI 3 document, generated from the models: `python -m mailroom_contracts.schemas`.

`write` makes them anew in docs/contracts; `check` says where the committed ones differ, and which changes who has the
kept baseline (docs/contracts/baseline) could not read, or could not write any more.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .asyncapi import asyncapi, message_name
from .base import Message
from .commands import TicketCommand
from .compatibility import WRITTEN_BY_OTHERS, unreadable, unwritable
from .schema_form import KEPT, JsonSchema, Published, bundle, writing, written
from .topics import TOPICS, Topic

__all__ = ["asyncapi", "check", "generated", "json_schema", "models", "unreadable", "write"]


def models() -> dict[str, tuple[Topic, type[Message]]]:
    """Every schema's name with its topic and model: `ticket.events/ticket.created`, `tickets`."""
    found: dict[str, tuple[Topic, type[Message]]] = {}
    for topic in TOPICS:
        for model in topic.models:
            name = message_name(topic, model)
            found[name if name == topic.name else f"{topic.name}/{name}"] = (topic, model)
    return found


def json_schema(model: type[Message]) -> JsonSchema:
    """The JSON Schema (2020-12) of a model: as it is written, or for a command as other systems may write it."""
    return writing(model) if issubclass(model, TicketCommand) else written(model, Published.kept())


def generated(published: Published) -> dict[str, str]:
    """Every file by its path below docs/contracts."""
    as_written = {name: written(model, published) for name, (_, model) in models().items()}
    files = {f"schemas/{name}.json": _text(schema) for name, schema in as_written.items()}
    files |= {
        f"writing/{name}.json": _text(writing(model))
        for name, (topic, model) in models().items() if topic.name in WRITTEN_BY_OTHERS
    }  # fmt: skip
    files["mailroom.json"] = _text(bundle(as_written.values()))
    files["asyncapi.json"] = _text(asyncapi(published))
    return files


def check(folder: Path) -> list[str]:
    """What is wrong with the committed schemas: out of date, or not for who has the baseline."""
    problems = []
    published = Published.of(folder / "baseline")
    files = generated(published)
    for target, text in {**{folder / path: text for path, text in files.items()}, KEPT: published.text()}.items():
        if not target.is_file() or target.read_text() != text:
            problems.append(f"{target}: out of date; run `python -m mailroom_contracts.schemas write`")
    known = {folder / path for path in files}
    for made in ("schemas", "writing"):
        problems += [f"{p}: no model makes it any more" for p in (folder / made).rglob("*.json") if p not in known]
    for old_path in sorted((folder / "baseline").rglob("*.json")):
        name = str(old_path.relative_to(folder / "baseline").with_suffix(""))
        problems += _broken(name, json.loads(old_path.read_text()), published)
    return problems


def _broken(name: str, old: JsonSchema, published: Published) -> list[str]:
    entry = models().get(name)
    if entry is None:
        return [f"{name}: was published, and is gone"]
    topic, model = entry
    if topic.name not in WRITTEN_BY_OTHERS:
        return unreadable(old, written(model, published), name)
    # what is accepted is more than what is told: null for whatever may be missing
    return unreadable(old, writing(model), name) + unwritable(old, model.model_json_schema(by_alias=True), name)


def write(folder: Path, *, baseline: bool = False) -> None:
    """Write the generated files; with `baseline` also keep them as what subscribers have."""
    for path, text in generated(Published.of(folder / "baseline")).items():
        _put(folder / path, text)
        kind, _, name = path.partition("/")
        if baseline and (kind == "writing" or (kind == "schemas" and name.split("/")[0] not in WRITTEN_BY_OTHERS)):
            _put(folder / "baseline" / name, text)
    _put(KEPT, Published.of(folder / "baseline").text())


def _put(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def _text(value: JsonSchema) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def main(arguments: list[str]) -> int:
    """`write`, `check`, or `baseline` (write, and keep as what subscribers have); docs/contracts by default."""
    action = arguments[0] if arguments else "check"
    folder = Path(arguments[1] if len(arguments) > 1 else "docs/contracts")
    if action in ("write", "baseline"):
        write(folder, baseline=action == "baseline")
        return 0
    if action != "check":
        sys.stderr.write("usage: python -m mailroom_contracts.schemas [write|check|baseline] [FOLDER]\n")
        return 2
    problems = check(folder)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
