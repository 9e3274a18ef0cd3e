"""Naming what is wrong with a mail, once each and never without end."""

from __future__ import annotations

MAX_DEFECTS = 64  # a mail with more is made to have them


def add(defects: list[str], defect: str) -> None:
    """Name a defect once."""
    if defect not in defects and len(defects) < MAX_DEFECTS:
        defects.append(defect)
