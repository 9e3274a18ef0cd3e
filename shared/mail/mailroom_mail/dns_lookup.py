"""DNS look-ups for sender authentication: one cache, a settable server, a deadline for each mail. Blocking: for threads."""

from __future__ import annotations

import ipaddress
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import dns.exception
import dns.rdatatype
import dns.resolver

_CACHED_NAMES = 20_000
_ONE_LOOKUP_S = 2.0
_WORKERS = 16


class LookupFailedError(Exception):
    """The answer could not be got: time-out, refusal or server failure. Another try may succeed."""


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


class Resolver:
    """Answers from one DNS server ("host:port") or, without one, from the system's; answers are cached by their TTL.

    Also carries the threads in which verdicts are computed, so that the event loop never waits; close it at the end.
    """

    def __init__(self, server: str | None = None) -> None:
        self.pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="verdicts")
        self._resolver: dns.resolver.Resolver | None
        try:
            self._resolver = dns.resolver.Resolver(configure=not server)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = None  # a machine without DNS: every look-up fails for now, mail is still accepted
            return
        self._resolver.cache = dns.resolver.LRUCache(_CACHED_NAMES)
        self._resolver.timeout = 1.0
        if server:
            host, port = _host_and_port(server)
            self._resolver.nameservers = [host]
            self._resolver.port = port

    def close(self) -> None:
        """Let the threads end; what they are at ends at its deadline."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def lookup(self, name: str, kind: str, deadline: Deadline) -> list[object]:
        """The answers for a name, in the forms that pyspf uses: TXT as a tuple of bytes, MX as (preference, host),
        else text. Nothing there gives an empty list. Raises LookupFailedError where no answer could be got.
        """
        left = min(_ONE_LOOKUP_S, deadline.left())
        if self._resolver is None or left <= 0:
            raise LookupFailedError(name)
        try:
            answers = self._resolver.resolve(name.rstrip("."), kind, lifetime=left, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
            return []
        except (dns.resolver.NoNameservers, dns.exception.Timeout, OSError) as error:
            raise LookupFailedError(name) from error
        except (dns.exception.DNSException, UnicodeError, ValueError):
            return []  # not a name that could exist
        if answers.rdtype == dns.rdatatype.TXT:
            return [tuple(rdata.strings) for rdata in answers]
        if answers.rdtype == dns.rdatatype.MX:
            return [(rdata.preference, rdata.exchange.to_text(True)) for rdata in answers]
        if answers.rdtype == dns.rdatatype.PTR:
            return [rdata.target.to_text(True) for rdata in answers]
        return [rdata.address for rdata in answers]

    def texts(self, name: str, deadline: Deadline) -> list[str]:
        """TXT records, their strings joined. Raises LookupFailedError."""
        return [
            b"".join(strings).decode("utf-8", "replace")
            for strings in self.lookup(name, "TXT", deadline)
            if isinstance(strings, tuple)
        ]


def _host_and_port(server: str) -> tuple[str, int]:
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
        raise ValueError(f"MAILROOM_DNS_SERVER: {server!r} is not a usable HOST:PORT ({error})") from error
