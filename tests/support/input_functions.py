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

from support.neutral_values import neutral
from support.pattern_tokens import modules, patterns, tokens

PACKAGES = ("mailroom_mail", "mailroom_runtime.smtp", "mailroom_oauth.identity", "mailroom_oauth.reasons",
            "mailroom_console", "mailroom_ingest_smtp", "mailroom_ingest_gmail", "mailroom_outbound",
            "mailroom_router", "mailroom_autoreply", "mailroom_gmail")  # fmt: skip
TEXTS = {"str", "str | None"}
BYTES = {"bytes", "bytes | None", "memoryview"}
LINES = {"list[str]", "Sequence[str]", "Iterable[str]", "Collection[str]", "tuple[str, ...]"}
# Functions that take text and are not called here, and why.
_RUNNING = "asks a running console"
_ASKING = "reads a request of a browser"
_DRAFT = "works on a router's draft; what it takes beside it are ids of ours"
REASONS = {
    "mailroom_console.addresses.sign_ins.redirect_uri": _RUNNING,
    "mailroom_console.tickets.commands.about": _RUNNING,
    "mailroom_console.erasing.spellings.may_name": "makes a condition for a database",
    "mailroom_router.restoring.unreadable": "names a ticket of ours",
    "mailroom_console.pages.frame.pager.part_of": _ASKING,
    "mailroom_console.pages.tickets.listing.filters_of": _ASKING,
    "mailroom_console.seeding.keep": "writes a file of ours",
    "mailroom_ingest_smtp.recipients.postmaster": "looks into the configuration tables",
    "mailroom_router.placement.places": "looks into the configuration tables",
    **{f"mailroom_router.{name}": _DRAFT for name in (
        "draft.finish", "mail_message.message_of", "mail_message.summary_of", "outgoing.call_off", "outgoing.keep",
        "participants.leave_out", "sending_on.send_on", "shelves.wake", "ticket.decide")},
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
        texts = [p for p in parameters if p.annotation in TEXTS | BYTES | LINES | {"Mail", "Sequence[bytes]"}]
        needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        if not texts:
            continue
        if where in REASONS or not all(neutral(p.annotation, module) for p in needed):
            left.append(where)
            continue
        for attacked in texts:
            if attacked.name in ("defects", "field", "noun", "title"):  # ours, never a stranger's
                continue
            words = own_tokens(module) if own_only else near_tokens(module)
            if attacked.annotation == "Mail":
                found += [Attack(f"{where}({attacked.name}: {place})", _with_mail(module, function, needed, attacked, make),
                                 words, of_mail=True) for place, make in PLACES.items()]  # fmt: skip
            else:
                found.append(Attack(f"{where}({attacked.name})", _with_text(module, function, needed, attacked), words))
    return found, left


def _with_text(
    module: ModuleType, function: Callable[..., Any], needed: list[Any], attacked: Any
) -> Callable[[str], Callable[[], object]]:
    def prepare(text: str) -> Callable[[], object]:
        value: Any = text
        if attacked.annotation in BYTES:
            value = text.encode("utf-8", "surrogateescape")
        elif attacked.annotation in LINES:
            value = text.splitlines() if "\n" in text else [text[i : i + 60] for i in range(0, len(text), 60)]
        elif attacked.annotation == "Sequence[bytes]":
            value = [line.encode("utf-8", "surrogateescape") for line in text.splitlines()]
        return _call(module, function, needed, attacked, value)

    return prepare


def _with_mail(
    module: ModuleType, function: Callable[..., Any], needed: list[Any], attacked: Any, make: Callable[[bytes], bytes]
) -> Callable[[str], Callable[[], object]]:
    def prepare(text: str) -> Callable[[], object]:
        return _call(module, function, needed, attacked, _mail(make, text))

    return prepare


def _mail(make: Callable[[bytes], bytes], text: str) -> Mail:
    return read(make(text.encode("utf-8", "surrogateescape")))


def _call(
    module: ModuleType, function: Callable[..., Any], needed: list[Any], attacked: Any, value: Any
) -> Callable[[], object]:
    others = {p.name: neutral(p.annotation, module) for p in needed if p is not attacked}

    def call() -> object:
        given: dict[str, Any] = {name: make() for name, make in others.items() if make is not None}
        given[attacked.name] = value
        # by position where that can be: what keeps answers (`reading.kept`) takes them so
        positional = [given.pop(p.name) for p in needed if p.kind is not p.KEYWORD_ONLY]
        if attacked.kind in (attacked.VAR_POSITIONAL, attacked.POSITIONAL_ONLY) and attacked not in needed:
            positional.append(given.pop(attacked.name))
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
