"""What the code's own regular expressions look for: their literal runs, and the beginnings of what they match.

Found by walking every compiled pattern of the modules, so that a new pattern is covered without being named anywhere.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

LONGEST = 60
CATEGORY = {"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a",
            "CATEGORY_NOT_DIGIT": "a", "CATEGORY_NOT_SPACE": "a", "CATEGORY_NOT_WORD": "-"}  # fmt: skip


def modules(*packages: str) -> list[ModuleType]:
    """Every module below these packages, imported."""
    found = []
    for name in packages:
        package = importlib.import_module(name)
        found.append(package)
        found += [importlib.import_module(each.name)
                  for each in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}.")
                  if not each.name.endswith("__main__") and ".migrations" not in each.name]  # fmt: skip
    return found


def patterns(module: ModuleType) -> Iterator[re.Pattern[Any]]:
    """The compiled patterns that a module holds, those in its tables too."""
    for value in vars(module).values():
        yield from _within(value, 3)
    yield from _inline(module)


@cache
def _inline(module: ModuleType) -> tuple[re.Pattern[Any], ...]:
    """Those that stand where they are used: `re.sub("…", …)`."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name), args=[ast.Constant(value=text), *_]):
                if name in ("sub", "subn", "match", "fullmatch", "search", "findall", "finditer", "split"):
                    found.append(re.compile(text))
    return tuple(found)


def _within(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, Mapping):
        for each in (*value.keys(), *value.values()):
            yield from _within(each, depth - 1)
    elif depth and isinstance(value, tuple | list | set | frozenset):
        for each in value:
            yield from _within(each, depth - 1)


def tokens(pattern: re.Pattern[Any]) -> set[str]:
    """What is repeated to find out whether this pattern is slow."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    return _tokens(text, pattern.flags & ~(re.UNICODE if isinstance(source, bytes) else re.LOCALE))


@cache
def _tokens(source: str, flags: int) -> set[str]:
    found: set[str] = set()
    _walk(list(_parser.parse(source, flags)), found)
    return {token for token in found if 0 < len(token) <= LONGEST}


def _walk(items: Iterable[tuple[Any, Any]], found: set[str]) -> str:
    """Collects from a sequence; gives an example of what it matches."""
    example, run = "", ""
    for kind, value in items:
        here = _example(kind, value, found)
        if kind is op.LITERAL:
            run += here
        else:
            found.add(run)
            run = ""
            found.add(here)
            found.add(example)  # what has begun and never goes on
        example += here
    found.add(run)
    found.add(example)
    return example


def _example(kind: Any, value: Any, found: set[str]) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.NOT_LITERAL:
        return "a" if value != ord("a") else "b"
    if kind is op.ANY:
        return "a"
    if kind is op.IN:
        return _one_of(value)
    if kind is op.BRANCH:
        examples = [_walk(each, found) for each in _kinds(value[1])]
        return examples[0]
    if kind is op.SUBPATTERN:
        return _walk(value[3], found)
    if kind is op.ATOMIC_GROUP:
        return _walk(value, found)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        once = _walk(value[2], found)
        return once * max(1, min(value[0], 8))
    if kind in (op.ASSERT, op.ASSERT_NOT):
        inner = _walk(value[1], found)
        return inner if kind is op.ASSERT and value[0] < 0 else ""
    if kind is op.GROUPREF_EXISTS:
        return _walk(value[1], found)
    return ""


def _kinds(branches: list[Any]) -> list[Any]:
    """Of many words, the first, the shortest and the longest: the engine tries the others as it tries these."""
    plain = [each for each in branches if not _repeats(each)]
    if len(plain) < 4:
        return branches
    few = [plain[0], min(plain, key=len), max(plain, key=len)]
    return [each for each in branches if each in few or each not in plain]


def _repeats(items: Iterable[tuple[Any, Any]]) -> bool:
    """Whether something in it may come any number of times."""
    for kind, value in items:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            if value[1] > 20 or _repeats(value[2]):
                return True
        elif (kind is op.SUBPATTERN and _repeats(value[3])) or (
            kind is op.BRANCH and any(_repeats(each) for each in value[1])
        ):
            return True
    return False


def _one_of(choices: list[tuple[Any, Any]]) -> str:
    if choices[0][0] is op.NEGATE:
        refused = re.compile("[" + "".join(_class(each) for each in choices[1:]) + "]", re.DOTALL)
        return next((c for c in "a -0<\n\u00e4" if not refused.match(c)), "")
    kind, value = choices[0]
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.RANGE:
        return chr(value[0])
    return CATEGORY.get(str(value), "")


def _class(choice: tuple[Any, Any]) -> str:
    kind, value = choice
    if kind is op.LITERAL:
        return re.escape(chr(value))
    if kind is op.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w",
            "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_NOT_SPACE": r"\S", "CATEGORY_NOT_WORD": r"\W"}[str(value)]  # fmt: skip
