"""DNS look-ups for sender authentication: one cache, a settable server, a deadline for each mail. Blocking: for threads."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import dns.exception
import dns.message
import dns.rdatatype
import dns.resolver

from .dmarc import Policy

_CACHED_NAMES = 50_000
_ONE_LOOKUP_S = 2.0
_NOTHING_THERE_S = 60.0  # how long a name without records is taken to have none, where the server does not say
_LONGEST_NOTHING_S = 10_800.0  # RFC 2308 section 5
_LONGEST_S = 86_400.0
_WORKERS = 16
_EXISTS = "EXISTS"  # asked as an A record: what counts is whether the name is there
_T = TypeVar("_T")


class LookupFailedError(Exception):
    """The answer could not be got: time-out, refusal or server failure. Another try may succeed."""


class NotRememberedError(Exception):
    """The answer is not in memory, and asking was not allowed."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock after which no further question is asked."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that remain, never negative."""
        return max(0.0, self.at - time.monotonic())


@dataclass(frozen=True, slots=True)
class Known(Generic[_T]):
    """Something that holds until a moment (seconds since the epoch)."""

    value: _T
    until: float


class Memory(Generic[_T]):
    """What is known until its time is over; the oldest goes when there is too much. For threads."""

    def __init__(self, most: int = _CACHED_NAMES) -> None:
        self._most = most
        self._known: dict[tuple[str, ...], Known[_T]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...]) -> Known[_T] | None:
        """What is known of it, or None."""
        known = self._known.get(key)
        return known if known is not None and known.until > time.time() else None

    def put(self, key: tuple[str, ...], known: Known[_T]) -> None:
        """Remember it."""
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = known
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]


class Resolver:
    """Answers from one DNS server ("host:port") or, without one, from the system's; answers are remembered by their TTL.

    Also carries the threads in which verdicts are computed while answers are fetched, so that the event loop never
    waits, and what was concluded from answers alone (`spf`, `dmarc`). Close it at the end.
    """

    def __init__(self, server: str | None = None) -> None:
        self.pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="verdicts")
        self.spf: Memory[str] = Memory()
        self.dmarc: Memory[Policy] = Memory()
        self.organisations: Memory[str] = Memory()
        self._answers: Memory[list[object]] = Memory()
        self._resolver: dns.resolver.Resolver | None
        try:
            self._resolver = dns.resolver.Resolver(configure=not server)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = None  # a machine without DNS: every look-up fails for now, mail is still accepted
            return
        self._resolver.timeout = 1.0
        if server:
            host, port = host_and_port(server)
            self._resolver.nameservers = [host]
            self._resolver.port = port

    def close(self) -> None:
        """Let the threads end; what they are at ends at its deadline."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def answers(self, name: str, kind: str, deadline: Deadline | None) -> Known[list[object]]:
        """What is known of a name, or what the server says until the deadline. Without one nothing is asked."""
        key = (name, kind)
        known = self._answers.get(key)
        if known is None:
            if deadline is None:
                raise NotRememberedError(name)
            known = self._ask(name, kind, deadline)
            self._answers.put(key, known)
        return known

    def _ask(self, name: str, kind: str, deadline: Deadline) -> Known[list[object]]:
        left = min(_ONE_LOOKUP_S, deadline.left())
        if self._resolver is None or left <= 0:
            raise LookupFailedError(name)
        nothing: Known[list[object]] = Known([], time.time() + _NOTHING_THERE_S)
        exists = kind == _EXISTS
        try:
            answers = self._resolver.resolve(name.rstrip("."), "A" if exists else kind, lifetime=left, search=False)
        except dns.resolver.NXDOMAIN as error:
            response = next(iter(error.responses().values()), None)  # type: ignore[no-untyped-call]
            # a name that is an alias is there, though what it leads to is not (RFC 6604 section 3)
            alias = exists and response is not None and bool(response.answer)
            return Known([True] if alias else [], _until(response))
        except dns.resolver.NoAnswer as error:
            return Known([True] if exists else [], _until(error.response()))  # type: ignore[no-untyped-call]
        except dns.resolver.YXDOMAIN:
            return nothing
        except (dns.resolver.NoNameservers, dns.exception.Timeout, OSError) as error:
            raise LookupFailedError(name) from error
        except (dns.exception.DNSException, UnicodeError, ValueError):
            return nothing  # not a name that could exist
        found: list[object]
        if exists:
            found = [True]
        elif answers.rdtype == dns.rdatatype.TXT:
            found = [tuple(rdata.strings) for rdata in answers]
        elif answers.rdtype == dns.rdatatype.MX:
            found = [(rdata.preference, rdata.exchange.to_text(True)) for rdata in answers]
        elif answers.rdtype == dns.rdatatype.PTR:
            found = [rdata.target.to_text(True) for rdata in answers]
        else:
            found = [rdata.address for rdata in answers]
        return Known(found, min(answers.expiration, time.time() + _LONGEST_S))


def _until(response: dns.message.Message | None) -> float:
    """How long it holds that there is nothing (RFC 2308 section 5): as long as the zone's SOA in the answer says."""
    authority = response.authority if response is not None else ()
    found = [min(rrset.ttl, rrset[0].minimum) for rrset in authority if rrset.rdtype == dns.rdatatype.SOA]
    return time.time() + (min(max(found[0], 1.0), _LONGEST_NOTHING_S) if found else _NOTHING_THERE_S)


class Lookups:
    """The look-ups of one judgement. Without a deadline only what is remembered is used, and `missed` tells that
    something was not there. `until` says how long what was found holds (seconds since the epoch)."""

    def __init__(self, resolver: Resolver, deadline: Deadline | None) -> None:
        self._resolver, self._deadline = resolver, deadline
        self.missed = False
        self.until = time.time() + _LONGEST_S

    def lookup(self, name: str, kind: str) -> list[object]:
        """The answers for a name, in the forms that pyspf uses: TXT as a tuple of bytes, MX as (preference, host),
        else text. Nothing there gives an empty list. Raises LookupFailedError where no answer could be got, and
        NotRememberedError.
        """
        try:
            known = self._resolver.answers(name, kind, self._deadline)
        except NotRememberedError:
            self.missed = True
            raise
        self.until = min(self.until, known.until)
        return known.value

    def exists(self, name: str) -> bool:
        """Whether there is such a name or one below it: anything but NXDOMAIN (RFC 8020). Raises as `lookup`."""
        return bool(self.lookup(name, _EXISTS))

    def texts(self, name: str) -> list[str]:
        """TXT records, their strings joined. Raises as `lookup`."""
        return [
            b"".join(strings).decode("utf-8", "replace")
            for strings in self.lookup(name, "TXT")
            if isinstance(strings, tuple)
        ]


def host_and_port(server: str) -> tuple[str, int]:
    """HOST, HOST:PORT or [IPV6]:PORT; a host name is looked up once. Raises ValueError where it cannot be used."""
    host, _, port = (server, "", "53")
    if server.count(":") == 1 or (server.startswith("[") and not server.endswith("]")):
        host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        number = int(port)
        try:
            return str(ipaddress.ip_address(host)), number
        except ValueError:
            return str(socket.getaddrinfo(host, number)[0][4][0]), number
    except (ValueError, OSError) as error:
        raise ValueError(f"{server!r} is not a usable HOST or HOST:PORT ({error})") from error
