"""The blobs that messages name. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def blob_keys(value: Any) -> Iterator[str]:
    """Every blob that a message names: what has a `key` and a `size`."""
    if isinstance(value, dict):
        if isinstance(value.get("key"), str) and "size" in value:
            yield value["key"]
        for each in value.values():
            yield from blob_keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from blob_keys(each)


def file_keys(document: dict[str, Any]) -> set[str]:
    """Those of its attachments and of its raw source, in which these are, too."""
    return set(blob_keys([document.get("attachments"), document.get("raw")]))


def used_keys(document: dict[str, Any], *, files_removed: bool) -> set[str]:
    """Those that are still needed for it."""
    return set(blob_keys(document)) - (file_keys(document) if files_removed else set())
