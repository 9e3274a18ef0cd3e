"""Connecting to somebody else's SMTP server: name resolution, the guard on where it may lead, TLS, and signing in.

The guard looks at the very addresses that are then connected to (no second look-up), so a name that changes its
address between check and use gains nothing. Used by outbound and by the console's login check.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache

import aiosmtplib
import dns.asyncresolver
import dns.exception
import dns.resolver
from mailroom_contracts import SmtpAccount
from mailroom_mail.trust.dns_lookup import host_and_port

from .login import sign_in
from .trouble import SmtpTrouble, one_line, said

Resolve = Callable[[str], Awaitable[list[str]]]
MAIL_PORTS = (25, 465, 587)
# networks of other address families that carry an IPv4 address which must be looked at: NAT64 (RFC 6052), 6to4
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


@dataclass(frozen=True, slots=True)
class Access:
    """How this installation may connect. Times in seconds; `dns_server` "HOST[:PORT]", empty: the system's."""

    allow_private: bool = False
    ca_file: str = ""
    dns_server: str = ""
    timeout_s: float = 20.0
    helo_name: str | None = None
    resolve: Resolve | None = field(default=None, compare=False)


async def open_session(account: SmtpAccount, password: str | None, access: Access) -> aiosmtplib.SMTP:
    """A connection that has passed TLS and sign-in (where the account has a user name). Raises `SmtpTrouble`."""
    client = await connect(account, access)
    try:
        await sign_in(client, account, password)
    except BaseException:
        client.close()
        raise
    return client


async def connect(account: SmtpAccount, access: Access) -> aiosmtplib.SMTP:
    """A connection after greeting, EHLO and TLS, not signed in. Raises `SmtpTrouble`."""
    where, connected = f"{account.host}, port {account.port}", False
    try:
        async with asyncio.timeout(access.timeout_s):
            sock = await _open_socket(account, access)
            connected = True
            try:
                return await _greet(account, access, sock)
            except BaseException:
                sock.close()
                raise
    except TimeoutError:
        if connected:
            raise _silent(account, where) from None
        raise SmtpTrouble(
            "no_answer", f"There is no answer from {where} within {access.timeout_s:g} s.", temporary=True
        ) from None


def is_public(address: str) -> bool:
    """Whether an IP address lies outside every private, local, special or embedded private network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped
        if ip in _NAT64 or ip in _SIX_TO_FOUR:
            data = ip.packed[12:16] if ip in _NAT64 else ip.packed[2:6]
            embedded = ipaddress.IPv4Address(data)
        if embedded is not None:
            ip = embedded
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def _open_socket(account: SmtpAccount, access: Access) -> socket.socket:
    """A TCP connection to one of the host's addresses, each checked first."""
    if not access.allow_private and account.port not in MAIL_PORTS and account.port < 1024:
        raise SmtpTrouble("port_refused", f"Port {account.port} is not a mail port. Use 465 or 587.")
    addresses = await _addresses(account.host, access)
    allowed = addresses if access.allow_private else [a for a in addresses if is_public(a)]
    if not allowed:
        raise SmtpTrouble(
            "private_host",
            f"{account.host} is an address inside a private network ({addresses[0]}), which is not allowed here.",
        )
    loop = asyncio.get_running_loop()
    last: OSError | None = None
    for address in allowed[:4]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(access.timeout_s / min(len(allowed), 4)):
                await loop.sock_connect(sock, (address, account.port))
        except OSError as error:  # TimeoutError is one
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    why = "it refuses connections there" if isinstance(last, ConnectionRefusedError) else "nothing answers there"
    raise SmtpTrouble(
        "no_answer", f"There is no answer from {account.host}, port {account.port}: {why}.", temporary=True
    )


async def _addresses(host: str, access: Access) -> list[str]:
    name = host.strip().rstrip(".").strip("[]")
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(name))]
    if access.resolve is not None:
        found = await access.resolve(name)
    elif access.dns_server:
        found = await _ask(name, access)
    else:
        found = await _ask_system(name)
    if not found:
        raise SmtpTrouble("host_not_found", f"There is no server named {host}. Check its spelling.")
    return list(dict.fromkeys(found))


async def _ask_system(name: str) -> list[str]:
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise SmtpTrouble(
                "host_not_found", f"The name {name} cannot be looked up now.", temporary=True
            ) from None  # fmt: skip
        return []
    except UnicodeError:
        return []
    return [str(info[4][0]) for info in infos]


async def _ask(name: str, access: Access) -> list[str]:
    host, port = host_and_port(access.dns_server)
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [host]
    resolver.port = port
    resolver.lifetime = access.timeout_s / 2
    found: list[str] = []
    for kind in ("A", "AAAA"):
        try:
            answer = await resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            continue
        except dns.exception.DNSException:
            raise SmtpTrouble(
                "host_not_found", f"The name {name} cannot be looked up now.", temporary=True
            ) from None  # fmt: skip
        found += [str(row) for row in answer]
    return found


async def _greet(account: SmtpAccount, access: Access, sock: socket.socket) -> aiosmtplib.SMTP:
    client = aiosmtplib.SMTP(
        hostname=account.host.strip().rstrip(".").strip("[]"),
        sock=sock,
        use_tls=account.tls == "implicit",
        # the relay's "optional" takes TLS where the server offers it; an account's TLS mode is never lowered
        start_tls={"starttls": True, "optional": None}.get(account.tls, False),
        tls_context=tls_context(access.ca_file, optional=account.tls == "optional"),
        timeout=access.timeout_s,
        local_hostname=access.helo_name or None,
    )
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
    except ssl.SSLCertVerificationError as error:
        raise _certificate(account, error) from None
    except ssl.SSLError as error:
        raise _tls(account, error.reason or type(error).__name__) from None
    except aiosmtplib.SMTPConnectResponseError as error:
        raise SmtpTrouble(
            "no_answer", f"{account.host} does not want to talk to us. It said: {said(error.code, error.message)}",
            temporary=True,
        ) from None  # fmt: skip
    except aiosmtplib.SMTPResponseException as error:
        raise _odd(account, error) from None
    except aiosmtplib.SMTPTimeoutError:
        raise _silent(account, f"{account.host}, port {account.port}") from None
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, OSError) as error:
        cause = error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise _certificate(account, cause) from None
        if isinstance(cause, ssl.SSLError):
            raise _tls(account, cause.reason or type(cause).__name__) from None
        raise _closed(account) from None
    except aiosmtplib.SMTPException as error:
        raise _tls(account, error.message) from None
    return client


def _odd(account: SmtpAccount, error: aiosmtplib.SMTPResponseException) -> SmtpTrouble:
    """An answer to EHLO or STARTTLS that does not let us go on. 454: TLS is away for a while (RFC 3207 section 4)."""
    words = said(error.code, error.message)
    if account.tls == "starttls" and not isinstance(error, aiosmtplib.SMTPHeloError):
        if error.code < 500:
            return SmtpTrouble(
                "tls_broken", f"{account.host} cannot do TLS now, which is for its administrator to mend. It said: {words}",
                temporary=True,
            )  # fmt: skip
        return _tls(account, words)
    return SmtpTrouble("no_answer", f"{account.host} answered in an odd way: {words}", temporary=True)


def _silent(account: SmtpAccount, where: str) -> SmtpTrouble:
    """It took the connection, and waits for us to speak first."""
    if account.tls == "implicit":
        return SmtpTrouble("no_answer", f"{where} took the connection and then said nothing.", temporary=True)
    return SmtpTrouble(
        "no_greeting",
        f"{where} took the connection and then said nothing. It probably wants TLS from the start: change Encryption to that.",
        temporary=True,
    )


def _closed(account: SmtpAccount) -> SmtpTrouble:
    hint = "Check the port: 587 and 465 are usual"
    if account.tls != "implicit":
        hint += ", and 465 wants Encryption “TLS from the start”"
    return SmtpTrouble(
        "closed_at_once",
        f"{account.host}, port {account.port} took the connection and closed it at once. {hint}. Some servers let only "
        "certain networks in: then their administrator must allow this one.",
        temporary=True,
    )


_NO_TLS_HERE = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
)


def _tls(account: SmtpAccount, why: str) -> SmtpTrouble:
    """TLS did not come about: spoken at the wrong port or in the wrong way, or broken at the server."""
    where, words = f"{account.host}, port {account.port}", one_line(why)[:200]
    if account.tls == "implicit" and any(word in why for word in _NO_TLS_HERE):
        return SmtpTrouble(
            "tls_refused",
            f"{where} does not do TLS from the start ({words}). Change Encryption to STARTTLS, or the port to 465.",
        )
    if account.tls != "implicit" and "_" not in words:
        return SmtpTrouble(
            "tls_refused", f"{where} does not do STARTTLS ({words}). Check Encryption and port: 465 is TLS from the start, "
            "587 is STARTTLS.",
        )  # fmt: skip
    return SmtpTrouble(
        "tls_broken", f"The TLS of {where} is broken ({words}): it has none that is safe enough, or no certificate. That is for "
        "the server's administrator to mend.",
    )  # fmt: skip


def _certificate(account: SmtpAccount, error: ssl.SSLCertVerificationError) -> SmtpTrouble:
    why = (error.verify_message or "it is not valid").rstrip(".")
    return SmtpTrouble("certificate_invalid", f"The certificate of {account.host} is not valid for it: {why}.")


@lru_cache(maxsize=8)
def tls_context(ca_file: str, *, optional: bool = False) -> ssl.SSLContext:
    """A client context that checks certificates; `ca_file` adds authorities. Optional TLS takes any certificate:
    it guards against listening only (RFC 7435)."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    if optional:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
