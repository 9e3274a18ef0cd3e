"""Sender authentication: SPF (RFC 7208), DKIM (RFC 6376), ARC (RFC 8617) and DMARC (RFC 7489), off the event loop."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .dns_lookup import Deadline, LookupFailedError, Resolver
from .trusted_results import header_block, trusted_results
from .verdict_records import DkimVerdict, Verdicts

_MOST_SIGNATURES = 5
_SEVERAL = re.compile(
    rb"^(?P<name>dkim-signature|arc-seal|authentication-results)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_T = TypeVar("_T")
# What the libraries may let out on input that nobody foresaw; a verdict then says permerror instead.
_ODD = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Policy:
    record: dict[str, str] = field(default_factory=dict)
    inherited: bool = False  # the record is the organisational domain's
    failed: bool = False


async def verdicts(
    raw: bytes,
    *,
    client_ip: str | None,
    helo: str | None,
    mail_from: str | None,
    from_domain: str | None,
    resolver: Resolver,
    authserv_trusted: Sequence[str] = (),
    timeout_s: float = 3.0,
) -> Verdicts:
    """The verdicts for one mail; never raises (but for being cancelled), never later than `timeout_s` seconds.

    `mail_from` is the envelope sender ("" for the null one), `from_domain` that of the From field. What DNS does not
    answer in time is a temperror. With `authserv_trusted` the Authentication-Results of a server of that name are
    taken instead, where the mail has them.
    """
    deadline = Deadline.after(timeout_s)
    sender_domain = (from_domain or "").strip().strip(".").lower() or None
    if authserv_trusted:
        taken = trusted_results(raw, authserv_trusted)
        if taken is not None:
            if taken.dmarc == "fail" and taken.dmarc_policy is None and sender_domain:
                policy = await _run(
                    resolver, deadline, _Policy(failed=True), _policy, sender_domain, resolver, deadline
                )
                taken = replace(taken, dmarc_policy=_asked(policy))
            return taken
    spf_domain = (mail_from or "").strip("<> ").rpartition("@")[2] or (helo or "")
    present = {match["name"].lower() for match in _SEVERAL.finditer(header_block(raw))}
    no_chain: tuple[str, str | None] = ("none", None)
    chain_unknown: tuple[str, str | None] = ("temperror", None)
    failed_spf = "temperror" if client_ip else "none"
    signatures_unknown: tuple[DkimVerdict, ...] = (
        (DkimVerdict("", "temperror"),) if b"dkim-signature" in present else ()
    )
    spf, dkim, arc, policy = await asyncio.gather(
        _run(resolver, deadline, failed_spf, _spf, client_ip, helo or "", mail_from or "", resolver, deadline),
        _run(resolver, deadline, signatures_unknown, _dkim, raw, resolver, deadline)
        if b"dkim-signature" in present
        else _value(()),
        _run(resolver, deadline, chain_unknown, _arc, raw, resolver, deadline)
        if b"arc-seal" in present
        else _value(no_chain),
        _run(resolver, deadline, _Policy(failed=True), _policy, sender_domain, resolver, deadline)
        if sender_domain
        else _value(_Policy()),
    )
    return Verdicts(
        spf=spf,
        spf_domain=spf_domain.lower() or None,
        dkim=dkim,
        dmarc=dmarc_result(policy, sender_domain, spf, spf_domain, dkim),
        dmarc_policy=_asked(policy),
        arc=arc[0],
        arc_domain=arc[1],
    )


async def _value(value: _T) -> _T:
    return value


async def _run(resolver: Resolver, deadline: Deadline, late: _T, work: Callable[..., _T], *arguments: object) -> _T:
    """Blocking work in one of the resolver's threads; `late` where it is not done in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(deadline.left() + 0.2):
            return await loop.run_in_executor(resolver.pool, functools.partial(work, *arguments))
    except TimeoutError:
        return late
    except RuntimeError as error:  # the pool is closed: the service is stopping
        _log.warning("verdicts not computed: %s", error)
        return late


def _spf(client_ip: str | None, helo: str, mail_from: str, resolver: Resolver, deadline: Deadline) -> str:
    import spf

    class Query(spf.query):  # type: ignore[misc]  # pyspf has no types
        """pyspf's evaluation with our look-ups: cached, with our server and deadline."""

        def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[object]:
            if not name:
                return []
            try:
                found = resolver.lookup(str(name).rstrip(".").lower(), qtype, deadline)
            except LookupFailedError as error:
                raise spf.TempError(f"DNS: no answer for {error}") from error
            if not found and not ignore_void:
                self.void_lookups += 1
                if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                    raise spf.PermError("too many look-ups without an answer")
            return found

    if not client_ip:
        return "none"
    address = mail_from.strip("<> ")
    if "." not in (address.rpartition("@")[2] or helo).strip("."):
        return "none"  # not a fully qualified domain: RFC 7208 section 4.3
    try:
        result = str(Query(client_ip.split("%")[0], address, helo).check()[0])
    except spf.PermError:
        return "permerror"
    except _ODD as error:
        _log.info("SPF could not be evaluated for %s: %r", address.rpartition("@")[2] or helo, error)
        return "permerror"
    return (
        result if result in ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror") else "permerror"
    )


class _Keys:
    """Public keys for dkimpy, which swallows DNS trouble: here it is remembered."""

    def __init__(self, resolver: Resolver, deadline: Deadline) -> None:
        self.failed = False
        self.missing = False
        self._resolver = resolver
        self._deadline = deadline

    def __call__(self, name: bytes, timeout: float = 5) -> bytes | None:
        try:
            texts = self._resolver.texts(name.decode("utf-8", "replace"), self._deadline)
        except LookupFailedError:
            self.failed = True
            return None
        self.missing = not texts
        return texts[0].encode() if texts else None


def _dkim(raw: bytes, resolver: Resolver, deadline: Deadline) -> tuple[DkimVerdict, ...]:
    import dkim

    try:
        first = dkim.DKIM(raw, timeout=1)
        count = sum(1 for name, _ in first.headers if name.lower() == b"dkim-signature")
    except (dkim.DKIMException, *_ODD):
        return (DkimVerdict("", "permerror"),)
    found: list[DkimVerdict] = []
    for index in range(min(count, _MOST_SIGNATURES)):
        keys = _Keys(resolver, deadline)
        signer = first if index == 0 else dkim.DKIM(raw, timeout=1)
        try:
            valid = signer.verify(idx=index, dnsfunc=keys)
            result = "pass" if valid else "temperror" if keys.failed else "permerror" if keys.missing else "fail"
        except dkim.ValidationError:
            result = "fail"
        except (dkim.DKIMException, *_ODD):
            result = "temperror" if keys.failed else "permerror"
        fields = signer.signature_fields
        found.append(DkimVerdict(_tag(fields, b"d").lower(), result, _tag(fields, b"s") or None))
    return tuple(found)


def _tag(fields: object, name: bytes) -> str:
    value = fields.get(name, b"") if isinstance(fields, dict) else b""
    return value.decode("utf-8", "replace")[:253] if isinstance(value, bytes) else ""


def _arc(raw: bytes, resolver: Resolver, deadline: Deadline) -> tuple[str, str | None]:
    import dkim

    keys = _Keys(resolver, deadline)
    try:
        result, sets, _ = dkim.ARC(raw, timeout=1).verify(dnsfunc=keys)
    except (dkim.DKIMException, *_ODD):
        return ("temperror" if keys.failed else "fail"), None
    if keys.failed:
        return "temperror", None
    domain = sets[0].get("as-domain") if sets else None
    named = domain.decode("utf-8", "replace").lower() if isinstance(domain, bytes) else None
    return ("pass" if result == dkim.CV_Pass else "none" if result == dkim.CV_None else "fail"), named


@functools.lru_cache(maxsize=1)
def _suffixes() -> Callable[[str], str | None]:
    from publicsuffixlist import PublicSuffixList

    found: Callable[[str], str | None] = PublicSuffixList().privatesuffix
    return found


@functools.lru_cache(maxsize=20_000)
def organisational_domain(domain: str) -> str:
    """The domain that a person registered (RFC 7489 section 3.2), by the public suffix list."""
    domain = domain.strip().strip(".").lower()
    return _suffixes()(domain) or domain


def _policy(domain: str, resolver: Resolver, deadline: Deadline) -> _Policy:
    """The DMARC record of a domain or its organisational domain (RFC 7489 section 6.6.3)."""
    parent = organisational_domain(domain)
    try:
        for name in dict.fromkeys((domain, parent)):
            records = [
                text
                for text in resolver.texts(f"_dmarc.{name}", deadline)
                if re.match(r"\s*v\s*=\s*DMARC1\s*(;|$)", text)
            ]
            if len(records) == 1:
                pairs = (part.partition("=") for part in records[0].split(";") if "=" in part)
                record = {key.strip().lower(): value.strip().lower() for key, _, value in pairs}
                return _Policy(record, inherited=name != domain)
            if records:
                return _Policy()  # more than one record: as if there were none
    except LookupFailedError:
        return _Policy(failed=True)
    return _Policy()


def _asked(policy: _Policy) -> str | None:
    if not policy.record:
        return None
    asked = policy.record.get("p", "none")
    if policy.inherited:
        asked = policy.record.get("sp", asked)
    return asked if asked in ("none", "quarantine", "reject") else "none"


def dmarc_result(
    policy: _Policy, from_domain: str | None, spf: str, spf_domain: str, dkim: Sequence[DkimVerdict]
) -> str:
    """pass where SPF or a signature passed for a domain aligned with From's (RFC 7489 section 3.1). Pure."""
    if policy.failed:
        return "temperror"
    if not from_domain or not policy.record:
        return "none"

    def aligned(other: str, strict: bool) -> bool:
        other = other.strip().strip(".").lower()
        return other == from_domain if strict else organisational_domain(other) == organisational_domain(from_domain)

    strict_spf = policy.record.get("aspf") == "s"
    strict_dkim = policy.record.get("adkim") == "s"
    if spf == "pass" and aligned(spf_domain, strict_spf):
        return "pass"
    if any(one.result == "pass" and aligned(one.domain, strict_dkim) for one in dkim):
        return "pass"
    # A later try might still have passed: that is no failure yet.
    open_spf = spf == "temperror" and (not spf_domain or aligned(spf_domain, strict_spf))
    open_dkim = any(one.result == "temperror" and (not one.domain or aligned(one.domain, strict_dkim)) for one in dkim)
    return "temperror" if open_spf or open_dkim else "fail"
