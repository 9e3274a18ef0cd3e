"""Sender authentication: SPF (RFC 7208), DKIM (RFC 6376), ARC (RFC 8617) and DMARC (RFC 7489).

Where every answer of DNS is remembered, a mail is judged in a fraction of a millisecond, on the spot; else in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from mailroom_mail.reading.domain_names import comparable
from mailroom_mail.reading.signed_parts import BrokenSignatureError, SignedParts

from . import sender_policy
from .arc_chain import Chain, verify_chain
from .dkim_signatures import verify_signatures
from .dns_lookup import Deadline, Known, LookupFailedError, Lookups, NotRememberedError, Resolver
from .trusted_results import header_block, trusted_results
from .verdict_records import DkimVerdict, Verdicts

_ON_THE_SPOT_BYTES = 100_000  # hashing more keeps the event loop busy for a millisecond
_SIGNED = re.compile(rb"^(dkim-signature|arc-seal)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DMARC = re.compile(r"\s*v\s*=\s*DMARC1\s*(;|$)")
_T = TypeVar("_T")
_NO_CHAIN: Chain = ("none", None)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Policy:
    record: dict[str, str] = field(default_factory=dict)
    inherited: bool = False  # the record is the organisational domain's
    failed: bool = False


class _Signatures(NamedTuple):
    dkim: tuple[DkimVerdict, ...] = ()
    arc: Chain = _NO_CHAIN


@dataclass(frozen=True, slots=True)
class _Question:
    """What is judged: the mail, and what is known of who brought it."""

    raw: bytes
    client_ip: str | None
    helo: str
    mail_from: str
    from_domain: str | None
    present: frozenset[bytes]  # which fields of signatures it has
    resolver: Resolver

    def spf(self, deadline: Deadline | None) -> str:
        """SPF's result."""
        if not self.client_ip:
            return "none"
        lookups = Lookups(self.resolver, deadline)
        return sender_policy.check(self.client_ip, self.helo, self.mail_from, lookups, self.resolver.spf)

    def signatures(self, deadline: Deadline | None) -> _Signatures:
        """Each signature's result, and the chain's."""
        if not self.present:
            return _Signatures()
        try:
            parts = SignedParts(self.raw)
        except BrokenSignatureError:
            return self.unread("permerror", "fail")
        texts, now = Lookups(self.resolver, deadline).texts, time.time()
        return _Signatures(verify_signatures(parts, texts, now), verify_chain(parts, texts, now))

    def unread(self, dkim: str, arc: str) -> _Signatures:
        """What is said of signatures that are there and cannot be judged."""
        return _Signatures(
            (DkimVerdict("", dkim),) if b"dkim-signature" in self.present else (),
            (arc, None) if b"arc-seal" in self.present else _NO_CHAIN,
        )

    def policy(self, deadline: Deadline | None) -> _Policy:
        """The policy of From's domain."""
        return _policy(self.from_domain, self.resolver, deadline) if self.from_domain else _Policy()


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
    sender_domain = comparable((from_domain or "").strip().strip(".")) or None
    present = frozenset([name.lower() for name in _SIGNED.findall(header_block(raw))])
    question = _Question(raw, client_ip, helo or "", mail_from or "", sender_domain, present, resolver)
    if authserv_trusted:
        taken = trusted_results(raw, authserv_trusted)
        if taken is not None:
            if taken.dmarc == "fail" and taken.dmarc_policy is None and sender_domain:
                policy = await _run(question.policy, resolver, deadline, _Policy(failed=True))
                taken = replace(taken, dmarc_policy=_asked(policy))
            return taken
    if len(raw) <= _ON_THE_SPOT_BYTES:
        try:
            return _verdicts(question, question.spf(None), question.signatures(None), question.policy(None))
        except NotRememberedError:
            pass
    spf, signatures, policy = await asyncio.gather(
        _run(question.spf, resolver, deadline, "temperror" if client_ip else "none"),
        _run(question.signatures, resolver, deadline, question.unread("temperror", "temperror")),
        _run(question.policy, resolver, deadline, _Policy(failed=sender_domain is not None)),
    )
    return _verdicts(question, spf, signatures, policy)


def _verdicts(question: _Question, spf: str, signatures: _Signatures, policy: _Policy) -> Verdicts:
    spf_domain = comparable(question.mail_from.strip("<> ").rpartition("@")[2] or question.helo)
    return Verdicts(
        spf=spf,
        spf_domain=spf_domain or None,
        dkim=signatures.dkim,
        dmarc=dmarc_result(policy, question.from_domain, spf, spf_domain, signatures.dkim),
        dmarc_policy=_asked(policy),
        arc=signatures.arc[0],
        arc_domain=signatures.arc[1],
    )


async def _run(work: Callable[[Deadline], _T], resolver: Resolver, deadline: Deadline, late: _T) -> _T:
    """Blocking work in one of the resolver's threads; `late` where it is not done in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(deadline.left() + 0.2):
            return await loop.run_in_executor(resolver.pool, work, deadline)
    except TimeoutError:
        return late
    except RuntimeError as error:  # the pool is closed: the service is stopping
        _log.warning("verdicts not computed: %s", error)
        return late


@functools.lru_cache(maxsize=1)
def _suffixes() -> Callable[[str], str | None]:
    from publicsuffixlist import PublicSuffixList

    found: Callable[[str], str | None] = PublicSuffixList().privatesuffix
    return found


@functools.lru_cache(maxsize=20_000)
def organisational_domain(domain: str) -> str:
    """The domain that a person registered (RFC 7489 section 3.2), by the public suffix list."""
    domain = comparable(domain.strip().strip("."))
    return _suffixes()(domain) or domain


def _policy(domain: str, resolver: Resolver, deadline: Deadline | None) -> _Policy:
    """The DMARC record of a domain or its organisational domain (RFC 7489 section 6.6.3), remembered as long as it
    holds. Raises `NotRememberedError` where nothing may be asked."""
    known = resolver.dmarc.get((domain,))
    if known is not None:
        found: _Policy = known.value
        return found
    lookups = Lookups(resolver, deadline)
    try:
        policy = _published(domain, lookups)
    except LookupFailedError:
        return _Policy(failed=True)
    resolver.dmarc.put((domain,), Known(policy, lookups.until))
    return policy


def _published(domain: str, lookups: Lookups) -> _Policy:
    for name in dict.fromkeys((domain, organisational_domain(domain))):
        records = [text for text in lookups.texts(f"_dmarc.{name}") if _DMARC.match(text)]
        if len(records) == 1:
            pairs = (part.partition("=") for part in records[0].split(";") if "=" in part)
            record = {key.strip().lower(): value.strip().lower() for key, _, value in pairs}
            return _Policy(record, inherited=name != domain)
        if records:
            return _Policy()  # more than one record: as if there were none
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
