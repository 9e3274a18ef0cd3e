"""Cutting `email.received` down to what a record may hold. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from mailroom_contracts import Content, EmailReceived, Model
from pydantic_core import to_json

T = TypeVar("T")
_CAPS = (500, 100, 20, 3)  # entries of each list, tried from left to right


@dataclass(frozen=True, slots=True)
class Cut:
    """Which bodies are not whole any more."""

    text: bool = False
    html: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """An event that fits, and what was cut of it."""

    event: EmailReceived
    cut: Cut


def json_size(value: Model | str) -> int:
    """Bytes of the value as JSON in UTF-8."""
    if isinstance(value, str):
        return len(to_json(value))
    return len(value.__pydantic_serializer__.to_json(value, by_alias=True, exclude_none=True))


def fit(event: EmailReceived, limit: int) -> Fitted:
    """The event in at most `limit` bytes of JSON: lists are shortened first where they alone are too long, then the
    longest bodies, each as little as possible. Every cut is named in `defects`.
    """
    content = event.content
    for cap in _CAPS:
        listed = _shorten(content, cap)
        bare = listed.model_copy(update={"text": "", "html": None, "reply_text": None})
        rest = limit - json_size(event.model_copy(update={"content": bare})) - 500
        if rest > limit // 4 or cap == _CAPS[-1]:
            break
    bodies = {"text": listed.text, "html": listed.html or "", "reply_text": listed.reply_text or ""}
    shares = share({name: _size(body, rest) for name, body in bodies.items()}, max(rest, 0))
    shortened = {name: cut(body, shares[name]) for name, body in bodies.items()}
    lost = {name for name in bodies if shortened[name] != bodies[name]}
    update: dict[str, object] = {name: shortened[name] for name in lost}
    if "html" in lost and not shortened["html"]:
        update["html"] = None
    fitted = listed.model_copy(update=update)
    return Fitted(event.model_copy(update={"content": fitted}), Cut("text" in lost, "html" in lost))


def _size(text: str, enough: int) -> int:
    """Bytes of a text as JSON, or more than `enough`: a body of 25 MB is not written to be measured."""
    return len(text) if len(text) > enough else json_size(text)


def share(wanted: dict[str, int], total: int) -> dict[str, int]:
    """Deal out `total` so that the small ones get all they want and the large ones the same each."""
    dealt: dict[str, int] = {}
    left = total
    for place, (name, size) in enumerate(sorted(wanted.items(), key=lambda item: item[1])):
        dealt[name] = min(size, left // (len(wanted) - place))
        left -= dealt[name]
    return dealt


def cut(text: str, size: int) -> str:
    """The beginning of a text that takes at most `size` bytes as a JSON string, quotes included."""
    if _size(text, size) <= size:
        return text
    low, high = 0, min(len(text), max(size, 0))
    while low < high:
        middle = (low + high + 1) // 2
        if json_size(text[:middle]) <= size:
            low = middle
        else:
            high = middle - 1
    return text[:low]


def _shorten(content: Content, cap: int) -> Content:
    update: dict[str, object] = {}
    lost: list[str] = []

    def some(name: str, values: list[T], *, ends: bool = False) -> None:
        if len(values) > cap:
            # of a reference chain the root and the nearest are worth most
            update[name] = [values[0], *values[-(cap - 1) :]] if ends else values[:cap]
            lost.append(f"cut:{name}")

    some("to", content.to)
    some("cc", content.cc)
    some("reply_to", content.reply_to)
    some("references", content.references, ends=True)
    some("in_reply_to", content.in_reply_to)
    some("attachments", content.attachments)
    some("traces", content.traces)
    if content.bounce is not None and len(content.bounce.recipients) > cap:
        update["bounce"] = content.bounce.model_copy(update={"recipients": content.bounce.recipients[:cap]})
        lost.append("cut:bounce")
    longest = cap * 20
    if len(content.subject) > longest:
        update["subject"] = content.subject[:longest]
        lost.append("cut:subject")
    update["defects"] = [*content.defects[:cap], *lost]
    return content.model_copy(update=update)
