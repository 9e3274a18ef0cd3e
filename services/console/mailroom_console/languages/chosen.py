"""Which language is read. Pure but for the context variable of the request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from babel import Locale

LANGUAGES = {"en": "English", "vi": "Tiếng Việt", "de": "Deutsch"}
"""Code (BCP 47) and own name of each language there is; the first is what stands in the code."""
# English dates are written day first, as they always were here.
_LOCALES = {"en": Locale("en", "GB"), "vi": Locale("vi"), "de": Locale("de")}
_LONGEST_HEADER = 500

_current: ContextVar[str] = ContextVar("mailroom_language", default="en")


def current() -> str:
    """What is read in this context; English where nobody said."""
    return _current.get()


def locale() -> Locale:
    """How dates and numbers are written in it."""
    return _LOCALES[current()]


@contextmanager
def reading(language: str) -> Iterator[None]:
    """Everything within is told in this language; one that there is not is English."""
    token = _current.set(language if language in LANGUAGES else "en")
    try:
        yield
    finally:
        _current.reset(token)


def chosen(own: str, accept: str) -> str:
    """The agent's own choice, else what the browser would rather have (`Accept-Language`, RFC 9110 section 12.5.4)."""
    if own in LANGUAGES:
        return own
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(accept[:_LONGEST_HEADER].split(",")):
        tag, _, rest = part.strip().partition(";")
        weight = _weight(rest)
        if tag and weight > 0:
            wanted.append((-weight, position, tag.strip()))
    named = (tag.partition("-")[0].lower() for _, _, tag in sorted(wanted))
    return next((language for language in named if language in LANGUAGES), "en")


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not parameters.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0 <= weight <= 1 else 0.0
