"""Commands, links and file names that our documents promise."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from .processes import REPOSITORY

_FENCED = re.compile(r"^```(\S*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+\.(?:py|md|yml|toml|lock|json|svg)")


def targets() -> set[str]:
    """The targets of the Makefile that people call."""
    return set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def commands(document: Path) -> list[str]:
    """What a document tells its reader to type: the lines of its `sh` blocks without comments, and `make …` in its text.

    A bare target in the text ("`down`") counts as `make down`.
    """
    text = document.read_text()
    found = [
        shlex.join(words)
        for language, block in _FENCED.findall(text)
        if language == "sh"
        for line in block.replace("\\\n", " ").splitlines()
        if (words := shlex.split(line, comments=True))
    ]
    known = targets()
    for span in _INLINE.findall(_FENCED.sub("", text)):
        if span.startswith("make ") and "…" not in span:
            found.append(shlex.join(shlex.split(span)))
        elif span in known:
            found.append(f"make {span}")
    return list(dict.fromkeys(found))


def unnamed_blocks(document: Path) -> list[str]:
    """Fenced blocks without a language: nobody can tell whether they are commands."""
    return [block for language, block in _FENCED.findall(document.read_text()) if not language]


def links(document: Path) -> list[str]:
    """Relative links, without their fragments."""
    found = (link.partition("#")[0] for link in _LINK.findall(_FENCED.sub("", document.read_text())))
    return [link for link in found if link and "://" not in link and not link.startswith("mailto:")]


def named_paths(document: Path) -> list[str]:
    """What stands in code style in the text and looks like a file or folder of the repository."""
    spans = _INLINE.findall(_FENCED.sub("", document.read_text()))
    return [span for span in spans if _PATH.fullmatch(span)]
