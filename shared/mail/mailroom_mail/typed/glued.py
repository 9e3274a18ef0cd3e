"""Words typed into the line of the attribution, and where the attribution begins there. Pure, bounded by the line.

Web mail programs put the cursor into the attribution's own line: whoever types without clicking first sends
"Many greetings KimOn Monday, November 30, 2026 03:15 CET, Acme Support <support@shop.example> wrote:".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from . import quote_words as words

MAX_LINE = 1500  # characters of a line that are looked at
_MOST_STARTS = 12  # places of one line that are tried, from the right
# How an attribution begins in each language, written as programs write it: the capital tells it from running text.
_OPENING = re.compile(
    r"(?:On|At|Am|Den|Le|El día|El|Em|No dia|Il giorno|Il|Op|W dniu|Dnia|Dne|Dňa|Vào(?: ngày| lúc)?|Ngày|Lúc|På|Pada(?: tanggal)?|"
    r"Tanggal|În data de|În|La data|Στις|Την|В|На|Дана|Tarih|Dana|Kl\.?|Fecha|Data|"
    r"Quoting(?: message from)?|Zitat von|Citando(?: a)?|Citeren|Wiadomość napisana przez)(?=[\s:0-9])"
)
# A date follows the opening at once, with a weekday and a month's name at most between them.
_DATE_SOON = re.compile(r"[\s:]*(?:[^\W\d_][\w-]{0,16}[.,]{0,2}\s+){0,3}(?:[^\W\d_]{1,3}\s)?[(\"']?\d")
_SPEAKER_FIRST = ("Quoting", "Zitat", "Citando", "Citeren", "Wiadomość")
_DAY = re.compile(r"\s(?=\d{1,2}[\s.])")
_WORD_BEFORE = re.compile(r"(?:(?<![^\W\d_])th [2-7]|[^\W\d_]+(?:-feira)?)\Z", re.IGNORECASE)
_WEEKDAY = re.compile(rf"(?:{words.WEEKDAYS})", re.IGNORECASE)
# With a full stop or comma even where a person's word is glued to them.
_SHORT_DAYS = ("пн", "вт", "ср", "чт", "пт", "сб", "вс", "pon", "wt", "śr", "czw", "pt", "sob", "niedz", "ndz")
_LONGEST_DAY = 20  # characters of a weekday's name
_IN_CHINESE = re.compile(r"在\s?(?=(?:19|20)\d\d)")
_PLAIN_DATE = re.compile(
    r"\d(?:(?:(?<=1)9|(?<=2)0)\d\d\s?[年년./-]\s?\d{1,2}|(?<!\d.)(?:\d?[./-]\d{1,2}[./-](?:19|20)?\d\d(?!\d)|\d?\.?\s[^\W\d_]{3,12}\.?,?\s(?:19|20)\d\d(?!\d)))",
    re.DOTALL,
)


def ends_as_attribution(line: str) -> bool:
    """Whether a line ends as attributions do, and says that somebody wrote: all that costs little to know."""
    tail = line.rstrip(" \t\xa0*_—–-")
    return (
        (tail[-1:] in (":", "：", ">") or tail.endswith(words.ENDS_WROTE))
        and words.says_wrote(tail[-MAX_LINE:].lower())
    ) or (tail[-2:] in (">:", ">：") and words.DATE.search(tail[-MAX_LINE:]) is not None)


def shared_start(line: str, names: Sequence[str] = ()) -> int | None:
    """The offset at which an attribution begins that stands in one line with a person's words before it, else 0; None
    where it begins with the line, so that nothing above belongs to it.

    `names` are the names and addresses of those whom the mail answers: in some languages an attribution begins with
    them, and nothing else tells where the person's words end.
    """
    if not 12 < len(line) <= MAX_LINE:
        return 0
    starts = [
        found.start()
        for found in _OPENING.finditer(line)
        if _DATE_SOON.match(line, found.end()) or found.group().startswith(_SPEAKER_FIRST)
    ]
    opened = bool(starts)
    named: list[int] = []
    if not starts:
        starts = list(_weekdays(line))
        named = [at for name in names if len(name) > 2 and (at := line.find(name)) >= 0]
    if not starts:
        dates = [found.start() for found in _PLAIN_DATE.finditer(line)]
        if dates and not (named and min(named) < dates[-1]):
            starts = [found.start() for found in _IN_CHINESE.finditer(line)] or dates
    for start in sorted(starts, reverse=True)[:_MOST_STARTS]:
        if not opened and _names_first(line, start):
            continue
        if is_whole(line[start:]):
            if line[:start].strip(" \t\xa0>*_-–—\"'„“«(|="):
                return start
            return None if opened else 0
    if not starts and named:
        start = min(named)
        start -= len(line[:start]) - len(line[:start].rstrip("\"'<„“« "))
        if line[:start].strip() and is_whole(line[start:]):
            return start
    return 0


def _weekdays(line: str) -> Iterator[int]:
    """The offsets of weekdays' names right before a day of a month, found from the day: to look for them takes long."""
    for found in _DAY.finditer(line):
        before = line[: found.start()].rstrip()
        bare = before.rstrip(".,")
        word = _WORD_BEFORE.search(bare[-_LONGEST_DAY:]) if len(before) - len(bare) <= 2 else None
        if word is None:
            continue
        if _WEEKDAY.fullmatch(word.group()) is not None:
            yield len(bare) - len(word.group())
        elif bare != before and (low := word.group().lower()).endswith(_SHORT_DAYS):
            yield len(bare) - max(len(day) for day in _SHORT_DAYS if low.endswith(day))


def _names_first(line: str, start: int) -> bool:
    """Whether what stands before a date is the attribution's own beginning: a name with its address, or a preposition."""
    before = line[:start].rstrip()
    return (
        before.endswith(("于", "於"))
        or _OPENING.match(line) is not None
        or (words.has_address(before) and not words.has_address(line[start:]))
    )


def is_whole(text: str) -> bool:
    """Whether a text says who wrote, or gives an address, and when."""
    return words.DATE.search(text) is not None and (words.has_address(text) or words.says_wrote(text.lower()))
