"""Which legacy charset unlabelled bytes are probably in, from the shape of the bytes alone.

Short and partial on purpose: mail without a usable label is rare, short, and nearly always one of a dozen charsets.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SAMPLE = 8192
_HIGH = re.compile(rb"[\x80-\xff]+")


def likeliest(data: bytes) -> str | None:
    """A Python codec name, or None when windows-1252 is as good a guess as any."""
    start = next((found.start() for found in [re.search(rb"[\x80-\xff]", data)] if found), None)
    if start is None:
        return None
    start = max(0, start - 200)
    sample = data[start : start + _SAMPLE]
    high = sum(map(len, _HIGH.findall(sample)))
    runs = _HIGH.findall(sample)
    longest = max(map(len, runs))
    if longest >= 4 and high >= 6:
        best = _east_asian(sample, high)
        if best:
            return best
    return _single_byte(sample, high, runs)


def _east_asian(sample: bytes, high: int) -> str | None:
    best: tuple[float, str] | None = None
    for codec, common in (
        ("euc_jp", _kana),
        ("cp932", _kana),
        ("cp949", _hangul),
        ("gb18030", _han),
        ("big5", _han),
    ):
        try:
            text = sample.decode(codec)
        except UnicodeDecodeError as error:
            if error.start < len(sample) - 3:  # a character cut by the sample's end is no contradiction
                continue
            text = sample[: error.start].decode(codec, "replace")
        wide = [char for char in text if char > "\x7f"]
        if not wide:
            continue
        score = common(wide) / len(wide)
        if score > 0.5 and (best is None or score > best[0]):
            best = (score, codec)
    return best[1] if best else None


def of_language(data: bytes, language: str) -> str | None:
    """Which of the charsets that a language is written in fits best: a Python codec name, or None where none does."""
    best: tuple[float, str] | None = None
    for codec, common in _OF_LANGUAGE.get(language, ()):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        wide = [char for char in text if char > "\x7f"]
        score = common(wide) / len(wide) if wide else 0.0
        if score > 0.3 and (best is None or score > best[0]):
            best = (score, codec)
    return best[1] if best else None


def language_of(text: str) -> str:
    """The language of a text as far as its letters tell ("ja", "ko", "zh", "ru"), else ""."""
    counts = {"ja": 0, "ko": 0, "zh": 0, "ru": 0}
    for char in text[:4000]:
        if "\u3041" <= char <= "\u30ff":
            counts["ja"] += 1
        elif "\uac00" <= char <= "\ud7a3":
            counts["ko"] += 1
        elif "\u4e00" <= char <= "\u9fff":
            counts["zh"] += 1
        elif "\u0410" <= char <= "\u044f":
            counts["ru"] += 1
    if counts["ja"] > 1 and counts["ja"] >= counts["ko"]:
        return "ja"  # Chinese characters are Japanese where kana stand among them
    best = max(counts, key=lambda name: counts[name])
    if counts[best] < 2:
        return ""
    return _which_chinese(text[:4000]) if best == "zh" else best


def _which_chinese(text: str) -> str:
    """Simplified ("zh-cn") or traditional ("zh-tw") script, by which old charset has all its characters; "zh" if both."""
    han = "".join(char for char in text if "\u4e00" <= char <= "\u9fff")
    fits = []
    for name, codec in (("zh-cn", "gb2312"), ("zh-tw", "big5")):
        try:
            han.encode(codec)
        except UnicodeEncodeError:
            continue
        fits.append(name)
    return fits[0] if len(fits) == 1 else "zh"


def _kana(chars: list[str]) -> float:
    """Japanese always has hiragana or katakana; half-width katakana is what wrong decodings produce."""
    kana = sum(1 for char in chars if "\u3041" <= char <= "\u30ff")
    han = sum(1 for char in chars if "\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u3002")
    odd = sum(1 for char in chars if "\uff61" <= char <= "\uff9f")
    return (kana * 1.3 + han - odd * 2) if kana * 12 >= len(chars) else 0.0


def _hangul(chars: list[str]) -> float:
    # Only the 2,350 syllables of KS X 1001 are written often; bytes of other charsets hit the rest or Hanja.
    return sum(1.2 if "\uac00" <= char <= "\ud7a3" else 0.0 for char in chars)


def _han(chars: list[str]) -> float:
    total = 0.0
    for char in chars:
        if char in _FREQUENT_HAN:
            total += 4.0
        elif "\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u3015" or "\uff01" <= char <= "\uff5e":
            total += 0.7
        elif "\ue000" <= char <= "\uf8ff":
            total -= 2.0
    return total


# The most frequent characters of Chinese in both scripts: they tell a right decoding from a wrong one.
_FREQUENT_HAN = frozenset(
    "的一是不了在人有我他这这個个们們中来來上大为為和国國地到以说說时時要就出会會可也你对對生能而子那得于於着下自之年过過发發"
    "后後作里裡用道行所然家种種事成方多经經么麼去法学學如都同现現当當没沒动動面起看定天分还還进進好小部其些主样樣理心"
    "本前开開但因只从從想实實日军者意无無力它与與长長把机機十民第公此已工使情明性知全三又关關点點正业業外将將两兩高间間"
    "由问問很最重并物手应應战向头頭文体體政美相见見被利什二等产產请請您謝谢件信电電邮郵"
)

_CYRILLIC = ("cp1251", "koi8-r", "iso8859-5", "cp866")


def _single_byte(sample: bytes, high: int, runs: list[bytes]) -> str | None:
    """Cyrillic, Greek, Hebrew and Arabic stand in words of high bytes only; Latin text has them one by one."""
    if high < 4 or sum(len(run) for run in runs if len(run) >= 3) * 2 < high:
        return None
    best: tuple[float, str] | None = None
    for codec in _CYRILLIC:
        text = sample.decode(codec, "replace")
        score = _cyrillic(text)
        if best is None or score > best[0]:
            best = (score, codec)
    for codec, first, last in (
        ("cp1253", "\u0386", "\u03ce"),
        ("cp1255", "\u05d0", "\u05ea"),
        ("cp1256", "\u0621", "\u0652"),
    ):
        try:
            text = sample.decode(codec)
        except UnicodeDecodeError:
            continue
        wide = [char for char in text if char > "\x7f"]
        share = sum(1 for char in wide if first <= char <= last) / len(wide)
        if share > 0.95 and (best is None or share > best[0] + 0.1):
            best = (share, codec)
    return best[1] if best and best[0] > 0.6 else None


def _cyrillic(text: str) -> float:
    """Share of high characters that are Cyrillic, weighted by how usual their case and frequency are."""
    wide = [char for char in text if char > "\x7f"]
    if not wide:
        return 0.0
    score = 0.0
    previous = " "
    for char in text:
        if "а" <= char <= "я" or char in "ёіїєґ":
            score += 1.1 if char in "оеаинтсрвлкмдпу" else 0.8
        elif "А" <= char <= "Я" or char in "ЁІЇЄ":
            # A capital within a word after a small letter is what a wrong Cyrillic table produces.
            score += -0.5 if previous.isalpha() and previous.islower() else 0.7
        elif char > "\x7f" and char.isalpha():
            score -= 0.5
        previous = char
    return score / len(wide)


def _of_kana(chars: list[str]) -> float:
    """Japanese known to be Japanese: a short subject may well be without kana, and half-width ones are rare."""
    return sum(
        1.3
        if "\u3041" <= char <= "\u30ff"
        else 1.0
        if "\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u3015"
        else -0.5
        for char in chars
    )


_OF_LANGUAGE: dict[str, tuple[tuple[str, Callable[[list[str]], float]], ...]] = {
    "ja": (("cp932", _of_kana), ("euc_jp", _of_kana)),
    "ko": (("cp949", _hangul),),
    "zh-cn": (("gb18030", _han),),
    "zh-tw": (("big5hkscs", _han), ("gb18030", _han)),
    "zh": (("gb18030", _han), ("big5hkscs", _han)),
    "ru": (
        ("cp1251", lambda chars: _cyrillic("".join(chars)) * len(chars)),
        ("koi8-r", lambda chars: _cyrillic("".join(chars)) * len(chars)),
    ),
}
