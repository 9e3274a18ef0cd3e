"""Mails that real programs wrote, in ../shared, with what is right for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mailroom_mail import Mail, read

SHARED = Path(__file__).parents[4] / "shared"


def expectations(folder: str) -> list[Any]:
    """One parameter a mail of that folder; none, marked as skipped, where ../shared is not here."""
    listed = SHARED / folder / "expect.jsonl"
    if not listed.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"../shared is not here ({listed})"))]
    rows = [json.loads(line) for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [pytest.param(row, id=row["file"]) for row in rows]


def mail_of(folder: str, row: dict[str, Any]) -> Mail:
    """The mail that a row speaks of."""
    return read((SHARED / folder / row["file"]).read_bytes())


def case(name: str, file: str) -> Mail:
    """A mail of ../shared by its path; the test is skipped where it is not here."""
    path = SHARED / name / file
    if not path.is_file():
        pytest.skip(f"../shared is not here ({path})")
    return read(path.read_bytes())


def squeezed(text: str | None) -> str:
    """Text without white space: some programs wrap lines themselves."""
    return "".join((text or "").split())
