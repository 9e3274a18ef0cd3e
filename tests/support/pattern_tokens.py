"""Texts that a module's own patterns begin to match: what a hostile input would repeat. Read from the parsed patterns, so
a pattern that is written tomorrow is tried tomorrow."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any


def patterns(package: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every compiled pattern of a package's modules, with its name."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{found.name}.{name}", value


def tokens(pattern: re.Pattern[Any]) -> set[str]:
    """One text that matches, and its beginnings: the whole, without its end, its first half, its first letters."""
    text = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    found: set[str] = set()
    for whole in _examples(_parser.parse(text, pattern.flags & ~re.UNICODE & ~re.LOCALE)):
        for end in {len(whole), len(whole) - 1, (len(whole) + 1) // 2, 1}:
            if piece := whole[:end]:
                found.add(piece)
    return found


def _examples(parsed: Any) -> list[str]:
    """A few texts: of alternatives the first and the last, of repetitions once."""
    texts = [""]
    for operator, argument in parsed:
        texts = [before + after for before in texts for after in _one(operator, argument)][:4]
    return texts


def _one(operator: Any, argument: Any) -> list[str]:
    c = _constants
    if operator is c.LITERAL:
        return [chr(argument)]
    if operator is c.NOT_LITERAL:
        return ["x" if argument != ord("x") else "y"]
    if operator is c.ANY:
        return ["x"]
    if operator is c.IN:
        return [_member(argument)]
    if operator is c.BRANCH:
        branches = argument[1]
        return [text for branch in {0: branches[0], 1: branches[-1]}.values() for text in _examples(branch)[:2]]
    if operator is c.SUBPATTERN:
        return _examples(argument[-1])
    if operator is c.ATOMIC_GROUP:
        return _examples(argument)
    if operator in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        least, _, inner = argument
        return [text * max(1, min(least, 20)) for text in _examples(inner)]
    return [""]  # places, look-arounds and references add nothing


def _member(choices: Any) -> str:
    c = _constants
    if choices[0][0] is c.NEGATE:
        taken = {chr(value) for kind, value in choices[1:] if kind is c.LITERAL}
        return next(letter for letter in "xyz019 =~" if letter not in taken)
    kind, value = choices[0]
    if kind is c.LITERAL:
        return chr(value)
    if kind is c.RANGE:
        return chr(value[0])
    return {c.CATEGORY_SPACE: " ", c.CATEGORY_DIGIT: "0", c.CATEGORY_NOT_SPACE: "x", c.CATEGORY_NOT_WORD: "-"}.get(
        value, "x"
    )
