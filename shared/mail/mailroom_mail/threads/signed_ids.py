"""Message-IDs and plus addresses that carry a ticket id and a MAC, so that an answer finds its ticket statelessly.

The token is one character that hints at the key, then 42 characters of base 32 (lower case: some systems lower-case
local parts) over 16 bytes of ticket id and 10 bytes (80 bits) of HMAC-SHA256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

_MAC_BYTES = 10
_TOKEN = r"[a-z2-7]{43}"  # noqa: S105 - a pattern, not a secret
_MESSAGE_ID = re.compile(rf"<?([a-z0-9-]{{1,20}})\.({_TOKEN})@[^@<>\s]{{1,255}}>?", re.IGNORECASE | re.ASCII)
_PLUS = re.compile(rf"<?([^@<>\s]{{1,64}})\+({_TOKEN})@[^@<>\s]{{1,255}}>?", re.IGNORECASE | re.ASCII)
_LOCAL = re.compile(r"[a-z0-9-]{1,20}")
_TICKET_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST_ID = 77  # characters; with brackets and "Message-ID: " it stays on one line of a header in every program
_LOCAL_LETTERS = 8
_STAND_IN = "mailroom.invalid"
_MARK_HOSTS = ("ref.mailroom.invalid", "first.mailroom.invalid")
_MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def _hint(key_id: str) -> str:
    return _BASE32[hashlib.sha256(key_id.encode()).digest()[0] & 31]


def _mac(secret: bytes, key_id: str, purpose: str, ticket: bytes, local: str) -> bytes:
    # Each part is preceded by its length, so that no two different inputs give the same bytes.
    message = b"".join(
        len(part).to_bytes(2, "big") + part for part in (key_id.encode(), purpose.encode(), ticket, local.encode())
    )
    return hmac.digest(secret, message, "sha256")[:_MAC_BYTES]


def _token(ticket_id: str, purpose: str, local: str, keys: Mapping[str, bytes]) -> str:
    if not _TICKET_ID.fullmatch(ticket_id):
        raise ValueError("a ticket id has 32 hex digits")
    if not keys:
        raise ValueError("no key to sign with: set MAILROOM_MESSAGE_ID_KEYS")
    key_id, secret = next(iter(keys.items()))
    ticket = bytes.fromhex(ticket_id)
    sealed = ticket + _mac(secret, key_id, purpose, ticket, local)
    return _hint(key_id) + base64.b32encode(sealed).decode("ascii").rstrip("=").lower()


def _ticket(token: str, purpose: str, local: str, keys: Mapping[str, bytes]) -> str | None:
    token = token.lower()
    sealed = base64.b32decode(token[1:].upper() + "======")
    ticket, mac = sealed[:16], sealed[16:]
    for key_id, secret in keys.items():
        if _hint(key_id) == token[0] and hmac.compare_digest(_mac(secret, key_id, purpose, ticket, local), mac):
            return ticket.hex()
    return None


def sign_message_id(ticket_id: str, local: str, domain: str, keys: Mapping[str, bytes]) -> str:
    """A Message-ID without angle brackets for one mail of a ticket; the first of `keys` signs.

    `local` tells the mails of a ticket apart (equal input, equal id, so that a resend has the same); what is longer
    than 8 letters, digits and hyphens is digested to 40 bits. With any domain it has 77 characters at most: of a longer
    domain the end stands, by whole labels (the token makes it unique, not the domain). Raises ValueError for a ticket id that is not 32 hex digits, a
    domain that could not stand in a header, or when there is no key.
    """
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,190}", domain):
        raise ValueError("the domain of a Message-ID must be a host name")
    if len(local) > _LOCAL_LETTERS or not _LOCAL.fullmatch(local):
        local = base64.b32encode(hashlib.sha256(local.encode()).digest()[:5]).decode("ascii").lower()
    left = f"{local}.{_token(ticket_id, 'message-id', local, keys)}@"
    return left + _shortened(domain.lower(), _LONGEST_ID - len(left))


def _shortened(domain: str, room: int) -> str:
    labels = domain.split(".")
    while len(labels) > 2 and len(".".join(labels)) > room:
        del labels[0]
    short = ".".join(labels)
    return short if len(short) <= room and all(labels) else _STAND_IN


def thread_mark(message_id: str, *, first: bool = False) -> str:
    """What stands in References of a mail of ours beside its parent: its Message-ID's token at a host of no mail.

    An answer repeats it, so that it finds its ticket where a provider gave our mail another Message-ID. The Message-ID
    itself may not stand there: programs add it as the parent's, and would write it twice. `first`: the mail answers none,
    so that whatever follows the mark in an answer is not our mail's parent. Empty for an id of another form.
    """
    found = _MESSAGE_ID.fullmatch(message_id.strip())
    return f"{found.group(1)}.{found.group(2)}@{_MARK_HOSTS[first]}".lower() if found is not None else ""


def is_thread_mark(message_id: str, *, first: bool = False) -> bool:
    """Whether an id is one of `thread_mark`; nothing is said of its MAC."""
    return message_id.lower().endswith("@" + _MARK_HOSTS[first]) and _MESSAGE_ID.fullmatch(message_id) is not None


def verify_message_id(message_id: str, keys: Mapping[str, bytes]) -> str | None:
    """The ticket id in a Message-ID of ours (brackets allowed), or None if it is not ours or its MAC does not hold.

    It shows that our mail was seen, not who writes. Every key verifies, retired ones too.
    """
    found = _MESSAGE_ID.fullmatch(message_id.strip())
    return None if found is None else _ticket(found.group(2), "message-id", found.group(1).lower(), keys)


def plus_address(address: str, ticket_id: str, keys: Mapping[str, bytes]) -> str:
    """`support+TOKEN@acme.example` for an address; the address as it is where the local part would pass 64 octets."""
    local, at, domain = address.rpartition("@")
    if not at or not local:
        raise ValueError("an address has the form local@domain")
    tagged = f"{local}+{_token(ticket_id, 'plus-address', local.lower(), keys)}"
    return address if len(tagged.encode()) > _MAX_LOCAL else f"{tagged}@{domain}"


def verify_plus_address(address: str, keys: Mapping[str, bytes]) -> str | None:
    """The ticket id in a plus address of ours, or None. The token is bound to the local part before the plus."""
    found = _PLUS.fullmatch(address.strip())
    return None if found is None else _ticket(found.group(2), "plus-address", found.group(1).lower(), keys)
