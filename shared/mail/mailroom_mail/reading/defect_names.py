"""Naming what is wrong with a mail, once each and never without end."""

from __future__ import annotations

from collections.abc import Iterable

MAX_DEFECTS = 64  # a mail with more is made to have them


def add(defects: list[str], defect: str) -> None:
    """Name a defect once."""
    if defect not in defects and len(defects) < MAX_DEFECTS:
        defects.append(defect)


# Odd, and read all the same as it was meant: nothing was lost, and nothing is in doubt.
_HARMLESS = (
    "encoded-word-in-parameter", "unmarked-rfc2231-parameter", "8bit-header", "no-date", "no-message-id", "mbox-line", "cr-only-lines",
    "text-before-header", "address-without-angles", "encoded-address", "no-content-type",
    # no label, or one of a single-byte charset that the bytes contradict: they are UTF-8, which is hardly ever so by chance
    "charset-missing", "charset-wrong:us-ascii", "charset-wrong:ascii", "charset-wrong:iso-8859-", "charset-wrong:windows-125",
)  # fmt: skip


def in_doubt(defects: Iterable[str]) -> list[str]:
    """The defects by which something was lost, or read by guessing: those that a person should know of."""
    return [one for one in defects if not one.startswith(_HARMLESS) or one == "8bit-header-not-utf8"]
