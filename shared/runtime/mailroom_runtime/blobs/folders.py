"""Names in folders that survive a power cut: a file whose bytes are synced is lost with the entry that names it."""

from __future__ import annotations

import os
from pathlib import Path


def sync(folder: Path) -> None:
    """The folder's entries are on disk when this returns (fsync(2): a file's own sync does not say so)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make(folder: Path) -> None:
    """Make a folder and those above it, each entry synced."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync(each.parent)
