"""A calendar invitation (RFC 5545, RFC 6047) in words, for mails that hold nothing else to read."""

from __future__ import annotations

import re

_FOLD = re.compile(r"\n[ \t]")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_SHOWN = (("DTSTART", "When: "), ("DTEND", "Until: "), ("LOCATION", "Where: "), ("DESCRIPTION", "\n"))


def to_text(calendar: str) -> str:
    """What, when, where and why of the first event; "" when there is none."""
    event = _FOLD.sub("", calendar.replace("\r\n", "\n")).partition("BEGIN:VEVENT")[2].partition("END:VEVENT")[0]
    found: dict[str, str] = {}
    for line in event.split("\n", 200)[:200]:
        name, colon, value = line.partition(":")
        if colon and value.strip():
            found.setdefault(name.partition(";")[0].upper(), _plain(value))
    lines = [found[key] for key in ("SUMMARY",) if key in found]
    for key, label in _SHOWN:
        if key in found:
            value = _TIME.sub(_time, found[key]) if key.startswith("DT") else found[key]
            lines.append(f"{label}{value}")
    return "\n".join(lines) + "\n" if lines else ""


def _plain(value: str) -> str:
    """TEXT values escape commas, semicolons and line breaks (RFC 5545 section 3.3.11)."""
    return re.sub(r"\\([\\,;nN])", lambda match: "\n" if match[1] in "nN" else match[1], value).strip()


def _time(match: re.Match[str]) -> str:
    year, month, day, hour, minute, utc = match.groups()
    date = f"{year}-{month}-{day}"
    return f"{date} {hour}:{minute}{' UTC' if utc else ''}" if hour else date
