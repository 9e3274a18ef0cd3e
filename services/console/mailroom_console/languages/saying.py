"""A text in the language of the context. Translations are read once, from the catalogues as translators write them (.po)."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from .chosen import LANGUAGES, current
from .dates import number

CATALOGUES = Path(__file__).parent / "catalogues"
# What the scripts say; they get it with the page. A test holds that it is what the scripts ask for.
SCRIPT_WORDS = (
    "A picture is on its way; then it is sent.",
    "Canned answers",
    "Copied",
    "Draft kept",
    "Draft not kept: no connection",
    "Found: {name}, {host} ({source}).",
    "Its server was not found: type it below, or choose a provider.",
    "Looking for its server…",
    "Plain text now, without the formatting.",
    "Remove {name}",
    "That is no address that a link could lead to.",
    "The console did not answer. Try again.",
    "The picture could not be put in.",
    "Trying to sign in…",
    "Write something first.",
    "{name} put in.",
    "{name} removed.",
    "{n} attached.",
)


def say(text: str, /, **values: Any) -> str:
    """The text in the language of the context, with its `{values}` put in."""
    told = gettext(text)
    return told.format(**values) if values else told


def mark(text: str) -> str:
    """A text that is said later, by `say` of a variable: this only lets the catalogues know it."""
    return text


def count(amount: int, one: str, many: str, **values: Any) -> str:
    """The text for one or for many; `{n}` in it is the amount as people write it."""
    return ngettext(one, many, amount).format(n=number(amount), **values)


def gettext(text: str) -> str:
    """The text in the language of the context; itself where there is no translation."""
    return str(_translations(current()).gettext(text)) if text else ""


def ngettext(one: str, many: str, amount: int) -> str:
    """The text for so many."""
    return str(_translations(current()).ngettext(one, many, amount))


def script_words() -> dict[str, str]:
    """What the scripts say, for the page to hand to them; nothing for English, which stands in them."""
    return {} if current() == "en" else {text: gettext(text) for text in SCRIPT_WORDS}


@cache
def _translations(language: str) -> NullTranslations:
    if language == next(iter(LANGUAGES)):
        return NullTranslations()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
