"""Authentication-Results that a trusted front server wrote (RFC 8601). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .verdict_records import DkimVerdict, Verdicts

_HEADER_LIMIT = 1_000_000
# What authres may let out on a field that nobody foresaw; such a field says nothing.
_ODD = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


def header_block(raw: bytes) -> bytes:
    """The header of a mail, at most a million bytes of it."""
    end = raw.find(b"\r\n\r\n", 0, _HEADER_LIMIT)
    plain = raw.find(b"\n\n", 0, _HEADER_LIMIT if end < 0 else end)  # only in the header: the body is long
    end = plain if plain >= 0 else end
    return raw[:_HEADER_LIMIT] if end < 0 else raw[:end]


def trusted_results(raw: bytes, authserv_ids: Sequence[str]) -> Verdicts | None:
    """The verdicts that a trusted server wrote on top (RFC 8601), or None where the mail has none of it. Pure.

    That server must remove forged fields of its own name, as RFC 8601 section 5 demands.
    """
    import authres

    wanted = {name.strip().lower() for name in authserv_ids if name.strip()}
    taken: Verdicts | None = None
    header = re.sub(rb"\r?\n[ \t]+", b" ", header_block(raw))
    for line in header.split(b"\n"):
        if line[:23].lower() != b"authentication-results:":
            continue
        value = line[23:].strip().decode("utf-8", "replace")
        if re.split(r"[\s;/]", value, maxsplit=1)[0].strip('"').lower() not in wanted:
            continue
        try:
            parsed = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + value)
        except (authres.AuthResError, *_ODD):
            continue
        taken = _merged(taken or Verdicts(source=str(parsed.authserv_id)), parsed.results, value)
    return taken


def _merged(verdict: Verdicts, results: Iterable[object], value: str) -> Verdicts:
    for one in results:
        method = str(getattr(one, "method", "")).lower()
        result = str(getattr(one, "result", "")).lower()
        found = {f"{p.type}.{p.name}": str(p.value) for p in getattr(one, "properties", ())}
        if method == "spf" and verdict.spf == "none":
            address = found.get("smtp.mailfrom") or found.get("smtp.helo") or ""
            verdict = replace(verdict, spf=result, spf_domain=address.rpartition("@")[2].lower() or None)
        elif method == "dkim" and result != "none":
            domain = found.get("header.d") or found.get("header.i", "").rpartition("@")[2]
            verdict = replace(verdict, dkim=(*verdict.dkim, DkimVerdict(domain.lower(), result, found.get("header.s"))))
        elif method == "dmarc" and verdict.dmarc == "none":
            asked = re.search(
                r"\bdmarc=[^;]*?\b(?:p|policy\.\w*dmarc|policy\.published-domain-policy)=(none|quarantine|reject)",
                value,
                re.IGNORECASE,
            )
            verdict = replace(
                verdict,
                dmarc="fail" if result in ("fail", "permfail") else result,
                dmarc_policy=asked.group(1).lower() if asked else None,
            )
        elif method == "arc" and verdict.arc == "none":
            verdict = replace(verdict, arc=result, arc_domain=found.get("header.d"))
    return verdict
