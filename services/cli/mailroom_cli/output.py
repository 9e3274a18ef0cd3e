"""What commands print: a table for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
console = Console()


class Failure(Exception):
    """Something went wrong that a person can do something about; the message says what."""


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with status 1."""
    sys.stderr.write(f"mailroom: {message}\n")
    raise SystemExit(1)


def show(value: Any, as_json: bool, *, columns: Sequence[str] = (), title: str | None = None) -> None:
    """Print a list of rows as a table, or one record as lines; with `as_json` exactly the value."""
    if as_json:
        sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
        return
    if isinstance(value, Mapping):
        grid = Table.grid(padding=(0, 2))
        for name, item in value.items():
            grid.add_row(f"[bold]{name}[/]", cell(item))
        console.print(grid)
        return
    rows = list(value)
    if not rows:
        console.print(f"[dim]{title or 'nothing'}: none[/]")
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    names = list(columns) or list(rows[0])
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(cell(row.get(name)) for name in names))
    console.print(table)


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={cell(v)}" for k, v in value.items() if v not in (None, "", [], {}))
    if isinstance(value, list | tuple):
        return ", ".join(cell(v) for v in value)
    return str(value).replace("[", r"\[")
