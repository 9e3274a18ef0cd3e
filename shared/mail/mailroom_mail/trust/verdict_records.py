"""What sender authentication says, as plain records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DkimVerdict:
    """The result of one signature: pass, fail, temperror, permerror."""

    domain: str
    result: str
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What sender authentication says. Results are the words of RFC 8601; `forwarded` stands where a known forwarder
    explains a failure. `source` is "computed", or the name of the trusted server whose results were taken."""

    spf: str = "none"
    spf_domain: str | None = None
    dkim: tuple[DkimVerdict, ...] = ()
    dmarc: str = "none"
    dmarc_policy: str | None = None  # what the From domain asks for: none, quarantine, reject
    arc: str = "none"
    arc_domain: str | None = None
    source: str = "computed"
    forwarded_by: str | None = None
    list_author: str | None = None  # who wrote behind a list, where that is proven by the author's own signature


@dataclass(frozen=True, slots=True)
class Forwarder:
    """By what a server that forwards is known again: what it passed SPF for, sealed or signed as, and its network."""

    spf_domain: str | None = None
    arc_domain: str | None = None
    dkim_domain: str | None = None
    network: str | None = None
