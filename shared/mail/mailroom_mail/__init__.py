"""Reading and writing real-world mail (RFC 5322).

Names are loaded when first used, so that a service that only reads mail does not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .model import (
    Attachment,
    Bounce,
    BouncedRecipient,
    Forwarded,
    Kind,
    Mail,
    Mailbox,
)

if TYPE_CHECKING:
    from .reading import read as read
    from .rendering import to_text as html_to_text
    from .safe_html import SafeHtml as SafeHtml
    from .safe_html import sanitize as sanitize

# Public name: (module, name there). One line per name; each module keeps its own neighbours private.
_LAZY = {
    "html_to_text": ("rendering", "to_text"),
    "read": ("reading", "read"),
    "SafeHtml": ("safe_html", "SafeHtml"),
    "sanitize": ("safe_html", "sanitize"),
}

__all__ = [  # noqa: PLE0604 - the lazy names are as public as the others
    "Attachment",
    "Bounce",
    "BouncedRecipient",
    "Forwarded",
    "Kind",
    "Mail",
    "Mailbox",
    "html_to_text",
    "read",
    "SafeHtml",
    "sanitize",
]


def __getattr__(name: str) -> object:
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value
