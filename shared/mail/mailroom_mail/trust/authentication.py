"""Sender authentication: SPF (RFC 7208), DKIM (RFC 6376), ARC (RFC 8617) and DMARC (RFC 9989).

Where every answer of DNS is remembered, a mail is judged in a fraction of a millisecond, on the spot; else in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from mailroom_mail.reading.domain_names import comparable
from mailroom_mail.reading.model import ListPost
from mailroom_mail.reading.signed_parts import BrokenSignatureError, SignedParts

from . import sender_policy
from .arc_chain import Chain, verify_chain
from .dkim_signatures import verify_signatures
from .dmarc import Policy, discover, evaluate, organisation
from .dns_lookup import Deadline, Known, LookupFailedError, Lookups, NotRememberedError, Resolver
from .front_fields import front_fields, header_block, is_local, is_of_front
from .restored_author import is_author_proven
from .trusted_results import Stated, trusted_results
from .verdict_records import DkimVerdict, Verdicts

_ON_THE_SPOT_BYTES = 100_000  # hashing more keeps the event loop busy for a millisecond
_SIGNED = re.compile(rb"^(dkim-signature|arc-seal)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_T = TypeVar("_T")
_NO_CHAIN: Chain = ("none", None)
_log = logging.getLogger(__name__)


class _Signatures(NamedTuple):
    dkim: tuple[DkimVerdict, ...] = ()
    arc: Chain = _NO_CHAIN
    author: str | None = None


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
    post: ListPost | None = None
    enclosed: bytes = b""

    def spf(self, deadline: Deadline | None) -> str:
        """SPF's result."""
        if not self.client_ip:
            return "none"
        lookups = Lookups(self.resolver, deadline)
        return sender_policy.check(self.client_ip, self.helo, self.mail_from, lookups, self.resolver.spf)

    def signatures(self, deadline: Deadline | None) -> _Signatures:
        """Each signature's result, and the chain's."""
        behind_list = self.post is not None and self.post.rewritten
        if not self.present and not behind_list:
            return _Signatures()
        try:
            parts = SignedParts(self.raw)
        except BrokenSignatureError:
            return self.unread("permerror", "fail")
        texts, now = Lookups(self.resolver, deadline).texts, time.time()
        author = self._author(parts, deadline, now)
        return _Signatures(verify_signatures(parts, texts, now), verify_chain(parts, texts, now), author)

    def author(self, deadline: Deadline | None) -> str | None:
        """Who wrote behind the list, where that can be proven."""
        try:
            parts = SignedParts(self.raw)
        except BrokenSignatureError:
            return None
        return self._author(parts, deadline, time.time())

    def _author(self, parts: SignedParts, deadline: Deadline | None, now: float) -> str | None:
        post = self.post
        if post is None or not post.rewritten or post.author is None:
            return None
        texts = Lookups(self.resolver, deadline).texts

        def aligned(signer: str, author: str) -> bool:
            try:
                return signer == author or self._organisation(signer, deadline) == self._organisation(author, deadline)
            except LookupFailedError:
                return False

        proven = is_author_proven(parts, post.author.email, post.source, self.enclosed, aligned, texts, now)
        return post.author.email if proven else None

    def unread(self, dkim: str, arc: str) -> _Signatures:
        """What is said of signatures that are there and cannot be judged."""
        return _Signatures(
            (DkimVerdict("", dkim),) if b"dkim-signature" in self.present else (),
            (arc, None) if b"arc-seal" in self.present else _NO_CHAIN,
        )

    def policy(self, deadline: Deadline | None) -> Policy | None:
        """The policy that counts for From's domain, remembered as long as it holds; None where DNS does not say."""
        if not self.from_domain:
            return Policy()
        known = self.resolver.dmarc.get((self.from_domain,))
        if known is not None:
            return known.value
        lookups = Lookups(self.resolver, deadline)
        try:
            policy = discover(self.from_domain, lookups.texts, lookups.exists)
        except LookupFailedError:
            return None
        self.resolver.dmarc.put((self.from_domain,), Known(policy, lookups.until))
        return policy

    def dmarc(
        self, policy: Policy | None, spf: str, spf_domain: str, dkim: Sequence[DkimVerdict], deadline: Deadline | None
    ) -> str:
        """DMARC's result; SPF that nobody looked up is unknown, and no failure."""
        if policy is None:
            return "temperror"
        known = "unknown" if spf == "none" and not self.client_ip else spf

        def organisation_by_name(name: str) -> str:
            return self._organisation(name, deadline)

        try:
            return evaluate(policy, known, spf_domain, dkim, organisation_by_name)
        except LookupFailedError:
            return "temperror"

    @property
    def spf_domain(self) -> str:
        """The domain that SPF is about: the envelope sender's, with the null one HELO's."""
        return comparable(self.mail_from.strip("<> ").rpartition("@")[2] or self.helo)

    def _organisation(self, name: str, deadline: Deadline | None) -> str:
        known = self.resolver.organisations.get((name,))
        if known is not None:
            return known.value
        lookups = Lookups(self.resolver, deadline)
        found = organisation(name, lookups.texts)
        self.resolver.organisations.put((name,), Known(found, lookups.until))
        return found


async def verdicts(
    raw: bytes,
    *,
    client_ip: str | None,
    helo: str | None,
    mail_from: str | None,
    from_domain: str | None,
    resolver: Resolver,
    authserv_trusted: Sequence[str] = (),
    is_front: Callable[[str], bool] | None = None,
    local_clients: bool = True,
    timeout_s: float = 3.0,
    post: ListPost | None = None,
    enclosed: bytes = b"",
) -> Verdicts:
    """The verdicts for one mail; never raises (but for being cancelled), never later than `timeout_s` seconds.

    `mail_from` is the envelope sender ("" for the null one), `from_domain` that of the From field. What DNS does not
    answer in time is a temperror. `is_front` is given where a trusted front server brought the mail, and says of an address
    whether it is such a server's: then the client is whom the front took the mail from, as `client_ip` or the header says (with `local_clients` False only one of a public network:
    DNS knows nothing of the others), and the results that it
    wrote under one of the names `authserv_trusted` take the place of what would be looked up. `post` is what a list did to the mail, `enclosed` the bytes that it wrapped:
    whether its author is proven stands in `list_author`.
    """
    deadline = Deadline.after(timeout_s)
    sender_domain = comparable((from_domain or "").strip().strip(".")) or None
    stated: Stated | None = None
    if is_front is not None:
        front = front_fields(raw, is_front)
        stated = trusted_results(front, authserv_trusted) if authserv_trusted else None
        if client_ip is None or is_of_front(client_ip, is_front):
            client_ip, helo = front.client_ip, front.helo
        if client_ip is not None and not local_clients and is_local(client_ip):
            client_ip = None
    present = frozenset([name.lower() for name in _SIGNED.findall(header_block(raw))])
    question = _Question(raw, client_ip, helo or "", mail_from or "", sender_domain, present, resolver, post, enclosed)
    if stated is not None and stated.dmarc is not None:
        return await _as_stated(question, stated, deadline)
    if len(raw) <= _ON_THE_SPOT_BYTES:
        try:
            spf, signatures, policy = question.spf(None), question.signatures(None), question.policy(None)
            return _verdicts(question, spf, signatures, policy, stated, None)
        except NotRememberedError:
            pass
    spf, signatures, policy = await asyncio.gather(
        _run(question.spf, resolver, deadline, "temperror" if client_ip else "none"),
        _run(question.signatures, resolver, deadline, question.unread("temperror", "temperror")),
        _run(question.policy, resolver, deadline, None if sender_domain else Policy()),
    )
    try:
        return _verdicts(question, spf, signatures, policy, stated, None)
    except NotRememberedError:  # whether two domains are of one organisation has to be asked
        late = _verdicts(question, spf, signatures, None, stated, None)

    def judged(until: Deadline) -> Verdicts:
        return _verdicts(question, spf, signatures, policy, stated, until)

    return await _run(judged, resolver, deadline, late)


async def _as_stated(question: _Question, stated: Stated, deadline: Deadline) -> Verdicts:
    """What the front said, with DMARC's result among it: nothing is looked up but what it left out and must be known."""
    asked, author = stated.dmarc_policy, None
    if stated.dmarc == "fail" and asked is None and question.from_domain:
        policy = await _run(question.policy, question.resolver, deadline, None)
        asked = policy.asked if policy is not None else None
    if question.post is not None and question.post.rewritten:
        author = await _run(question.author, question.resolver, deadline, None)
    return Verdicts(
        spf=stated.spf or "none",
        spf_domain=stated.spf_domain,
        dkim=stated.dkim or (),
        dmarc=stated.dmarc or "none",
        dmarc_policy=asked,
        arc=stated.arc or "none",
        arc_domain=stated.arc_domain,
        source=stated.source,
        list_author=author,
    )


def _verdicts(
    question: _Question,
    spf: str,
    signatures: _Signatures,
    policy: Policy | None,
    stated: Stated | None,
    deadline: Deadline | None,
) -> Verdicts:
    """All of it. What a front has stated takes the place of what was found here."""
    spf_domain = question.spf_domain or None
    dkim, arc = signatures.dkim, signatures.arc
    if stated is not None:
        if stated.spf is not None:
            spf, spf_domain = stated.spf, stated.spf_domain or spf_domain
        dkim = stated.dkim if stated.dkim is not None else dkim
        arc = (stated.arc, stated.arc_domain) if stated.arc is not None else arc
    return Verdicts(
        spf=spf,
        spf_domain=spf_domain,
        dkim=dkim,
        dmarc=question.dmarc(policy, spf, spf_domain or "", dkim, deadline),
        dmarc_policy=policy.asked if policy is not None else None,
        arc=arc[0],
        arc_domain=arc[1],
        source=stated.source if stated is not None else "computed",
        list_author=signatures.author,
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
