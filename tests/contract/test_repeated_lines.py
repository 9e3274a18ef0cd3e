"""What is said twice must be changed twice: no six statements in a row stand in two places."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("shared", "services", "deploy", "tests/support", "tests/load", "tests/browser")
IN_A_ROW = 6


def statements(source: str) -> list[str]:
    """Each statement (of a compound one: its head) without its layout; imports, comments and docstrings do not count."""
    lines = ["" if line.lstrip().startswith("#") else line.partition("  #")[0] for line in source.splitlines()]
    nodes = sorted((node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)), key=lambda n: n.lineno)
    begins = [*(node.lineno for node in nodes), len(lines) + 1]
    found = []
    for node, following in zip(nodes, begins[1:], strict=True):
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        end = min(following - 1, node.end_lineno or node.lineno)
        text = "".join("".join(lines[node.lineno - 1 : end]).split())
        found.append(text.replace(",)", ")").replace(",]", "]").replace(",}", "}"))
    return found


def repeated(files: dict[str, str]) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Where the same `IN_A_ROW` statements stand (file and number of the statement), and these."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, source in files.items():
        lines = statements(source)
        for first in range(len(lines) - IN_A_ROW + 1):
            places[tuple(lines[first : first + IN_A_ROW])].append(f"{name}:{first}")
    for block, where in places.items():
        if len(where) > 1:
            yield where, block


def test_no_six_statements_in_a_row_stand_in_two_places() -> None:
    files = {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "/migrations/" not in path.as_posix()
    }
    assert len(files) > 400
    assert list(repeated(files)) == []


def test_what_is_repeated_is_found_however_it_is_laid_out() -> None:
    lines = [f"a{n} = call({n}, other={n})" for n in range(IN_A_ROW)]
    laid_out = [f"a{n} = call(\n    {n},\n    other={n},\n)  # why" for n in range(IN_A_ROW)]
    both = {"one.py": "\n".join(["import os", *lines]), "two.py": "\n".join(["before = 1", *laid_out])}
    assert [where for where, _ in repeated(both)] == [["one.py:0", "two.py:1"]]
    assert list(repeated({"one.py": both["one.py"], "two.py": "\n".join(laid_out[1:])})) == []
