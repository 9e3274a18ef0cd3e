"""What a person wrote in a plain text mail, apart from quoted history and signature. Pure and linear in its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from . import quote_words as words
from .attribution import WROTE_LAST, attribution_start, next_line, split_shared
from .glued import ends_as_attribution, is_whole
from .line_marks import BLANK, FORWARDED, HEADER, LINE, OWN, QUOTED
from .signature import before_marked, is_footer, without_signature

_MOST_ATTEMPTS = 200  # attributions looked at closely; far more than a mail has before the one that counts


@dataclass(frozen=True, slots=True)
class PlainReply:
    """The text of a reply, whether history was set apart, whether the mail forwards another one, and the lines that were
    left before the signature was looked for."""

    text: str
    quoted: bool
    forwards: bool = False
    signed: tuple[str, ...] = ()

    def without(self, signature: str) -> str:
        """The text without a signature that the mail's HTML marks, whose text is given; `text` where it is not there."""
        kept = before_marked(self.signed, signature)
        return self.text if kept is None else "\n".join(kept).strip("\n").rstrip()


def plain_reply(text: str, *, names: Sequence[str] = (), answers: bool = True) -> PlainReply:
    """The reply in a plain text; the whole of it where all of it is quoted, or where the mail is a forward.

    `names` are those of the people whom the mail answers; `answers` False says that nothing in its header speaks of an
    answer: then a header block in it is what it forwards.

    Answers between quotes keep the quotes that they answer; answers above or below keep none.
    """
    whole = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
    if not whole:
        return PlainReply(whole, False)
    lines = whole.split("\n")
    if answers and ("\n\t" in whole or whole[0] == "\t"):
        lines = tabs_as_quotes(lines)
    if ":" in whole or "：" in whole:
        lines = split_shared(lines, names)
    marks, cut = mark(lines, answers=answers)
    if FORWARDED in marks:
        return PlainReply(whole, False, forwards=True)
    quoted = has_history(lines, marks, cut)
    kept = lines
    if quoted:
        indexes = own_lines(lines[:cut], marks[:cut])
        kept = [lines[index] for index in indexes]
        if len(kept) < cut:
            kept = _squeezed(kept)
    signed, kept = kept, without_signature(kept, quoted=quoted)
    reply = "\n".join(kept).strip("\n").rstrip()
    if only_footers(kept):
        # Nothing of one's own: a mail is shown whole rather than empty.
        return PlainReply(whole, False)
    return PlainReply(reply, quoted, signed=tuple(signed))


def has_history(lines: list[str], marks: list[str], cut: int) -> bool:
    """Whether anything was recognised as quoted."""
    return cut < len(lines) or HEADER in marks[:cut] or QUOTED in marks[:cut]


def mark(lines: list[str], *, answers: bool = True) -> tuple[list[str], int]:
    """One mark a line, and the index from which unquoted history runs to the end (or the number of lines).

    `FORWARDED` marks the lines from what is forwarded on: it stays, as it is what the mail is about.
    """
    marks: list[str] = []
    count = len(lines)
    programs: bool | None = None  # looked at once it matters
    own = False
    attempts = 0
    for index, full in enumerate(lines):
        line = full[:LINE].strip()
        if not line:
            marks.append(BLANK)
            continue
        if (
            len(line) > 40
            and line[0].isalnum()
            and ":" not in line
            and "：" not in line
            and "line" not in line
            and line[-1] not in "。す>*->—–"
            and not (line[-1] in WROTE_LAST and line.endswith(words.ENDS_WROTE))
        ):
            # Most lines: none of what follows could find anything in them, and all of it together costs more.
            marks.append(OWN)
            own = True
            continue
        if line[0] == ">" and programs is None:
            programs = _is_program_prompt(lines)
        if (
            line[0] == ">"
            and not programs
            and not (marks and marks[-1] == OWN and _closes_address(lines[index - 1], line))
        ):
            marks.append(QUOTED)
            continue
        if _starts_forward(line):
            return [*marks, *([FORWARDED] * (count - index))], count
        if _starts_history(lines, index, line):
            if not answers and any(is_header_block(lines, index + after) for after in (0, 1)):
                return [*marks, *([FORWARDED] * (count - index))], count
            if not own:
                # History from the first line on: nothing can be told apart, all of it is shown.
                return [*marks, *([OWN] * (count - index))], count
            return marks, _without_rule(lines, marks, index)
        marks.append(OWN)
        if line[-1] in ":：->*—–" or ":>" in line or ": >" in line or line.endswith(words.ENDS_WROTE):
            attempts += 1
            start = attribution_start(lines, marks, index, line) if attempts <= _MOST_ATTEMPTS else None
            if start is not None:
                following = next_line(lines, index)
                if following.startswith(">"):
                    for position in range(start, index + 1):
                        if marks[position] == OWN:
                            marks[position] = HEADER
                    own = own and OWN in marks[:start]
                    continue
                if OWN in marks[:start]:
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
    before = before[:LINE].rstrip()
    return len(line) < 40 and line[-1] in ":：" and before.rfind("<") > before.rfind(">")


def _starts_history(lines: list[str], index: int, line: str) -> bool:
    first = line[0]
    if first in "-–—_=*#~" or line[0:2] == "**":
        if words.DIVIDER.match(line):
            return True
        if words.REPLY_ABOVE.search(line):
            return True
        if words.ANY_DIVIDER.fullmatch(line) and not words.FORWARD_DIVIDER.match(line):
            return is_header_block(lines, index + 1)
    if len(line) <= 40 and words.BARE_DIVIDER.fullmatch(line) and line.lower() != "original":
        return is_header_block(lines, index + 1) or next_line(lines, index).startswith(">")
    if ":" in line[:40] or "：" in line[:40]:
        return is_header_block(lines, index)
    return len(line) <= 120 and "line" in line and words.REPLY_ABOVE.search(line) is not None


def is_header_block(lines: list[str], index: int) -> bool:
    """Whether a block of From, Sent, To, Subject (in any order and language) begins at this line."""
    roles: set[str] = set()
    evidence = False
    blanks = 0
    looked = 0
    position = index
    while position < len(lines) and looked < 14:
        line = lines[position][:LINE].strip()
        position += 1
        if not line:
            blanks += 1
            if blanks > (2 if roles else 1) or len(roles) >= 3:
                break
            continue
        looked += 1
        found = _labelled(line) if ":" in line or "：" in line else None
        if found is None:
            if not roles:
                return False
            if looked > 1 and "@" not in line and blanks:
                break
            evidence = evidence or "@" in line
            continue
        role, telling = found
        if not roles and role not in ("from", "date", "subject", "to"):
            return False
        roles.add(role)
        evidence = evidence or telling
    named = roles & {"from", "date", "to", "subject"}
    return ("from" in named and len(named) >= 2 and (evidence or len(named) >= 4)) or (
        evidence and (len(named) >= 3 or {"date", "to"} == named)
    )


@lru_cache(maxsize=64)  # each line is looked at again from those above it
def _labelled(line: str) -> tuple[str, bool] | None:
    """The role of a label that the line begins with, and whether what follows is of its kind: an address, a date."""
    found = words.LABEL.match(line)
    if found is None:
        return None
    role, rest = found.lastgroup or "", line[found.end() :]
    if role == "date":
        return role, words.DATE.search(rest) is not None
    return role, role in ("from", "to", "cc") and "@" in rest


def _without_rule(lines: list[str], marks: list[str], index: int) -> int:
    """The end of one's own text before history: without the rules and client footers that stand above it."""
    end = index
    while end:
        line = lines[end - 1].strip()
        if line and (len(line) < 4 or line.strip("-_=*~ \u2014")) and line not in ("--", "---", "----"):
            break
        end -= 1
    return end if any(mark == OWN for mark in marks[:end]) else index


def own_lines(lines: list[str], marks: list[str]) -> list[int]:
    """The indexes of the lines a person wrote; with the quotes between them where they answer point by point."""
    _mend_wraps(lines, marks)
    last_own = max((position for position, mark in enumerate(marks) if mark == OWN), default=-1)
    if last_own < 0:
        return []
    if not _quotes_before(marks, last_own):
        return list(range(last_own + 1))
    shape = "".join(marks).replace(BLANK, "").replace(HEADER, "")
    runs = [mark for position, mark in enumerate(shape) if position == 0 or shape[position - 1] != mark]
    interleaved = runs.count(OWN) >= 2 and (runs.count(QUOTED) >= 2 or HEADER not in marks[: last_own + 1])
    if interleaved and _answers_inside(lines, marks):
        return list(range(last_own + 1))
    return [position for position, mark in enumerate(marks) if mark in (OWN, BLANK)]


def _quotes_before(marks: list[str], last: int) -> bool:
    return QUOTED in marks[:last] or HEADER in marks[:last]


def _answers_inside(lines: list[str], marks: list[str]) -> bool:
    """Whether own text between or after quotes is more than a signature or a client's footer."""
    first_quote = marks.index(QUOTED)
    after = [line for line, mark in zip(lines[first_quote:], marks[first_quote:], strict=True) if mark == OWN]
    return any(not is_footer(line) for line in after)


def only_footers(lines: list[str]) -> bool:
    """Whether nothing but blank lines and clients' footers is there."""
    return all(not line.strip(" -_=*~\t\xa0") or is_footer(line) for line in lines)


def _mend_wraps(lines: list[str], marks: list[str]) -> None:
    """Take a lone unmarked line tight between two quoted ones for a piece that a relay wrapped off the quote."""
    for position in range(1, len(lines)):
        if (
            marks[position] == OWN
            and marks[position - 1] == QUOTED
            and _is_rest_of_link(lines[position - 1], lines[position])
        ):
            marks[position] = QUOTED
            continue
        if position + 1 == len(lines):
            break
        tight = marks[position] == OWN and marks[position - 1] == QUOTED and marks[position + 1] == QUOTED
        if tight and len(lines[position - 1]) >= 60 and len(lines[position]) < 60:
            marks[position] = QUOTED


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


def tabs_as_quotes(lines: list[str]) -> list[str]:
    """The lines, with quotation by TAB (mailutils, mailx) written as it is elsewhere, with ">".

    Only where an attribution or the header of a mail introduces it: others set their own lists with TABs.
    """
    out = list(lines)
    index, count = 0, len(lines)
    while index < count:
        if lines[index][:1] != "\t":
            index += 1
            continue
        stop = index
        last = index
        while stop < count and (lines[stop][:1] == "\t" or not lines[stop].strip()):
            if lines[stop].strip():
                last = stop
            stop += 1
        above = next((line for line in reversed(lines[max(0, index - 3) : index]) if line.strip()), "")
        fields = sum(words.FIELD.match(line) is not None for line in lines[index : index + 4])
        if fields >= 2 or (ends_as_attribution(above) and is_whole(" ".join(lines[max(0, index - 3) : index]))):
            for position in range(index, last + 1):
                out[position] = "> " + lines[position][1:]
        index = stop
    return out
