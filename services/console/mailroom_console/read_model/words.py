"""Words as full-text search compares them: in the index, in what is searched for, and where a hit is marked. Pure.

Letters are compared without case, accents and ß, whatever way they were encoded. Scripts that put no spaces between words
(Chinese, Japanese; Korean, whose endings cling) are cut into overlapping pairs of letters. What punctuation splits is a
phrase when it is searched for: the words beside each other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

LONGEST_WORD = 40
SHORTEST_BEGINNING = 3
MOST_PHRASES, LONGEST_PHRASE = 12, 12
APART = "\N{PILCROW SIGN}"  # a word that nobody searches for, between texts that have nothing to do with each other

_MARKS = "".join(re.escape(chr(c)) for c in range(0x300, 0x10000) if unicodedata.category(chr(c)).startswith("M"))
_WORD = re.compile(rf"(?:[^\W_]|[{_MARKS}])+")
_PIECE = re.compile(r"[^\x00-/:-@\[-`{-\x7f]+")  # of a text: up to the next character of ASCII that is in no word
_BETWEEN = str.maketrans({chr(c): " " for c in range(128) if not chr(c).isalnum()})  # words, in text of ASCII
_PAIRED = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\uff66-\uff9f\U00020000-\U0003ffff]+"
)
# Letters that Unicode does not take apart; casefold has made ss of ß.
_FOLDED = str.maketrans(
    {"đ": "d", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ħ": "h", "ŧ": "t"}
)
_VOICED, _VIRAMA = 8, 9  # combining classes of marks that make another letter: が is not か
_PICTURE = re.compile(
    r"^[ \t]*\[[^\]\n]{0,300}\][ \t]*$|\[(?:image|cid|bild|inline image)[: ][^\]\n]{0,300}\]", re.M | re.I
)
_ASKED = re.compile(r'"([^"]*)"|(\S+)')
_ADDRESS = re.compile(r"[^\s@]++@[^\s@]+\.[^\s@.]{2,}")


class Word(NamedTuple):
    """One word of a text, folded, and where it stands in it."""

    text: str
    begin: int
    end: int


def composed(text: str) -> str:
    """The text as positions of its words count (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def words(text: str) -> Iterator[Word]:
    """The words of a text that is `composed`, in order. A run of paired letters ends with its last letter alone, so that
    each letter begins a word."""
    for match in _WORD.finditer(text):
        begin, found = match.start(), match.group()
        if found.isascii():
            yield Word(found.lower()[:LONGEST_WORD], begin, match.end())
            continue
        at = 0
        for run in _PAIRED.finditer(found):
            yield from _plain(found, at, run.start(), begin)
            at = run.end()
            for i in range(run.start(), run.end()):
                end = min(i + 2, run.end())
                yield Word(_fold(found[i:end]), begin + i, begin + end)
        yield from _plain(found, at, len(found), begin)


def _plain(found: str, begin: int, end: int, offset: int) -> Iterator[Word]:
    if begin < end and (folded := _fold(found[begin:end])):
        yield Word(folded[:LONGEST_WORD], offset + begin, offset + end)


@lru_cache(20_000)
def _fold(word: str) -> str:
    taken_apart = unicodedata.normalize("NFKD", word.casefold())
    bare = "".join(c for c in taken_apart if unicodedata.combining(c) in (0, _VOICED, _VIRAMA))
    return unicodedata.normalize("NFC", bare).casefold().translate(_FOLDED)


def searched_for(q: str) -> list[tuple[str, ...]]:
    """The phrases of a search: each must be found, the last letters of its last word may be missing. What stands in
    quotes or is split by punctuation is one phrase."""
    found: list[tuple[str, ...]] = []
    for match in list(_ASKED.finditer(composed(q)))[:MOST_PHRASES]:
        phrase = _phrase(match.group(1) or match.group(2) or "")
        if phrase and phrase not in found:
            found.append(phrase)
    return found


def addresses(q: str) -> set[tuple[str, ...]]:
    """Those phrases of a search that are e-mail addresses, to the end as it seems."""
    return {_phrase(asked) for asked in composed(q).split() if _ADDRESS.fullmatch(asked)}


def _phrase(text: str) -> tuple[str, ...]:
    told = list(words(text))
    # the letter alone at the end of a run of pairs is the index's, not the searcher's
    kept = [w for n, w in enumerate(told) if not (n and w.end == told[n - 1].end)]
    return tuple(w.text for w in kept)[:LONGEST_PHRASE]


def may_begin(word: str) -> bool:
    """Whether a word may be the beginning of another; of short ones too many would be."""
    return len(word) >= SHORTEST_BEGINNING or (len(word) == 1 and bool(_PAIRED.fullmatch(word)))


def indexed(texts: Sequence[str], portal_id: str, most: int | None = None) -> list[str]:
    """The words of some texts as the index keeps them: each bears its portal, so that no search ever walks another's."""
    mine, found = scope(portal_id), list[str]()
    for number, text in enumerate(texts):
        if number:
            found.append(APART)
        found += [mine + word for word in _folded(composed(without_pictures(text)))]
    return found[:most]


def _folded(text: str) -> list[str]:
    """As `words`, without where they stand, which takes most of the time."""
    if text.isascii():
        told = text.lower().translate(_BETWEEN).split()
        return told if max(map(len, told), default=0) <= LONGEST_WORD else [word[:LONGEST_WORD] for word in told]
    told = []
    for piece in _PIECE.findall(text):
        if piece.isascii():
            told.append(piece.lower()[:LONGEST_WORD])
        elif len(piece) <= LONGEST_WORD:
            told += _of_piece(piece)
        else:
            told += [word.text for word in words(piece)]
    return told


@lru_cache(20_000)
def _of_piece(piece: str) -> tuple[str, ...]:
    return tuple(word.text for word in words(piece))


@lru_cache(10_000)
def scope(portal_id: str) -> str:
    """What a portal's words begin with: of one length for all, so that no word is another portal's."""
    number = int.from_bytes(blake2b(portal_id.encode(), digest_size=4).digest(), "big")
    return "".join("abcdefghijklmnopqrstuvwxyz012345"[number >> shift & 31] for shift in range(0, 30, 5))


def without_pictures(text: str) -> str:
    """The text without what stands in the place of pictures."""
    return _PICTURE.sub(" ", text) if "[" in text else text


Piece = tuple[str, bool]
"""A piece of a text, and whether it was searched for."""


def marked(text: str, phrases: Sequence[tuple[str, ...]], around: int = 0) -> list[Piece]:
    """The text in pieces, those that were searched for marked; [] when nothing of it was. `around`: no more than so many
    characters, from shortly before the first hit."""
    text = composed(text)
    told = list(words(text))
    hits: list[tuple[int, int]] = []
    for n in range(len(told)):
        for phrase in phrases:
            if (end := _hit(told, n, phrase)) is not None:
                hits.append((told[n].begin, end))
    if not hits:
        return []
    hits.sort()
    begin = max(0, hits[0][0] - around // 4) if around and len(text) > around else 0
    last = begin + around if around and len(text) > around else len(text)
    pieces: list[Piece] = [("…", False)] if begin else []
    at = begin
    for start, end in hits:
        start, end = max(start, at), min(end, last)
        if start < end:
            if at < start:
                pieces.append((text[at:start], False))
            pieces.append((text[start:end], True))
            at = end
    if at < last:
        pieces.append((text[at:last], False))
    return pieces + ([("…", False)] if last < len(text) else [])


def _hit(told: Sequence[Word], n: int, phrase: tuple[str, ...]) -> int | None:
    """Where the phrase ends, if it begins at this word."""
    if n + len(phrase) > len(told):
        return None
    *first, last = phrase
    if any(told[n + i].text != word for i, word in enumerate(first)):
        return None
    word = told[n + len(first)]
    if word.text == last:
        return word.end
    if not may_begin(last) or not word.text.startswith(last):
        return None
    # of a pair only the letter that was searched for
    return word.begin + 1 if len(last) == 1 else word.end
