"""One entry of a calendar object (RFC 5545): its properties with their parameters. Bounded, nothing raises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from . import charsets

MAX_BYTES = 400_000
_MOST_LINES = 4000
_FOLD = re.compile(rb"\r?\n[ \t]")
_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
_PARAMETER = re.compile(r";([A-Za-z0-9-]{1,40})=((?:\"[^\"]*\"|[^\";:,]*)(?:,(?:\"[^\"]*\"|[^\";:,]*)){0,20})")
_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_ESCAPED = re.compile(r"\\([\\,;:\"nN])")


@dataclass(frozen=True, slots=True)
class Property:
    """A property's value as sent (not unescaped) and its parameters, names in upper case."""

    value: str
    parameters: dict[str, str]

    @property
    def text(self) -> str:
        """A TEXT value without its escapes (RFC 5545 section 3.3.11)."""
        return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], self.value).strip()

    @property
    def email(self) -> str:
        """The address of a CAL-ADDRESS, or ""."""
        return self.value[7:].strip() if self.value[:7].lower() == "mailto:" else self.value.strip()

    @property
    def who(self) -> str:
        """The name of a person, else the address."""
        return self.parameters.get("CN", "").strip() or self.email


@dataclass(slots=True)
class Entry:
    """The first event, task or free-busy answer: `method` is the calendar's, in upper case, "" where it says none."""

    kind: str = ""
    method: str = ""
    properties: dict[str, list[Property]] = field(default_factory=dict)

    def first(self, name: str) -> Property | None:
        """The first property of that name."""
        found = self.properties.get(name)
        return found[0] if found else None

    def text(self, name: str) -> str:
        """The text of the first property of that name, or ""."""
        found = self.first(name)
        return found.text if found else ""


def read(data: bytes, charset: str | None) -> Entry:
    """The first entry in `data`. Lines are joined as bytes: programs fold between the bytes of one character."""
    entry = Entry()
    text = charsets.decode(_FOLD.sub(b"", data[:MAX_BYTES]), charset or "utf-8", []).replace("\0", "")
    depth = 0  # of components within the entry: an alarm has a description of its own
    for line in text.splitlines()[:_MOST_LINES]:
        name = _NAME.match(line)
        if name is None:
            continue
        word = name.group().upper()
        found, value = _value(line, name.end())
        if word == "BEGIN":
            component = value.strip().upper()
            if entry.kind:
                depth += 1
            elif component in _COMPONENTS:
                entry.kind = component
        elif word == "END":
            if entry.kind:
                if depth == 0:
                    break
                depth -= 1
        elif not entry.kind:
            if word == "METHOD":
                entry.method = value.strip().upper()
        elif depth == 0 and value.strip():
            entry.properties.setdefault(word, []).append(Property(value, found))
    return entry


def _value(line: str, position: int) -> tuple[dict[str, str], str]:
    """Parameters and value of a content line; quoted parameters may hold colons and semicolons."""
    found: dict[str, str] = {}
    while (match := _PARAMETER.match(line, position)) is not None:
        found.setdefault(match[1].upper(), match[2].replace('"', "").strip())
        position = match.end()
    _, _, value = line[position:].partition(":")
    return found, value
