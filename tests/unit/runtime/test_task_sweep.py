"""No task dies in silence: each is begun by the runtime's helpers, or whoever begins it waits for it or looks how it ended."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HELPERS = "shared/runtime/mailroom_runtime/process/tasks.py"
BEGIN = ("create_task", "ensure_future")
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def sources() -> Iterator[Path]:
    for folder in ("services", "shared"):
        for path in (ROOT / folder).glob("*/mailroom_*/**/*.py"):
            if path.relative_to(ROOT).as_posix() != HELPERS:
                yield path


def begins(node: ast.AST) -> bool:
    """asyncio.create_task, loop.create_task, ensure_future; not a TaskGroup's, which raises by itself."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in BEGIN
        and not (isinstance(node.func.value, ast.Name) and node.func.value.id.endswith("group"))
    ) or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BEGIN)


def forgotten(source: str) -> list[int]:
    """Lines that begin a task whose end nobody in the same function sees."""
    found: list[int] = []
    if not any(word in source for word in BEGIN):
        return found
    tree = ast.parse(source)
    inner = {child for each in ast.walk(tree) if isinstance(each, FUNCTION) for child in ast.walk(each) if child is not each
             and isinstance(child, FUNCTION)}  # fmt: skip
    for function in ast.walk(tree):
        if isinstance(function, FUNCTION) and function not in inner:
            found += _forgotten_in(function)
    for node in tree.body:
        if not isinstance(node, (*FUNCTION, ast.ClassDef)):
            found += [each.lineno for each in ast.walk(node) if begins(each)]
    return sorted(found)


def _forgotten_in(function: ast.AST) -> Iterator[int]:
    seen = {ast.unparse(part) for node in ast.walk(function) if isinstance(node, ast.Await) for part in ast.walk(node)
            if isinstance(part, ast.Name | ast.Attribute)}  # fmt: skip
    seen |= {ast.unparse(node.func.value) for node in ast.walk(function)
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_done_callback"}  # fmt: skip
    for statement in ast.walk(function):
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
            continue
        for call in (node for node in ast.walk(statement) if begins(node)):
            if not any(name in seen for name in _names(statement)):
                yield call.lineno


def _names(statement: ast.stmt) -> list[str]:
    """What the task is kept under: a name, an attribute, or a collection that it is put into."""
    if isinstance(statement, ast.Assign):
        return [ast.unparse(target) for target in statement.targets]
    if isinstance(statement, ast.AnnAssign):
        return [ast.unparse(statement.target)]
    if (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
    ):
        return [ast.unparse(statement.value.func.value)]
    return []


def test_nobody_begins_a_task_and_forgets_it() -> None:
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path in sources() for line in forgotten(path.read_text())]
    assert wrong == [], "begin it by `lasting`, `aside` or `Service.spawn`"


CANCELLED_ONCE = re.compile(r"\.cancel\(\)\n\s+await asyncio\.gather\(")


def test_nobody_waits_for_a_task_that_was_cancelled_once_only() -> None:
    """The cancellation may be lost (see `end`), and then whoever waits does so for ever; tests too."""
    paths = [*sources(), *(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))]
    assert [str(path.relative_to(ROOT)) for path in paths if CANCELLED_ONCE.search(path.read_text())] == [], "use `end`"


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        ("async def f(self):\n self.t = asyncio.create_task(self.g())", [2]),
        ("async def f():\n asyncio.create_task(g())", [2]),
        ("def f(self):\n self.all[1] = asyncio.create_task(g(), name='x')", [2]),
        ("async def f():\n t = asyncio.ensure_future(g())\n t.cancel()", [2]),
        ("async def f():\n t = asyncio.create_task(g())\n await asyncio.wait({t})", []),
        ("def f():\n t = asyncio.create_task(g())\n t.add_done_callback(ended)", []),
        ("async def f():\n async with asyncio.TaskGroup() as group:\n  group.create_task(g())", []),
        ("async def f():\n all = []\n all.append(asyncio.create_task(g()))\n await asyncio.gather(*all)", []),
    ],
)
def test_the_sweep_sees_what_it_is_to_see(source: str, bad: list[int]) -> None:
    assert forgotten(source) == bad
