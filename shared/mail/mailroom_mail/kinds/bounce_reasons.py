"""Why a mail did not arrive, in words for people, and whether that is final (RFC 3464, RFC 3463). Pure.

A report says it three times: in the fields of its recipients, in the other server's answer that it repeats, and in the
notice for people. No one of them is right with every server, so they are judged together.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from . import bounce_words as words
from .automatic import names_any
from .status_fields import ADDRESS

LONGEST = 500  # characters of a reason
_MOST_READ = 100_000  # characters of a notice; what goes on for longer is the mail that it returns
_MOST_LINES = 30  # of a notice about one recipient
# What may not stand before a code is asked for behind its first digit: a pattern that begins with it is searched for several
# times as fast.
ENHANCED = re.compile(r"([245](?<![\d.].)\.\d{1,3}\.\d{1,3})(?![\d.])")
REPLY_CODE = re.compile(r"([45])(?<![\d.:/-].)[0-5]\d(?=[\s-])")
_TYPE = re.compile(r"\s{0,8}[A-Za-z][A-Za-z0-9_-]{0,30}\s{0,4};\s{0,8}")  # "smtp;", "x-unix;" (RFC 3464 section 2.1.2)
_CODE = re.compile(r"([245][0-5]\d)(?:-|(?=\s|$))\s{0,4}(?:#?([245]\.\d{1,3}\.\d{1,3})(?=[\s:,;)]|$)[\s:-]{0,3})?")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_RULE = re.compile(r"[ \t]{0,40}[-=_*]{4,}")
_ASIDES = re.compile(  # in small letters
    r"\((?:in reply to|generated from) [^()\n]{1,300}\)|\[(?:rcpt_to|mail_from|data|end_of_data)\]|"
    r"smtp error from remote (?:mail )?server after [^:\n]{1,40}(?::<[^<>\n]{0,320}>)?:|"
    r"remote host(?: \S{1,255})?(?: ?\[[^\]\n]{0,60}\])?(?: said)?:|host(?: \S{1,255})?(?: ?\[[^\]\n]{0,60}\])?(?: said)?:|"
    r"the (?:error|response|reason)(?: that the other server returned| from the remote server)? was:"
)
# What a server says of the program that it handed a mail to, before or around that program's own words: chasquid, Postfix.
_OF_PROGRAM = re.compile(
    r"(?:mda delivery failed: )?exit status \d{1,3} - \"(.{1,1000})\"\s*\Z|"
    r"command died with status \d{1,3}: \"[^\"]{0,300}\"\. command output: (.{1,1000})\Z",
    re.IGNORECASE | re.DOTALL,
)
_BECAUSE = "because:"
_NEXT_HOP = re.compile(r"(?:host )?\S{0,255} ?\[[0-9A-Fa-f.:]{2,45}\]:?", re.IGNORECASE)
_GIVEN = re.compile(
    r"(?:following (?:[a-z]{1,20} )?reasons?(?: (?:was|were) given| for [a-z ]{1,40})?|reasons?(?: (?:was|were)(?: given)?)?|"
    r"explanation[a-z ]{0,30}|grund|raison|motivo)\s{0,4}:\s{1,200}([^\s].{0,1000})",
    re.IGNORECASE | re.DOTALL,
)


_GIVEN_HINTS = ("reason", "explanation", "grund", "raison", "motivo")


def about(notice: str, recipient: str, others: Collection[str]) -> str:
    """What the notice for people says of one recipient: from the line that names it to the next blank line or the
    next recipient. Empty where it names it nowhere, or says nothing more there.
    """
    if not recipient:
        return ""
    low, wanted = notice.lower(), recipient.lower()
    at = low.find(wanted)
    for _ in range(3):  # the first time it is often only listed
        if at < 0:
            break
        said = _following(notice, at + len(recipient), others)
        if _LETTERS.search(said) is not None:
            return said
        at = low.find(wanted, at + len(recipient))
    return ""


def _following(notice: str, start: int, others: Collection[str]) -> str:
    first, *rest = notice[start : start + 4000].split("\n")[:_MOST_LINES]
    first = re.sub(r"^[>\"')\]]{0,4}[ \t]{0,8}(?:\.{3}|[:,])?", "", first)
    kept: list[str] = []
    if _names(first, others):
        return ""  # only listed among others
    introduced = first.rstrip().endswith(":")
    if first.strip() and not introduced:
        kept.append(first)
    for line in rest:
        bare = line.strip()
        if not bare:
            if kept:
                break
            continue
        if _RULE.match(line) is not None:
            break
        if _names(bare, others):
            break
        if bare.startswith(">>>") or _NEXT_HOP.fullmatch(bare) is not None:
            continue
        kept.append(bare.removeprefix("<<<").removeprefix("(reason:"))
    said = _without_asides(" ".join(" ".join(kept).split())[:1000])
    return said.removesuffix(")") if said.endswith(")") and said.count(")") > said.count("(") else said


def _without_asides(said: str) -> str:
    """Without what a server says of its own doings rather than of the reason."""
    low = said.lower()
    if len(low) != len(said):  # a letter that has no small form of its length: the places would not fit
        low = said
    pieces: list[str] = []
    position = len(_BECAUSE) if low.startswith(_BECAUSE) else 0
    for found in _ASIDES.finditer(low, position):
        pieces.append(said[position : found.start()])
        position = found.end()
    return " ".join(" ".join([*pieces, said[position:]]).split())


def _names(line: str, addresses: Collection[str]) -> bool:
    return bool(addresses) and "@" in line and any(one.lower() in addresses for one in ADDRESS.findall(line[:1000]))


def given(notice: str) -> str:
    """The reason that a notice announces as one ("The following reason was given: …"), or nothing."""
    low = notice[:4000].lower()
    found = _GIVEN.search(notice[:4000]) if names_any(low, _GIVEN_HINTS) else None
    if found is None:
        return ""
    return " ".join(re.split(r"\n[ \t]*\n", found.group(1), maxsplit=1)[0].split()).strip("\"'")


def tidy(diagnostic: str) -> str:
    """A server's answer for people: without the type in front of it, and its code once instead of at each line."""
    text = _TYPE.sub("", " ".join(diagnostic[:4000].split()), count=1)
    if (program := _OF_PROGRAM.match(text)) is not None:
        quoted, output = program.groups()
        text = output or " ".join(quoted.replace("\\n", " ").replace('\\"', '"').split())
    code = _CODE.match(text)
    if code is None:
        return text[:LONGEST]
    number, detail = code.groups()
    rest = text[code.end() :]
    again = re.compile(
        rf"(?<!\S){number}[ -](?:{re.escape(detail)}(?=[\s:,;)]|$)[\s:-]{{0,3}})" if detail else rf"(?<!\S){number}-"
    )
    rest = " ".join(again.sub(" ", rest).split())
    return " ".join(part for part in (number, detail, rest) if part)[:LONGEST]


def says_something(reason: str) -> bool:
    """Whether there are words in it beside codes."""
    code = _CODE.match(reason)
    return _LETTERS.search(reason if code is None else reason[code.end() :]) is not None


def first_words(*said: str) -> str | None:
    """The first of several, tidied, that has words in it."""
    for text in said:
        if text and says_something(reason := tidy(text)):
            return reason
    return None


def plain_words(status: str | None, action: str) -> str:
    """What a status code means (RFC 3463), for a report that gives no words at all."""
    status = status or ""
    found = words.PLAIN.get(status[2:]) or words.PLAIN.get(status[2:].partition(".")[0])
    if found is not None:
        return found
    return (
        "It could not be delivered yet." if action == "delayed" else "It could not be delivered; no reason was given."
    )


def specific(stated: str | None, *said: str | None) -> str | None:
    """The most specific status code of the field and of the words: 5.1.1 rather than 5.0.0. The field wins a tie."""
    codes = [stated] if stated else []
    codes += [code for text in said if text for code in ENHANCED.findall(text[:4000]) if code[0] in "45"]
    return max(codes, key=_exactness, default=None)


def _exactness(code: str) -> int:
    _, subject, detail = code.split(".")
    return 0 if subject == "0" else 1 if detail == "0" else 2


def meaning(text: str, status: str | None) -> str | None:
    """The code that words stand for where no exact one was stated ("user unknown" is 5.1.1), in the class stated."""
    for code, pattern in words.MEANINGS:
        if pattern.search(text[:4000]):
            return code if status is None else status[0] + code[1:]
    return None


def status_of(notice: str, codes: tuple[str, ...], delayed: bool) -> str:
    """The status code of a notice in words: one of the `codes` that stand in it, else what its words mean."""
    notice = notice[:_MOST_READ]
    wanted = [code for code in codes if code[0] in "45"]
    if wanted:
        # The most specific code: not one that says nothing ("5.0.0").
        return next((code for code in wanted if not code.endswith(".0.0")), wanted[0])
    reply = REPLY_CODE.search(notice)
    for code, pattern in words.MEANINGS:
        if pattern.search(notice):
            if delayed and reply is None and code[0] == "5":
                return "4" + code[1:]
            return reply.group(1) + code[1:] if reply is not None else code
    if reply is not None:
        return f"{reply.group(1)}.0.0"
    return "4.0.0" if delayed else "5.0.0"


def is_final(notice: str, *said: str) -> bool:
    """Whether words say that nothing more is tried: expired, given up, thrown away. `notice` is the whole notice, for
    programs known to write no other kind.
    """
    if words.NEVER_LATE in notice[:2000].lower():
        return True
    low = [text[:4000].lower() for text in said if text]
    return any(names_any(text, words.FINAL_HINTS) and _says_final(text) for text in low)


def _says_final(text: str) -> bool:
    if words.FINAL.search(text) is not None or words.FINAL_LINE.search(text) is not None:
        return True
    found = words.RAN_OUT.search(text)
    while found is not None:
        begins = not (found.start() and (text[found.start() - 1].isalnum() or text[found.start() - 1] == "_"))
        if begins and not text.endswith(words.NOT_YET, 0, found.start()):
            return True
        found = words.RAN_OUT.search(text, found.start() + 1)
    return False


def is_going_on(*said: str) -> bool:
    """Whether words say that it is still being tried."""
    return any(words.GOING_ON.search(text[:4000].lower()) is not None for text in said)
