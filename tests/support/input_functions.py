"""Every public function that a stranger's text reaches, found by walking the modules, with how each is called."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from mailroom_mail import Mail, read

from support.pattern_tokens import modules, patterns, tokens

PACKAGES = ("mailroom_mail", "mailroom_runtime.smtp", "mailroom_oauth.identity", "mailroom_oauth.reasons",
            "mailroom_console", "mailroom_ingest_smtp", "mailroom_ingest_gmail", "mailroom_outbound",
            "mailroom_router", "mailroom_autoreply", "mailroom_gmail")  # fmt: skip
TEXTS = {"str", "str | None"}
BYTES = {"bytes", "bytes | None", "memoryview"}
LINES = {"list[str]", "Sequence[str]", "Iterable[str]", "Collection[str]", "tuple[str, ...]"}
# what other parameters get, by their annotation
NEUTRAL: dict[str, Callable[[], Any]] = {
    "str": lambda: "jo@a.example", "str | None": lambda: None, "bytes": lambda: b"x", "bytes | None": lambda: None,
    "list[str]": list, "Sequence[str]": list, "Iterable[str]": list, "Collection[str]": list, "tuple[str, ...]": tuple,
    "bool": lambda: False, "int": lambda: 0, "float": lambda: 0.0, "Mapping[str, str]": dict,
    "Mapping[str, Any]": dict, "dict[str, Any]": dict, "Fields": dict, "dict[str, list[str]]": dict,
    "Mail": lambda: read(b"From: jo@a.example\r\nSubject: Hi\r\n\r\nHello\r\n"),
    "Sequence[tuple[str, str]]": list, "Iterable[tuple[str, str]]": list, "Callable[[str], bool]": lambda: lambda _: False,
    "Callable[[str], str]": lambda: lambda text: text, "Mapping[str, bytes]": lambda: {"k1": b"k" * 32},
}  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """One parameter of one function: `prepare(text)` gives what is measured."""

    where: str
    prepare: Callable[[str], Callable[[], object]]
    tokens: frozenset[str] = field(repr=False)
    of_mail: bool = False


@cache
def own_tokens(module: ModuleType) -> frozenset[str]:
    """Of the patterns that a module has."""
    return frozenset().union(*(tokens(pattern) for pattern in patterns(module)))


@cache
def near_tokens(module: ModuleType) -> frozenset[str]:
    """Those of the modules of ours that it imports from, too."""
    return frozenset().union(*(own_tokens(each) for each in (module, *imported(module))))


@cache
def all_tokens() -> frozenset[str]:
    """Of every pattern of the code."""
    return frozenset().union(*(tokens(p) for module in modules(*PACKAGES) for p in patterns(module)))


@cache
def imported(module: ModuleType) -> tuple[ModuleType, ...]:
    tree = ast.parse(inspect.getsource(module))
    names = set()
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            names.add(base)
            names |= {f"{base}.{alias.name}" for alias in node.names}
    found = []
    for name in sorted(names):
        if name.startswith("mailroom_") and name != "mailroom_mail":
            try:
                found.append(importlib.import_module(name))
            except ImportError:
                continue  # a name within a module
    return tuple(found)


def functions(*packages: str) -> Iterator[tuple[str, ModuleType, Callable[..., Any]]]:
    """Public functions that are no coroutines, each where it is defined."""
    for module in modules(*packages):
        for name, value in vars(module).items():
            if (
                inspect.isfunction(value)
                and value.__module__ == module.__name__
                and not name.startswith("_")
                and not inspect.iscoroutinefunction(value)
            ):
                yield f"{module.__name__}.{name}", module, value


def attacks(*packages: str, own_only: bool = False) -> tuple[list[Attack], list[str]]:
    """One for each parameter that takes text; and the functions that take text but cannot be called from here."""
    found: list[Attack] = []
    left: list[str] = []
    for where, module, function in functions(*packages):
        parameters = list(inspect.signature(function).parameters.values())
        texts = [p for p in parameters if p.annotation in TEXTS | BYTES | LINES | {"Mail"}]
        needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        if not texts:
            continue
        if any(p.annotation not in NEUTRAL for p in needed):
            left.append(where)
            continue
        for attacked in texts:
            if attacked.name in ("defects", "field", "noun", "title"):  # ours, never a stranger's
                continue
            words = own_tokens(module) if own_only else near_tokens(module)
            if attacked.annotation == "Mail":
                found += [Attack(f"{where}({attacked.name}: {place})", _with_mail(function, needed, attacked, make),
                                 words, of_mail=True) for place, make in PLACES.items()]  # fmt: skip
            else:
                found.append(Attack(f"{where}({attacked.name})", _with_text(function, needed, attacked), words))
    return found, left


def _with_text(function: Callable[..., Any], needed: list[Any], attacked: Any) -> Callable[[str], Callable[[], object]]:
    def prepare(text: str) -> Callable[[], object]:
        value: Any = text
        if attacked.annotation in BYTES:
            value = text.encode("utf-8", "surrogateescape")
        elif attacked.annotation in LINES:
            value = text.splitlines() if "\n" in text else [text[i : i + 60] for i in range(0, len(text), 60)]
        return _call(function, needed, attacked, value)

    return prepare


def _with_mail(
    function: Callable[..., Any], needed: list[Any], attacked: Any, make: Callable[[bytes], bytes]
) -> Callable[[str], Callable[[], object]]:
    def prepare(text: str) -> Callable[[], object]:
        return _call(function, needed, attacked, _mail(make, text))

    return prepare


def _mail(make: Callable[[bytes], bytes], text: str) -> Mail:
    return read(make(text.encode("utf-8", "surrogateescape")))


def _call(function: Callable[..., Any], needed: list[Any], attacked: Any, value: Any) -> Callable[[], object]:
    def call() -> object:
        given = {p.name: NEUTRAL[p.annotation]() for p in needed if p is not attacked}
        given[attacked.name] = value
        positional = [given.pop(p.name) for p in [*needed, *([] if attacked in needed else [attacked])]
                      if p.kind is p.POSITIONAL_ONLY]  # fmt: skip
        try:
            done = function(*positional, **given)
            return list(itertools.islice(done, 10**7)) if inspect.isgenerator(done) else done
        except Exception as refused:
            return refused

    return call


def folded(name: bytes) -> Callable[[bytes], bytes]:
    """Into a header field, folded as RFC 5322 section 2.2.3 asks."""

    def make(text: bytes) -> bytes:
        value = b"\r\n ".join(
            text.replace(b"\r", b" ").replace(b"\n", b" ")[i : i + 900] for i in range(0, len(text), 900)
        )
        return name + b": " + value + b"\r\nFrom: jo@a.example\r\nSubject: Hi\r\n\r\nHello\r\n"

    return make


def body(kind: bytes) -> Callable[[bytes], bytes]:
    """As the body of this kind."""
    return lambda text: (
        b"From: jo@a.example\r\nTo: b@b.example\r\nSubject: Re: Hi\r\nMIME-Version: 1.0\r\nContent-Type: " + kind
        + b"; charset=utf-8\r\n\r\n" + text.replace(b"\n", b"\r\n") + b"\r\n"
    )  # fmt: skip


def report(text: bytes) -> bytes:
    """As the notice of a delivery report."""
    return (
        b'From: MAILER-DAEMON@b.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; '
        b'report-type=delivery-status; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n' + text.replace(b"\n", b"\r\n")
        + b"\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; b.example\r\n\r\nFinal-Recipient: rfc822; "
        b"jo@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; " + text[:20000].replace(b"\n", b"\r\n ")
        + b"\r\n\r\n--x--\r\n"
    )  # fmt: skip


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "text": body(b"text/plain"), "html": body(b"text/html"), "calendar": body(b"text/calendar; method=REQUEST"),
    "enriched": body(b"text/enriched"), "report": report,
    **{name.decode(): folded(name) for name in (b"To", b"Subject", b"References", b"Received", b"Content-Type", b"List-Id",
                                                b"X-Anything", b"Authentication-Results", b"Date", b"DKIM-Signature")},
}  # fmt: skip
