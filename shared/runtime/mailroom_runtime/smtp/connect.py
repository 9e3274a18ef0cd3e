"""Connecting to somebody else's SMTP server: name resolution, the guard on where it may lead, TLS, and signing in.

The guard looks at the very addresses that are then connected to (no second look-up), so a name that changes its
address between check and use gains nothing. Used by outbound and by the console's login check.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
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

Resolve = Callable[[str], Awaitable[list[str]]]
MAIL_PORTS = (25, 465, 587)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
# networks of other address families that carry an IPv4 address which must be looked at: NAT64 (RFC 6052), 6to4
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


class SmtpTrouble(Exception):
    """Connecting or signing in did not work. `str()` is for people; `temporary`: worth trying again by itself.

    Codes: host_not_found, private_host, port_refused, no_answer, tls_refused, certificate_invalid, login_refused.
    """

    def __init__(self, code: str, text: str, *, temporary: bool = False) -> None:
        super().__init__(text)
        self.code, self.temporary = code, temporary


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
    where = f"{account.host}, port {account.port}"
    try:
        async with asyncio.timeout(access.timeout_s):
            sock = await _open_socket(account, access)
            try:
                return await _greet(account, access, sock)
            except BaseException:
                sock.close()
                raise
    except TimeoutError:
        raise SmtpTrouble(
            "no_answer", f"There is no answer from {where} within {access.timeout_s:g} s.", temporary=True
        ) from None


async def sign_in(client: aiosmtplib.SMTP, account: SmtpAccount, password: str | None) -> None:
    """Sign in, if the account has a user name. Raises `SmtpTrouble` (login_refused, no_answer)."""
    if not account.username:
        return
    try:
        if account.auth == "xoauth2":
            await client.auth_xoauth2(account.username, password or "")
        else:
            await client.login(account.username, password or "")
    except aiosmtplib.SMTPAuthenticationError as error:
        words = said(error.code, error.message)
        if error.code < 500:
            raise SmtpTrouble(
                "no_answer", f"The server cannot check logins now. It said: {words}", temporary=True
            ) from None
        raise SmtpTrouble("login_refused", f"The server refused the login. It said: {words}") from None
    except aiosmtplib.SMTPResponseException as error:
        raise SmtpTrouble(
            "no_answer", f"The server broke off the login. It said: {said(error.code, error.message)}", temporary=True
        ) from None
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as error:
        raise SmtpTrouble(
            "no_answer", f"The connection to {account.host} broke during the login.", temporary=True
        ) from error
    except aiosmtplib.SMTPException as error:
        raise SmtpTrouble("login_refused", f"The server offers no login that we could use: {error.message}") from None


def said(code: int, message: str) -> str:
    """A server's own words on one line, cut, without control characters."""
    flat = " ".join(_CONTROL.sub(" ", message.encode("utf-8", "replace").decode("utf-8", "replace")).split())
    return f"{code} {flat}"[:400].rstrip()


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
        if account.tls == "starttls" and not isinstance(error, aiosmtplib.SMTPHeloError):
            raise _tls(account, said(error.code, error.message)) from None
        raise SmtpTrouble(
            "no_answer", f"{account.host} answered in an odd way: {said(error.code, error.message)}", temporary=True
        ) from None
    except (
        aiosmtplib.SMTPConnectError,
        aiosmtplib.SMTPServerDisconnected,
        aiosmtplib.SMTPTimeoutError,
        OSError,
    ) as error:
        cause = error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise _certificate(account, cause) from None
        if isinstance(cause, ssl.SSLError):
            raise _tls(account, cause.reason or type(cause).__name__) from None
        raise SmtpTrouble(
            "no_answer",
            f"{account.host}, port {account.port} took the connection and then said nothing that we understand."
            + (" Perhaps the port needs STARTTLS instead of TLS from the start." if account.tls == "implicit" else "")
            + (" Perhaps the port needs TLS from the start." if account.tls != "implicit" else ""),
            temporary=True,
        ) from None
    except aiosmtplib.SMTPException as error:
        raise _tls(account, error.message) from None
    return client


def _tls(account: SmtpAccount, why: str) -> SmtpTrouble:
    return SmtpTrouble(
        "tls_refused",
        f"{account.host}, port {account.port} does not do {'TLS from the start' if account.tls == 'implicit' else 'STARTTLS'} "
        f"({_CONTROL.sub(' ', why)[:200]}). Check the port: 465 is TLS from the start, 587 is STARTTLS.",
    )


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
