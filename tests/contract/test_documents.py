"""What our documents promise is there: links lead somewhere, named files exist, commands are targets or run in a test."""

from __future__ import annotations

import os
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from support.documented import commands, links, named_paths, targets, unnamed_blocks
from support.processes import REPOSITORY

DOCUMENTS = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "docs" / "decisions").glob("*.md")),
]
NEWCOMERS = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "docs/subscribing.md")]
MADE_LATER = (".data/", ".venv/", "mailroom_console/built/")  # what only an installation has
# a media type, the reader's own file, and one that stands in ../shared
NO_FILES = {"message/rfc822", "subscriber.py", "compare.py"}
# Run by a test of their own, which fails when one of them is no longer documented:
# tests/e2e/test_internal_address.py and tests/integration/contracts/test_subscribing.py.
RUN = {
    "make demo",
    "make up",
    "make down",
    "make status",
    "make logs",
    "make clean",
    "make help",
    "pip install ./shared/contracts aiokafka",
    "python subscriber.py",
    "mailroom schemas register --dry-run",
    "mailroom schemas register",
}


@cache
def places() -> frozenset[str]:
    """Every file and folder of the repository by each end of its path; a package's own folder may be left out."""
    found: set[str] = set()
    for top, folders, files in os.walk(REPOSITORY):
        folders[:] = [
            f for f in folders if f not in (".git", ".venv", ".cache", ".data", "__pycache__", "node_modules")
        ]
        for name in (*folders, *files):
            parts = (Path(top) / name).relative_to(REPOSITORY).parts
            short = tuple(p for p in parts[:-1] if not p.startswith("mailroom_")) + parts[-1:]
            for words in (parts, short):
                found.update("/".join(words[n:]) for n in range(len(words)))
    return frozenset(found)


def ids(document: Path) -> str:
    return document.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_link_leads_to_a_file(document: Path) -> None:
    assert [link for link in links(document) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_named_file_is_there(document: Path) -> None:
    named = [path for path in named_paths(document) if not path.startswith(MADE_LATER) and path not in NO_FILES]
    assert [path for path in named if path.rstrip("/") not in places()] == []


@pytest.mark.parametrize("document", NEWCOMERS, ids=ids)
def test_every_command_is_a_target_or_run_by_a_test(document: Path) -> None:
    told = commands(document)
    assert told
    assert unnamed_blocks(document) == [], "a block of commands says `sh`"
    for command in told:
        if command in RUN:
            continue
        words = shlex.split(command)
        assert words[0] == "make", f"{command!r} is run by no test"
        assert words[1] in targets(), f"{command!r}: there is no such target"
        clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        planned = subprocess.run(
            ["make", "-n", *words[1:]], cwd=REPOSITORY, env=clean, capture_output=True, text=True, check=False
        )
        assert planned.returncode == 0, planned.stderr


def test_what_is_run_is_documented() -> None:
    assert set().union(*(commands(document) for document in NEWCOMERS)) >= RUN
