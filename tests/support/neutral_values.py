"""What a function gets for the parameters that a test does not care about: made from their annotations."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from types import ModuleType
from typing import Any

from mailroom_console.problems import Problem
from mailroom_contracts import Model
from mailroom_gmail.oauth import GoogleSettings
from mailroom_mail import Mail, read
from mailroom_mail.reading.message_body import Body
from mailroom_mail.reading.signed_parts import SignedParts
from mailroom_mail.reading.structure import Part, parse
from mailroom_mail.trust.dns_lookup import Lookups, Memory, Resolver
from starlette.datastructures import FormData
from starlette.responses import Response

RAW = b"From: jo@a.example\r\nSubject: Hi\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
RECORD = "v=DMARC1; p=reject; rua=mailto:a@a.example"
Make = Callable[[], Any]

# By annotation, where that says more than the type does.
SAID: dict[str, Make] = {
    "Fields": dict, "Mapping[str, bytes]": lambda: {"k1": b"k" * 32}, "Callable[[str], str]": lambda: lambda text: text,
    "Records": lambda: lambda _: ["v=DKIM1; p="], "Texts": lambda: lambda _: [RECORD],
    "dict[bytes, bytes]": lambda: {b"v": b"1", b"a": b"rsa-sha256", b"b": b"eHg=", b"bh": b"eHg=", b"d": b"a.example",
                                   b"s": b"s1", b"h": b"from:subject"},
    "list[tuple[int, int]]": lambda: [(0, 5)], "object": tuple, "str | None": lambda: None,
}  # fmt: skip
MADE: dict[Any, Make] = {
    str: lambda: "jo@a.example", bytes: lambda: b"x", bool: lambda: False, int: lambda: 0, float: lambda: 0.0,
    datetime: lambda: datetime(2026, 11, 30, tzinfo=UTC), timedelta: lambda: timedelta(hours=1),
    Mail: lambda: read(RAW), Part: lambda: parse(RAW, 0, len(RAW), []), SignedParts: lambda: SignedParts(RAW),
    Body: Body, Memory: Memory, Lookups: lambda: Lookups(_resolver(), None), Any: lambda: None, object: lambda: None,
    Problem: lambda: Problem(422, "x", "y"), FormData: FormData, Response: Response, GoogleSettings: GoogleSettings,
}  # fmt: skip
EMPTY: dict[Any, Make] = {
    list: list, collections.abc.Sequence: list, collections.abc.Iterable: list, collections.abc.Collection: list,
    collections.abc.Iterator: lambda: iter(()), tuple: tuple, set: set, frozenset: frozenset, dict: dict,
    collections.abc.Mapping: dict, collections.abc.Callable: lambda: lambda *_: False,
}  # fmt: skip


def neutral(annotation: str, module: ModuleType) -> Make | None:
    """What makes a value for a parameter of a function of this module; None where nobody knows how."""
    if annotation in SAID:
        return SAID[annotation]
    try:
        kind = eval(annotation, dict(vars(module)))  # the code's own annotations
    except (NameError, TypeError, AttributeError):
        return None
    return _made(kind)


@cache
def _resolver() -> Resolver:
    return Resolver("127.0.0.1:1")


def _made(kind: Any, depth: int = 0) -> Make | None:
    if depth > 6:
        return None
    kind = getattr(kind, "__value__", kind)
    origin = typing.get_origin(kind) or kind
    if origin in (typing.Union, types.UnionType):
        choices = typing.get_args(kind)
        return (lambda: None) if type(None) in choices else _made(choices[0], depth + 1)
    if origin is typing.Annotated:
        return _made(typing.get_args(kind)[0], depth + 1)
    if origin is typing.Literal:
        return lambda: typing.get_args(kind)[0]
    for table in (MADE, EMPTY):
        if isinstance(origin, collections.abc.Hashable) and origin in table:
            return table[origin]
    if isinstance(origin, type):
        return _made_of_fields(origin, depth)
    return None


def _made_of_fields(kind: type, depth: int) -> Make | None:
    """A record of its required fields."""
    if issubclass(kind, enum.Enum):
        return lambda: next(iter(kind))
    needed: list[str]
    if issubclass(kind, Model):
        needed = [name for name, field in kind.model_fields.items() if field.is_required()]
        build: Callable[..., Any] = kind.model_construct
    elif dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        needed = [
            f.name for f in dataclasses.fields(kind) if f.init and f.default is missing and f.default_factory is missing
        ]
        build = kind
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        needed, build = list(kind._fields), kind
    else:
        return None
    try:
        hints = typing.get_type_hints(kind)
    except (NameError, TypeError):
        return None
    makes = {name: _made(hints[name], depth + 1) for name in needed}
    if not all(makes.values()):
        return None
    return lambda: build(**{name: make() for name, make in makes.items() if make is not None})
