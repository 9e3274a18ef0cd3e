"""Keeps the catalogues: `python -m mailroom_console.languages.keeping` takes what the code says now into each of them.

Texts that are not said any more go, new ones come without a translation; a test fails until they have one. Translations are
the .po files themselves, which the console reads at its start: nothing is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from .chosen import LANGUAGES
from .saying import CATALOGUES

HERE = Path(__file__).resolve().parents[1]
KEYWORDS = {"say": None, "mark": None, "count": (2, 3), "_": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [
    ("languages/**", "ignore"),
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("static/**.js", "javascript"),
]
OPTIONS = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "trimmed": "true", "silent": "false"}}


def texts() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """What the code says: file and text, or texts for one and for many."""
    for filename, _, text, _, _ in extract_from_dir(HERE, METHODS, OPTIONS, KEYWORDS):
        yield filename, text


def wanted() -> Catalog:
    """All texts, without translations."""
    catalogue = Catalog(project="mailroom", charset="utf-8")
    for _, text in texts():
        catalogue.add(text)
    return catalogue


def kept(language: str) -> Catalog:
    """A catalogue as it lies there."""
    path = CATALOGUES / f"{language}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update() -> None:
    """Take the code's texts into every catalogue, in their order by text, so that a change shows as little as it is."""
    template = wanted()
    for language in list(LANGUAGES)[1:]:
        catalogue = kept(language)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        with (CATALOGUES / f"{language}.po").open("wb") as file:
            write_po(file, catalogue, no_location=True, omit_header=True, sort_output=True, width=110)


if __name__ == "__main__":
    update()
