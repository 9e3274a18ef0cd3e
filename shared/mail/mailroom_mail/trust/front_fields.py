"""What a trusted front server wrote on top of a mail: which fields are its own, and who handed the mail to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

_HEADER_LIMIT = 1_000_000
_MOST_FIELDS = 200  # of the front's own; what it wrote stands on top
# A hop within one system, as Google writes it; what a user of the machine submitted is from outside.
_WITHIN = re.compile(r"by\s(?!.*\bfrom userid\b)", re.IGNORECASE)
_BY = re.compile(r"\sby\s", re.IGNORECASE)
_HELO = re.compile(r"\bhelo=(\S+?)(?=[\s)]|\Z)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(?:IPv6:)?([0-9a-fA-F.:]{3,45})(?:%[^\]]{1,20})?\]")
_PARENTHESISED = re.compile(r"\(([0-9a-fA-F.:]{3,45})\)")
_SPF_PAIR = re.compile(r"\b(client-ip|helo)=([^\s;]{1,255})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FrontFields:
    """`certain` are the fields above the Received in which the front took the mail from outside: nobody else can have
    written them. `below` are those from there to the next Received: the front's (rspamd writes there) or the client's, if
    the front lets forged ones pass. Each is (name in lower case, value unfolded), topmost first. `client_ip` and `helo` are
    those of whom the front took it from, None where it does not say."""

    certain: list[tuple[str, str]] = field(default_factory=list)
    below: list[tuple[str, str]] = field(default_factory=list)
    client_ip: str | None = None
    helo: str | None = None


def header_block(raw: bytes) -> bytes:
    """The header of a mail, at most a million bytes of it."""
    end = raw.find(b"\r\n\r\n", 0, _HEADER_LIMIT)
    plain = raw.find(b"\n\n", 0, _HEADER_LIMIT if end < 0 else end)  # only in the header: the body is long
    end = plain if plain >= 0 else end
    return raw[:_HEADER_LIMIT] if end < 0 else raw[:end]


def front_fields(raw: bytes, is_front: Callable[[str], bool]) -> FrontFields:
    """The front's own fields. `is_front` says whether an address (text) is a trusted front's; loopback is its own filters'.

    Servers and filters behind one front each write a Received: those that name a front as the client are the front's too.
    """
    found = FrontFields()
    entered = False
    client_ip: str | None = None
    helo: str | None = None
    for name, value in _fields(raw):
        if name == "received":
            if entered:
                break
            if _WITHIN.match(value) is not None:
                continue
            client_ip, helo = received_from(value)
            entered = client_ip is None or not is_of_front(client_ip, is_front)
            if not entered:
                client_ip = helo = None
        elif entered:
            found.below.append((name, value))
        else:
            found.certain.append((name, value))
    if client_ip is None:
        said = next((v for n, v in (*found.certain, *found.below[:10]) if n == "received-spf"), "")
        pairs = {key.lower(): value.strip('"') for key, value in _SPF_PAIR.findall(said[:2000])}
        client_ip, helo = _address(pairs.get("client-ip", "")), pairs.get("helo")
    return FrontFields(found.certain, found.below, client_ip, helo)


def is_of_front(client_ip: str, is_front: Callable[[str], bool]) -> bool:
    """Whether a client that a front names is itself a front, or one of its own filters, which hand mail back on loopback."""
    address = _address(client_ip)
    return address is not None and (ip_address(address).is_loopback or is_front(address))


@lru_cache(maxsize=4096)
def is_local(client_ip: str) -> bool:
    """Whether an address is loopback, private or link-local (RFC 6890); an unreadable one is."""
    try:
        address = ip_address(client_ip.partition("%")[0])
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_private or mapped.is_link_local)


def received_from(value: str) -> tuple[str | None, str | None]:
    """The client's address and what it called itself in a Received field (RFC 5321 section 4.4), as far as they can be read.

    What stands in brackets last is what the server saw: the name before it is the client's own word, a literal included.
    """
    part = _BY.split(value[:2000], maxsplit=1)[0]
    said = _HELO.search(part)
    seen = _HELO.sub("", part)
    found = _BRACKETED.findall(seen) or _PARENTHESISED.findall(seen)
    words = part.split(maxsplit=2)
    helo = said[1] if said else (words[1] if len(words) > 1 and words[0].lower() == "from" else None)
    return (_address(found[-1]) if found else None), helo


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _fields(raw: bytes) -> Iterator[tuple[str, str]]:
    """The topmost fields, unfolded. Bytes that are no UTF-8 stand as they can."""
    name, value, count = "", "", 0
    for line in header_block(raw).split(b"\n"):
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if text[:1] in (" ", "\t"):
            value += " " + text.strip()
            continue
        if name:
            yield name, value
            count += 1
            if count >= _MOST_FIELDS:
                return
        name, _, value = text.partition(":")
        name, value = name.strip().lower(), value.strip()
    if name:
        yield name, value
