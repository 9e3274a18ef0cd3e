"""What a person wrote in a plain text mail, apart from quoted history and signature. Pure and linear in its input."""

from __future__ import annotations

from dataclasses import dataclass

from . import quote_words as words
from .signature import body_end, is_footer

_LOOK_BACK = 5  # lines over which an attribution may be wrapped
_LINE = 1000  # characters of a line that are looked at
_MOST_ATTEMPTS = 1000  # attributions looked at closely; far more than any mail has
_OWN, _BLANK, _QUOTED, _HEADER = "o", " ", ">", "h"
_WROTE_LAST = frozenset(word[-1] for word in words.ENDS_WROTE)


@dataclass(frozen=True, slots=True)
class PlainReply:
    """The text of a reply, and whether quoted history was set apart."""

    text: str
    quoted: bool


def plain_reply(text: str, subject: str = "") -> PlainReply:
    """The reply in a plain text; the whole of it where all of it is quoted, or where the mail is a forward.

    Answers between quotes keep the quotes that they answer; answers above or below keep none.
    """
    whole = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
    if not whole or (subject and words.FORWARD_SUBJECT.match(subject)):
        return PlainReply(whole, False)
    lines = whole.split("\n")
    if ":\n" in whole:
        lines = _apart(lines)
    marks, cut = mark(lines)
    quoted = has_history(lines, marks, cut)
    kept = lines
    if quoted:
        indexes = own_lines(lines[:cut], marks[:cut])
        kept = [lines[index] for index in indexes]
        if len(kept) < cut:
            kept = _squeezed(kept)
    kept = kept[: body_end(kept)]
    reply = "\n".join(kept).strip("\n").rstrip()
    if only_footers(kept):
        # Nothing of one's own: a mail is shown whole rather than empty.
        return PlainReply(whole, False)
    return PlainReply(reply, quoted)


def _apart(lines: list[str]) -> list[str]:
    """The lines, with an attribution that shares a line with a person's words on a line of its own."""
    found: list[str] = []
    for index, line in enumerate(lines):
        if (
            line[-1:] == ":"
            and 8 < len(line) < 500
            and line[0] != ">"
            and index + 1 < len(lines)
            and words.WROTE.search(line.lower())
        ):
            shared = words.SHARED_START.search(line)
            if (
                shared is not None
                and line[: shared.start()].strip()
                and not words.ATTRIBUTION_START.match(line)
                and _next_line(lines, index).startswith(">")
            ):
                found += [line[: shared.start()], line[shared.end() :]]
                continue
        found.append(line)
    return found


def has_history(lines: list[str], marks: list[str], cut: int) -> bool:
    """Whether anything was recognised as quoted."""
    return cut < len(lines) or _HEADER in marks[:cut] or _QUOTED in marks[:cut]


def mark(lines: list[str]) -> tuple[list[str], int]:
    """One mark a line, and the index from which unquoted history runs to the end (or the number of lines)."""
    marks: list[str] = []
    count = len(lines)
    programs: bool | None = None  # looked at once it matters
    own = False
    attempts = 0
    for index, full in enumerate(lines):
        line = full[:_LINE].strip()
        if not line:
            marks.append(_BLANK)
            continue
        if (
            len(line) > 40
            and line[0].isalnum()
            and ":" not in line
            and "：" not in line
            and "line" not in line
            and line[-1] not in "。す>*->—–"
            and not (line[-1] in _WROTE_LAST and line.endswith(words.ENDS_WROTE))
        ):
            # Most lines: none of what follows could find anything in them, and all of it together costs more.
            marks.append(_OWN)
            own = True
            continue
        if line[0] == ">" and programs is None:
            programs = _is_program_prompt(lines)
        if (
            line[0] == ">"
            and not programs
            and not (marks and marks[-1] == _OWN and _closes_address(lines[index - 1], line))
        ):
            marks.append(_QUOTED)
            continue
        if _starts_forward(line):
            # What is forwarded is what the mail is about: it stays.
            return [*marks, *([_OWN] * (count - index))], count
        if _starts_history(lines, index, line):
            if not own:
                # History from the first line on: nothing can be told apart, all of it is shown.
                return [*marks, *([_OWN] * (count - index))], count
            return marks, _without_rule(lines, marks, index)
        marks.append(_OWN)
        if line[-1] in ":：->*—–" or ":>" in line or ": >" in line or line.endswith(words.ENDS_WROTE):
            attempts += 1
            start = _attribution(lines, marks, index, line) if attempts <= _MOST_ATTEMPTS else None
            if start is not None:
                following = _next_line(lines, index)
                if following.startswith(">"):
                    for position in range(start, index + 1):
                        if marks[position] == _OWN:
                            marks[position] = _HEADER
                    own = own and _OWN in marks[:start]
                    continue
                if _OWN in marks[:start]:
                    return marks, _without_rule(lines, marks, start)
        own = own or bool(line.strip("-_=*~"))
    return marks, count


def _is_program_prompt(lines: list[str]) -> bool:
    """Whether the only lines that begin with > are a Python prompt's or arrows around a link."""
    found = [line for line in lines if line.startswith(">")]
    return bool(found) and len(found) < 4 and all(line.startswith(">>> ") for line in found)


def _starts_forward(line: str) -> bool:
    if line[0] in "-–—_=*#~":
        return words.FORWARD_DIVIDER.match(line) is not None
    return line[-1] in ":：。す" and len(line) < 60 and words.APPLE_FORWARD.fullmatch(line) is not None


def _closes_address(before: str, line: str) -> bool:
    """Whether a line that begins with > ends an address that was wrapped: "<ann@example.com" and ">:"."""
    before = before[:_LINE].rstrip()
    return len(line) < 40 and line[-1] in ":：" and before.rfind("<") > before.rfind(">")


def _starts_history(lines: list[str], index: int, line: str) -> bool:
    first = line[0]
    if first in "-–—_=*#~" or line[0:2] == "**":
        if words.DIVIDER.match(line):
            return True
        if words.REPLY_ABOVE.search(line):
            return True
        if words.ANY_DIVIDER.fullmatch(line) and not words.FORWARD_DIVIDER.match(line):
            return _is_header_block(lines, index + 1)
    if len(line) <= 40 and words.BARE_DIVIDER.fullmatch(line) and line.lower() != "original":
        return _is_header_block(lines, index + 1) or _next_line(lines, index).startswith(">")
    if ":" in line[:40] or "：" in line[:40]:
        return _is_header_block(lines, index)
    return len(line) <= 120 and "line" in line and words.REPLY_ABOVE.search(line) is not None


def _is_header_block(lines: list[str], index: int) -> bool:
    """Whether a block of From, Sent, To, Subject (in any order and language) begins at this line."""
    roles: set[str] = set()
    evidence = False
    blanks = 0
    looked = 0
    position = index
    while position < len(lines) and looked < 14:
        line = lines[position][:_LINE].strip()
        position += 1
        if not line:
            blanks += 1
            if blanks > (2 if roles else 1) or len(roles) >= 3:
                break
            continue
        looked += 1
        found = words.LABEL.match(line)
        if found is None:
            if not roles:
                return False
            if looked > 1 and "@" not in line and blanks:
                break
            evidence = evidence or "@" in line
            continue
        role = found.lastgroup or ""
        if not roles and role not in ("from", "date", "subject", "to"):
            return False
        roles.add(role)
        rest = line[found.end() :]
        if role in ("from", "to", "cc"):
            evidence = evidence or "@" in rest
        elif role == "date":
            evidence = evidence or words.DATE.search(rest) is not None
    named = roles & {"from", "date", "to", "subject"}
    return ("from" in named and len(named) >= 2 and (evidence or len(named) >= 4)) or (
        evidence and (len(named) >= 3 or {"date", "to"} == named)
    )


def _attribution(lines: list[str], marks: list[str], index: int, line: str) -> int | None:
    """The line at which an attribution ("On …, Ann wrote:") begins that ends at this one, or None."""
    tail = line.rstrip("-–—* \t")
    dashed = tail != line
    closing = tail[-1:] in (":", "：") or ":>" in tail or ": >" in tail
    old_gmail = not closing and tail.endswith(">") and words.ADDRESS.search(tail) is not None
    bare = not closing and not dashed and tail.endswith(words.ENDS_WROTE)
    if not (closing or dashed or old_gmail or bare):
        return None
    joined = ""
    for position in range(index, max(-1, index - _LOOK_BACK - 1), -1):
        if marks[position] != _OWN:
            break
        joined = lines[position][:_LINE].strip() + " " + joined
        if len(joined) > 800:
            break
        low = joined.lower()
        verb = words.WROTE.search(low) is not None
        address = words.ADDRESS.search(joined) is not None
        date = words.DATE.search(joined) is not None
        if not (verb or address):
            continue
        starts = words.ATTRIBUTION_START.match(joined) is not None
        if old_gmail:
            return position if date and joined[:4].isdigit() and _next_line(lines, index).startswith(">") else None
        if bare and not (starts and date and address):
            continue
        if starts and ((verb and (date or address)) or (address and date)):
            return position if date else _earlier_start(lines, marks, position)
        if words.NAME_START.match(joined) and (verb or date):
            return _earlier_start(lines, marks, position)
        if words.QUOTING.match(joined) and address:
            return position
        if verb and date and position == index and not dashed and len(joined) < 300:
            return position
        if verb and closing and position == index and _next_line(lines, index).startswith(">") and len(joined) < 200:
            return _earlier_start(lines, marks, position)
    return None


def _earlier_start(lines: list[str], marks: list[str], position: int) -> int:
    """An attribution wrapped before the name or address: the earlier line that begins as attributions do."""
    if lines[position].lstrip().startswith("<"):
        # Only the address stands here, so the name and what precedes it are above, up to the blank line.
        while position and marks[position - 1] == _OWN and len(lines[position - 1]) <= 120:
            position -= 1
            if words.ATTRIBUTION_START.match(lines[position]):
                break
        return position
    for earlier in range(position - 1, max(-1, position - 4), -1):
        if marks[earlier] != _OWN:
            break
        line = lines[earlier][:_LINE]
        if words.ATTRIBUTION_START.match(line) and words.DATE.search(line):
            return earlier
    return position


def _next_line(lines: list[str], index: int) -> str:
    if ":>" in lines[index][:_LINE] or ": >" in lines[index][:_LINE]:
        return ">"
    for line in lines[index + 1 : index + 5]:
        if line.strip():
            return line.lstrip()
    return ""


def _without_rule(lines: list[str], marks: list[str], index: int) -> int:
    """The end of one's own text before history: without the rules and client footers that stand above it."""
    end = index
    while end:
        line = lines[end - 1].strip()
        if line and (len(line) < 4 or line.strip("-_=*~ \u2014")) and line not in ("--", "---", "----"):
            break
        end -= 1
    return end if any(mark == _OWN for mark in marks[:end]) else index


def own_lines(lines: list[str], marks: list[str]) -> list[int]:
    """The indexes of the lines a person wrote; with the quotes between them where they answer point by point."""
    _mend_wraps(lines, marks)
    last_own = max((position for position, mark in enumerate(marks) if mark == _OWN), default=-1)
    if last_own < 0:
        return []
    if not _quotes_before(marks, last_own):
        return list(range(last_own + 1))
    shape = "".join(marks).replace(_BLANK, "").replace(_HEADER, "")
    runs = [mark for position, mark in enumerate(shape) if position == 0 or shape[position - 1] != mark]
    interleaved = runs.count(_OWN) >= 2 and (runs.count(_QUOTED) >= 2 or _HEADER not in marks[: last_own + 1])
    if interleaved and _answers_inside(lines, marks):
        return list(range(last_own + 1))
    return [position for position, mark in enumerate(marks) if mark in (_OWN, _BLANK)]


def _quotes_before(marks: list[str], last: int) -> bool:
    return _QUOTED in marks[:last] or _HEADER in marks[:last]


def _answers_inside(lines: list[str], marks: list[str]) -> bool:
    """Whether own text between or after quotes is more than a signature or a client's footer."""
    first_quote = marks.index(_QUOTED)
    after = [line for line, mark in zip(lines[first_quote:], marks[first_quote:], strict=True) if mark == _OWN]
    return any(not is_footer(line) for line in after)


def only_footers(lines: list[str]) -> bool:
    """Whether nothing but blank lines and clients' footers is there."""
    return all(not line.strip(" -_=*~\t\xa0") or is_footer(line) for line in lines)


def _mend_wraps(lines: list[str], marks: list[str]) -> None:
    """Take a lone unmarked line tight between two quoted ones for a piece that a relay wrapped off the quote."""
    for position in range(1, len(lines)):
        if (
            marks[position] == _OWN
            and marks[position - 1] == _QUOTED
            and _is_rest_of_link(lines[position - 1], lines[position])
        ):
            marks[position] = _QUOTED
            continue
        if position + 1 == len(lines):
            break
        tight = marks[position] == _OWN and marks[position - 1] == _QUOTED and marks[position + 1] == _QUOTED
        if tight and len(lines[position - 1]) >= 60 and len(lines[position]) < 60:
            marks[position] = _QUOTED


def _is_rest_of_link(before: str, line: str) -> bool:
    """Whether a line goes on with a link in parentheses that the quoted line before began, or is one."""
    start = line[:20].lstrip()
    if start.startswith(("(http", "<http", ")")):
        return True
    opened = before.rfind("(")
    return opened >= 0 and before.find(")", opened) < 0 and "http" in before[opened : opened + 8]


def _squeezed(lines: list[str]) -> list[str]:
    """Without the runs of blank lines that dropped quotes leave."""
    kept: list[str] = []
    for line in lines:
        if line.strip() or (kept and kept[-1].strip()):
            kept.append(line)
    return kept
