"""The line by which programs introduce what they quote ("On …, Ann wrote:"), found from its end. Pure, bounded look-back."""

from __future__ import annotations

from collections.abc import Sequence

from . import glued
from . import quote_words as words
from .line_marks import LINE, OWN

_LOOK_BACK = 5  # lines over which an attribution may be wrapped
_MOST_ATTEMPTS = 1000  # lines looked at closely: far more than any mail has
_MOST_WORDS = 8  # before verb and date where a name begins the attribution: more are a person's own
_ENDS = frozenset(":：*_>")
WROTE_LAST = frozenset(word[-1] for word in words.ENDS_WROTE)
_MAY_END = _ENDS | WROTE_LAST | frozenset(" \t\xa0")


def attribution_start(lines: list[str], marks: list[str], index: int, line: str) -> int | None:
    """The line at which an attribution ("On …, Ann wrote:") begins that ends at this one, or None."""
    tail = line.rstrip("-–—* \t")
    dashed = tail != line
    closing = tail[-1:] in (":", "：") or ":>" in tail or ": >" in tail
    old_gmail = not closing and tail.endswith(">") and words.has_address(tail)
    bare = not closing and not dashed and tail.endswith(words.ENDS_WROTE)
    if not (closing or dashed or old_gmail or bare):
        return None
    joined = ""
    for position in range(index, max(-1, index - _LOOK_BACK - 1), -1):
        if marks[position] != OWN:
            break
        joined = lines[position][:LINE].strip() + " " + joined
        if len(joined) > 800:
            break
        low = joined.lower()
        verb = words.says_wrote(low)
        address = words.has_address(joined)
        if not (verb or address):
            continue
        date = words.DATE.search(joined) is not None
        starts = words.ATTRIBUTION_START.match(joined) is not None
        if old_gmail:
            return position if date and joined[:4].isdigit() and next_line(lines, index).startswith(">") else None
        if bare and not (starts and date and address):
            continue
        if starts and ((verb and (date or address)) or (address and date)):
            return position if date else _earlier_start(lines, marks, position)
        if words.NAME_START.match(joined) and (verb or date):
            return _earlier_start(lines, marks, position)
        if words.QUOTING.match(joined) and address:
            return position
        if verb and date and position == index and not dashed and len(joined) < 300 and _begins_with_name(joined):
            return position
        if verb and closing and position == index and next_line(lines, index).startswith(">") and len(joined) < 200:
            return _earlier_start(lines, marks, position)
    return None


def _begins_with_name(line: str) -> bool:
    """Whether so little stands before verb and date that it can be a name: else a person's words share the line."""
    date = words.DATE.search(line)
    verb = words.WROTE.search(line.lower())
    first = min(found.start() for found in (date, verb) if found is not None)
    return len(line[:first].split()) <= _MOST_WORDS


def _earlier_start(lines: list[str], marks: list[str], position: int) -> int:
    """An attribution wrapped before the name or address: the earlier line that begins as attributions do."""
    if lines[position].lstrip().startswith("<"):
        # Only the address stands here, so the name and what precedes it are above, up to the blank line.
        while position and marks[position - 1] == OWN and len(lines[position - 1]) <= 120:
            position -= 1
            if words.ATTRIBUTION_START.match(lines[position]):
                break
        return position
    for earlier in range(position - 1, max(-1, position - 4), -1):
        if marks[earlier] != OWN:
            break
        line = lines[earlier][:LINE]
        if words.ATTRIBUTION_START.match(line) and words.DATE.search(line):
            return earlier
    return position


def next_line(lines: Sequence[str], index: int) -> str:
    if ":>" in lines[index][:LINE] or ": >" in lines[index][:LINE]:
        return ">"
    for line in lines[index + 1 : index + 5]:
        if line.strip():
            return line.lstrip()
    return ""


def apart(lines: Sequence[str], names: Sequence[str] = ()) -> dict[int, int]:
    """Lines in which a person's words share the line with an attribution: index to the offset where that begins.

    `names` are the names and addresses of those whom the mail answers. A line that the attribution was wrapped from is
    found by the line in which it ends.
    """
    found: dict[int, int] = {}
    attempts = 0
    for index, line in enumerate(lines):
        if line[-1:] not in _MAY_END or line[0] == ">":
            continue
        joined, first = line, index
        if (last := line[-1]).isspace():
            joined = line.rstrip()
            last = joined[-1:]
        if last not in _ENDS and not (last in WROTE_LAST and joined.endswith(words.ENDS_WROTE)):
            continue
        attempts += 1
        if attempts > _MOST_ATTEMPTS:
            break
        quoted: bool | None = None
        for _ in range(3):
            if glued.ends_as_attribution(joined):
                quoted = next_line(lines, index).startswith(">") if quoted is None else quoted
                at = glued.shared_start(joined, names)
                if at is None:
                    break  # it begins with the line
                if at and at < len(lines[first]) and (quoted or not joined[at - 1].isspace()):
                    found[first] = at
                    break
                if quoted and first == index and (at := _after_words(line)):
                    found[first] = at
                    break
            if not first or not lines[first - 1].strip() or lines[first - 1][0] == ">" or len(joined) > 600:
                break
            first -= 1
            joined = lines[first].rstrip() + " " + joined
    return found


def _after_words(line: str) -> int:
    """Where an attribution in small letters begins after a person's words and white space, or 0."""
    shared = words.SHARED_START.search(line[:LINE])
    if shared is None or not line[: shared.start()].strip() or words.ATTRIBUTION_START.match(line):
        return 0
    return shared.end()


def split_shared(lines: list[str], names: Sequence[str]) -> list[str]:
    """The lines, with an attribution that shares a line with a person's words on a line of its own."""
    places = apart(lines, names)
    if not places:
        return lines
    out: list[str] = []
    for index, line in enumerate(lines):
        at = places.get(index)
        out += (line,) if at is None else (line[:at].rstrip().rstrip("-–—").rstrip(), line[at:])
    return out
