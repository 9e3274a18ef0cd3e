"""A subscriber with an older version of the contracts reads what today's services write, and more than that.

The old version is kept as the wheel that was published (tests/data/old_release); it runs in a process of its own.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mailroom_contracts import Message, encode, schemas
from mailroom_contracts.topics import Topic

ROOT = Path(__file__).resolve().parents[2]
WHEELS = sorted((ROOT / "tests" / "data" / "old_release").glob("*/mailroom_contracts-*.whl"))
BASELINE = ROOT / "docs" / "contracts" / "baseline"
READER = """
import base64, json, sys
import mailroom_contracts
assert ".whl" in mailroom_contracts.__file__, mailroom_contracts.__file__
from mailroom_contracts import decode, topics
from mailroom_contracts.topics import by_name
for line in sys.stdin:
    given = json.loads(line)
    headers = [(k, v.encode()) for k, v in given["headers"]]
    read = decode(by_name(given["topic"]), base64.b64decode(given["value"]), headers)
    print(json.dumps(None if read is None else [type(read).__name__, read.record_key]))
"""


def example(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """A value that holds to a schema: its examples where they do, else made from its parts."""
    if (ref := schema.get("$ref")) is not None:
        return example(root["$defs"][ref.rsplit("/", 1)[-1]], root)
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], root)
    if schema.get("type") == "object" or "properties" in schema:
        return {name: example(field, root) for name, field in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [example(schema["items"], root)]
    if schema.get("format") == "date-time":
        return "2026-11-24T11:55:01Z"
    return {"integer": 7, "number": 1.5, "boolean": True}.get(str(schema.get("type")), "x")


def newer(name: str) -> tuple[Topic, Message, bytes, list[tuple[str, str]]]:
    """A record as a service of tomorrow may write it: every field, and fields that nobody knows yet."""
    topic, model = schemas.models()[name]
    schema = model.model_json_schema(by_alias=True)
    message = model.model_validate(example(schema, schema))
    record = encode(topic, message, source="tomorrow", now=datetime(2027, 1, 1, tzinfo=UTC))
    value = json.loads(record.value or b"{}")

    def grow(part: Any) -> Any:
        if isinstance(part, dict):
            return {**{k: grow(v) for k, v in part.items()}, "added_tomorrow": {"deep": [1, None]}}
        return [grow(each) for each in part] if isinstance(part, list) else part

    return topic, message, json.dumps(grow(value)).encode(), [(k, v.decode()) for k, v in record.headers]


@pytest.mark.parametrize("wheel", WHEELS, ids=[w.name for w in WHEELS])
def test_an_old_reader_reads_every_record_of_a_newer_writer(wheel: Path) -> None:
    lines, expected = [], []
    for name in schemas.models():
        if not (BASELINE / f"{name}.json").exists():
            continue
        topic, message, value, headers = newer(name)
        lines.append(json.dumps({"topic": topic.name, "value": base64.b64encode(value).decode(), "headers": headers}))
        expected.append([type(message).__name__, message.record_key])
    danced = {"topic": "ticket.events", "value": base64.b64encode(b'{"type":"ticket.danced"}').decode(), "headers": []}
    lines.append(json.dumps(danced))
    done = subprocess.run(
        [sys.executable, "-c", READER], input="\n".join(lines), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(wheel)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [*expected, None]


@pytest.mark.parametrize("name", [n for n in schemas.models() if (BASELINE / f"{n}.json").exists()])
def test_what_is_written_today_holds_to_the_published_schema(name: str) -> None:
    _, _, value, _ = newer(name)
    jsonschema.validate(json.loads(value), json.loads((BASELINE / f"{name}.json").read_text()))
