"""What other libraries keep private is touched in one module for each library, so that an upgrade is one place to look at."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "shared/runtime/mailroom_runtime/bus/aiokafka_private.py",
    "services/router/mailroom_router/faust_app.py",
}
# SQLAlchemy documents `Row._mapping`, and Python `os._exit`; the codec registry has no public way to ask whether a codec is one of text.
KNOWN = {"_mapping", "_exit", "_is_text_encoding"}
OURS = ("self", "cls", "other")


def _touched(tree: ast.AST) -> list[str]:
    """Expressions that read or set a private attribute of something that is not the object itself."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        value = node.value
        own = isinstance(value, ast.Name) and value.id in OURS
        above = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super"
        if not own and not above and node.attr not in KNOWN:
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def test_private_attributes_of_libraries_are_touched_in_one_place() -> None:
    touched = {
        file.relative_to(ROOT).as_posix(): found
        for folder in ("shared", "services")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (found := _touched(ast.parse(file.read_text())))
    }
    assert touched.keys() >= ALLOWED, "a module that needs none any more leaves the list"
    assert {file: found for file, found in touched.items() if file not in ALLOWED} == {}
