"""An address in all its spellings: `jö@bücher.example` and `JÖ@xn--bcher-kva.example` are one person's.

Databases compare bytes and know no IDNA (RFC 5890), so they only say where an address may stand; what it is, `comparable` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mailroom_mail import comparable
from mailroom_runtime.forgotten import addresses_in
from sqlalchemy import ColumnElement, func, or_

# a character beyond ASCII in the word around an @; within the limits of RFC 5321 section 4.5.3.1, so that time is linear
_BEYOND_ASCII = '[^ -~][^ <>()",;:]{0,64}@|@[^ <>()",;:]{0,253}[^ -~]'


def may_name(column: ColumnElement[str], email: str) -> ColumnElement[bool]:
    """A condition that holds wherever an address may stand in a text, in whatever spelling, and now and then elsewhere."""
    return or_(func.lower(column).contains(email, autoescape=True), column.regexp_match(_BEYOND_ASCII))


def names(text: str, email: str) -> bool:
    """Whether an address, as it is compared, stands in a text. Pure."""
    return email in text.lower() or any(comparable(found) == email for found in addresses_in(text))


def record_names(record: str | bytes, email: str) -> bool:
    """Whether it stands in a record, JSON or not. Pure."""
    text = record if isinstance(record, str) else record.decode("utf-8", "replace")
    try:
        return email in text.lower() or any(names(one, email) for one in _strings(json.loads(text)))
    except ValueError:
        return names(text, email)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
