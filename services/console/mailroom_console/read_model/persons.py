"""A person is taken out of the rows of another customer's ticket. Pure."""

from __future__ import annotations

import json
from typing import Any

from mailroom_runtime.forgotten import Forgotten

_JSON, _VALUES = ("document",), ("delivery", "answers")


def without_person(row: dict[str, Any], person: Forgotten) -> dict[str, Any]:
    """What is another in the row afterwards."""
    changed: dict[str, Any] = {}
    for name in _JSON:
        if row.get(name):
            before = json.loads(row[name])
            if (after := person.without(before)) is not before:
                changed[name] = json.dumps(after, ensure_ascii=False, separators=(",", ":"))
    for name in _VALUES:
        if row.get(name) and (after := person.without(row[name])) is not row[name]:
            changed[name] = after
    return changed
