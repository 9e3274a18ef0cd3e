"""The options of a choice. Some choices offer a thousand things: a template's loop would take most of the page's time."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def options(offered: Iterable[tuple[str, str]], chosen: str | None = None, before: str = "") -> Markup:
    """An `<option>` for each value and text; `before` stands before each value."""
    lines = (
        f'<option value="{escape(before + value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in offered
    )
    return Markup("".join(lines))  # noqa: S704 - each part is escaped above
