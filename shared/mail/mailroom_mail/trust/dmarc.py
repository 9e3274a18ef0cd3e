"""DMARC (RFC 9989): the policy that counts for an author's domain, and which domains are of one organisation. Pure.

Both are found by walking up the DNS from a name (section 4.10), not by a list of public suffixes: at most eight questions,
whatever the name. What DNS says comes from functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .verdict_records import DkimVerdict

Texts = Callable[[str], Sequence[str]]
Record = dict[str, str]

MOST_QUESTIONS = 8  # RFC 9989 section 4.10: a longer name is asked for itself, then from seven labels on
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")  # the first tag, its value case-sensitive (section 4.8)
_ASKED = ("none", "quarantine", "reject")
_MILDER = {"reject": "quarantine", "quarantine": "none"}
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s,;!]+(?:![0-9]+[kmgt]?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts for an author's domain. `asked` is what its owner asks for a mail that fails (none, quarantine, reject),
    None where no record counts; `organisation` is the organisational domain."""

    domain: str = ""
    organisation: str = ""
    asked: str | None = None
    strict_spf: bool = False
    strict_dkim: bool = False


def parse_record(text: str) -> Record | None:
    """The tags of a DMARC record (sections 4.7 and 4.8; a tag list as in RFC 6376 section 3.2), or None for what is none."""
    if _VERSION.match(text) is None:
        return None
    record: Record = {"v": "DMARC1"}
    for part in text.split(";")[1:]:
        name, equals, value = part.partition("=")
        name = name.strip()
        if equals and name:
            if name in record:
                return None  # a tag twice makes the whole list invalid
            record[name] = value.strip()
    return record


def policies_of(record: Record) -> Record | None:
    """What a record asks for: `p`, `sp` and `np` as far as they are there. Where they cannot be read it is p=none for an owner
    who wants reports, and None for any other: then DMARC has nothing to say (section 4.10.1)."""
    found: Record = {name: record[name].lower() for name in ("p", "sp", "np") if name in record}
    if "p" in found and all(value in _ASKED for value in found.values()):
        return found
    reports = any(_URI.fullmatch(uri.strip()) for uri in record.get("rua", "").split(","))
    return {"p": "none"} if reports else None


def walk(domain: str, texts: Texts) -> list[tuple[str, Record]]:
    """The records on the way up from a name, with where each stands (section 4.10). Raises what `texts` raises."""
    labels = domain.split(".")
    names = [domain]
    rest = labels[1:] if len(labels) < MOST_QUESTIONS else labels[-(MOST_QUESTIONS - 1) :]
    names += [".".join(rest[at:]) for at in range(len(rest))]
    found: list[tuple[str, Record]] = []
    for name in names:
        # more than one record at a name: as if there were none
        records = [text for text in texts(f"_dmarc.{name}") if _VERSION.match(text)]
        record = parse_record(records[0]) if len(records) == 1 else None
        if record is not None:
            found.append((name, record))
            if record.get("psd", "").lower() in ("y", "n"):
                break
    return found


def organisation_of(domain: str, found: Sequence[tuple[str, Record]]) -> str:
    """The organisational domain of a name, by the records on its way up (section 4.10.2)."""
    if not found:
        return domain
    name, record = found[-1]
    if record.get("psd", "").lower() == "y" and name != domain:
        below = domain[: -len(name) - 1].rpartition(".")[2]
        return f"{below}.{name}"
    return name


def organisation(domain: str, texts: Texts) -> str:
    """The organisational domain of a name."""
    return organisation_of(domain, walk(domain, texts))


def discover(domain: str, texts: Texts, exists: Callable[[str], bool]) -> Policy:
    """The policy that counts for an author's domain (section 4.10.1): its own record's, else its organisation's, else
    that of the registry above. `exists` is asked only where the answer matters."""
    found = walk(domain, texts)
    organisational = organisation_of(domain, found)
    by_name = dict(found)
    at = next((name for name in (domain, organisational) if name in by_name), found[-1][0] if found else None)
    if at is None:
        return Policy(domain, organisational)
    record = by_name[at]
    policies = policies_of(record)
    if policies is None:
        return Policy(domain, organisational)
    asked = policies["p"]
    if at != domain:
        below = policies.get("sp", asked)
        np = policies.get("np", below)
        asked = below if np == below or exists(domain) else np
    if record.get("t", "").lower() == "y":  # the owner is testing: one level milder
        asked = _MILDER.get(asked, asked)
    return Policy(
        domain,
        organisational,
        asked,
        strict_spf=record.get("aspf", "").lower() == "s",
        strict_dkim=record.get("adkim", "").lower() == "s",
    )


def evaluate(
    policy: Policy, spf: str, spf_domain: str, dkim: Sequence[DkimVerdict], organisation_by_name: Callable[[str], str]
) -> str:
    """pass where SPF or a signature passed for a domain aligned with the author's (sections 4.4 and 5.3); none where no record
    counts. What was not found out for want of an answer is a temperror, and SPF that could not be looked up ("unknown")
    leaves none: neither is ever a failure."""
    if policy.asked is None:
        return "none"

    def aligned(other: str, strict: bool) -> bool:
        other = other.strip().strip(".").lower()
        if other == policy.domain:
            return True
        if strict or not (other == policy.organisation or other.endswith("." + policy.organisation)):
            return False
        return organisation_by_name(other) == policy.organisation

    if spf == "pass" and aligned(spf_domain, policy.strict_spf):
        return "pass"
    if any(one.result == "pass" and aligned(one.domain, policy.strict_dkim) for one in dkim):
        return "pass"
    # A later try might still have passed: that is no failure yet.
    open_spf = spf == "temperror" and (not spf_domain or aligned(spf_domain, policy.strict_spf))
    open_dkim = any(
        one.result == "temperror" and (not one.domain or aligned(one.domain, policy.strict_dkim)) for one in dkim
    )
    if open_spf or open_dkim:
        return "temperror"
    return "none" if spf == "unknown" else "fail"
