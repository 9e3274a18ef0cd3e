"""Authentication-Results that a trusted front server wrote (RFC 8601): read strictly where it matters (whose they are),
leniently where not (what stands in one result). Pure.

Real servers write what the grammar does not allow: addresses that are not quoted, 8-bit in comments, a semicolon at the
end. Such a result counts for as much as can be read of it, and spoils no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .front_fields import FrontFields
from .verdict_records import DkimVerdict

_FIELD = "authentication-results"
_MOST_RESULTS = 50
_LONGEST = 20_000
_GAP = r"(?:\s|\ue000\d+\ue001)*"  # white space and comments, which stand as marks
_ID = re.compile(rf'{_GAP}(?:"((?:[^"\\]|\\.)*)"|([^\s;()"\ue000]+)){_GAP}(?:\d{{1,5}}{_GAP})?(?:;|\Z)')
_RESULT = re.compile(rf"{_GAP}([a-z][a-z0-9-]*){_GAP}(?:/{_GAP}\d{{1,5}}{_GAP})?={_GAP}([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(
    r'(?:(?:smtp|header|body|policy)\s*\.\s*[a-z][\w-]*|p)\s*=\s*(?:"(?:[^"\\]|\\.)*"[^\s;"]*|[^\s;"]+)', re.IGNORECASE
)
_POLICY = re.compile(
    r"\b(?:p|policy|policy\.[\w-]*dmarc|policy\.published-domain-policy)\s*=\s*(none|quarantine|reject)\b",
    re.IGNORECASE,
)
_WORDS = frozenset(
    [
        "pass",
        "fail",
        "softfail",
        "neutral",
        "none",
        "temperror",
        "permerror",
        "policy",
        "hardfail",
        "permfail",
        "unknown",
        "bestguesspass",
        "skipped",
    ]
)
_SAME = {"hardfail": "fail", "permfail": "fail", "bestguesspass": "none", "unknown": "none", "skipped": "none"}


@dataclass(frozen=True, slots=True)
class Stated:
    """What a front said; None: nothing of that method."""

    source: str = ""
    spf: str | None = None
    spf_domain: str | None = None
    dkim: tuple[DkimVerdict, ...] | None = None
    dmarc: str | None = None
    dmarc_policy: str | None = None
    arc: str | None = None
    arc_domain: str | None = None


def trusted_results(fields: FrontFields, authserv_ids: Sequence[str]) -> Stated | None:
    """What the front said, or None where it said nothing in one of these names.

    Where it wrote above its own Received, all of that counts, each method by the topmost field that has it. Else the
    topmost field below counts, alone: the client may have written the others. The front must remove forged fields of its
    own name, as RFC 8601 section 5 demands.
    """
    wanted = {name.strip().lower() for name in authserv_ids if name.strip()}
    certain = [one for one in (_read(value, wanted) for name, value in fields.certain if name == _FIELD) if one]
    if not certain:
        below = (_read(value, wanted) for name, value in fields.below if name == _FIELD)
        return next((one for one in below if one), None)
    whole = certain[0]
    for other in certain[1:]:
        if whole.spf is None:
            whole = replace(whole, spf=other.spf, spf_domain=other.spf_domain)
        if whole.dkim is None:
            whole = replace(whole, dkim=other.dkim)
        if whole.dmarc is None:
            whole = replace(whole, dmarc=other.dmarc, dmarc_policy=other.dmarc_policy)
        if whole.arc is None:
            whole = replace(whole, arc=other.arc, arc_domain=other.arc_domain)
    return whole


def _read(value: str, wanted: set[str]) -> Stated | None:
    """One field, or None where it is not of one of those names: compared whole (RFC 8601 section 2.5)."""
    plain, comments = _without_comments(value[:_LONGEST])
    named = _ID.match(plain)
    if named is None:
        return None
    name = re.sub(r"\\(.)", r"\1", named[1]) if named[1] is not None else named[2]
    if name.lower() not in wanted:
        return None
    stated = Stated(source=name)
    for method, result, said, note in _results(plain[named.end() :], comments):
        if method == "spf" and stated.spf is None:
            address = said.get("smtp.mailfrom") or said.get("smtp.helo") or ""
            stated = replace(stated, spf=result, spf_domain=_domain(address))
        elif method == "dkim":
            signer = said.get("header.d") or said.get("header.i", "").rpartition("@")[2]
            one = () if result == "none" else (DkimVerdict(signer.lower()[:253], result, said.get("header.s")),)
            stated = replace(stated, dkim=(*(stated.dkim or ()), *one))
        elif method == "dmarc" and stated.dmarc is None:
            asked = _POLICY.search(note)
            stated = replace(stated, dmarc=result, dmarc_policy=asked[1].lower() if asked else None)
        elif method == "arc" and stated.arc is None:
            stated = replace(stated, arc=result, arc_domain=said.get("header.d"))
    return stated


def _domain(address: str) -> str | None:
    return address.strip('"<> ').rpartition("@")[2].lower()[:253] or None


def _results(plain: str, comments: list[str]) -> Iterator[tuple[str, str, dict[str, str], str]]:
    """Each result: method, result, its properties, and all of its words, comments included."""
    for piece in _split(plain)[:_MOST_RESULTS]:
        found = _RESULT.match(piece)
        if found is None or found[2].lower() not in _WORDS:
            continue
        result = found[2].lower()
        said: dict[str, str] = {}
        for match in _PROPERTY.finditer(piece):
            key, _, value = match[0].partition("=")
            said.setdefault("".join(key.split()).lower(), value.strip().strip('"'))
        note = piece + " " + " ".join(comments[int(number)] for number in re.findall("\ue000(\\d+)\ue001", piece))
        yield found[1].lower(), _SAME.get(result, result), said, note


def _split(plain: str) -> list[str]:
    """Cut at the semicolons that are not quoted."""
    pieces, start, quoted, at = [], 0, False, 0
    while at < len(plain):
        if plain[at] == "\\" and quoted:
            at += 1
        elif plain[at] == '"':
            quoted = not quoted
        elif plain[at] == ";" and not quoted:
            pieces.append(plain[start:at])
            start = at + 1
        at += 1
    pieces.append(plain[start:])
    return pieces


def _without_comments(value: str) -> tuple[str, list[str]]:
    """The value with each comment as a mark of its number, and the comments. Where a comment does not end as comments
    nest, what is quoted within is looked over; where that does not help, it ends at its first closing parenthesis."""
    value = value.replace("\ue000", "?").replace("\ue001", "?")
    for quotes, nests in ((False, True), (True, True), (False, False)):
        found = _comments(value, quotes, nests)
        if found is not None:
            return found
    return value, []


def _comments(value: str, quotes: bool, nests: bool) -> tuple[str, list[str]] | None:
    plain: list[str] = []
    comments: list[str] = []
    depth, start, quoted, at, kept = 0, 0, False, 0, 0
    while at < len(value):
        character = value[at]
        if character == "\\" and (quoted or depth):
            at += 1
        elif character == '"' and (depth == 0 or quotes):
            quoted = not quoted
        elif quoted:
            pass
        elif character == "(" and (depth == 0 or nests):
            if depth == 0:
                plain.append(value[kept:at])
                start = at + 1
            depth += 1
        elif character == ")" and depth:
            depth -= 1
            if depth == 0:
                plain.append(f" \ue000{len(comments)}\ue001 ")
                comments.append(value[start:at])
                kept = at + 1
        at += 1
    if (depth or quoted) and nests:
        return None
    plain.append(value[kept:] if not depth else "")
    return "".join(plain), comments
