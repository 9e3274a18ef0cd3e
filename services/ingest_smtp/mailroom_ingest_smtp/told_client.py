"""For whom a trusted front or proxy speaks, as it says itself: XFORWARD and XCLIENT, the extensions of Postfix.

A front is a mail server: its marks and results count, and XFORWARD (or XCLIENT) adds whom it took the mail from. A proxy
hands on what its client says, byte for byte: by XCLIENT the client stands in its place, and nothing else of it is believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address

from . import replies
from .conversation import Conversation, Handler
from .replies import Reply

OFFERS_PROXY = ("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT",)
OFFERS_FRONT = ("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE", *OFFERS_PROXY)
_XTEXT = re.compile(r"\+([0-9A-Fa-f]{2})")  # RFC 3461 section 4
_NOT_KNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")


@dataclass(frozen=True, slots=True)
class Told:
    """A client as the front names it: its address, and what it called itself ("" where that is not known)."""

    client_ip: str
    helo: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """Who brings a mail: the client, or who stands in its place; "" where a proxy does not say. `told` is whom a front
    took the mail from, where it says so."""

    ip: str
    name: str
    told: Told | None = None


def told(argument: str, before: Told | None) -> Told | None:
    """What the attributes of one command add to those before. Raises ValueError for what is no list of attributes."""
    client_ip, helo = (before.client_ip, before.helo) if before is not None else ("", "")
    for word in argument.split():
        name, equals, value = word.partition("=")
        if not equals or not name.isascii() or not name.isalpha():
            raise ValueError("not NAME=VALUE")
        value = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)[:255]
        if name.upper() == "ADDR":
            client_ip = "" if value.upper() in _NOT_KNOWN else str(ip_address(value.lower().removeprefix("ipv6:")))
        elif name.upper() == "HELO":
            helo = "" if value.upper() in _NOT_KNOWN else value
    return Told(client_ip, helo) if client_ip or helo else None


class FrontConversation(Conversation):
    """A conversation in which a trusted front or proxy may say for whom it speaks. Of others the commands are not known."""

    _name: str = ""  # what the client called itself
    _next: Told | None = None  # XFORWARD: for the next mail
    _lasting: Told | None = None  # XCLIENT: for all that follow

    def commands(self) -> dict[str, Handler]:
        return {**super().commands(), "XFORWARD": self._xforward, "XCLIENT": self._xclient}

    @property
    def front_offers(self) -> tuple[str, ...]:
        """What EHLO offers to a front or a proxy."""
        if self._house.is_front(self._client_ip):
            return OFFERS_FRONT
        return OFFERS_PROXY if self._house.is_proxy(self._client_ip) else ()

    def client(self) -> Client:
        """Who brings the mail that is taken now. After XCLIENT it is the client itself that greets."""
        lasting = self._lasting
        if lasting is not None and not lasting.helo:
            lasting = replace(lasting, helo=self._name)
        if self._house.is_front(self._client_ip):
            told = self._next or lasting
            return Client(self._client_ip, self._name, told if told is not None and told.client_ip else None)
        if self._house.is_proxy(self._client_ip):
            return Client(lasting.client_ip, lasting.helo) if lasting is not None else Client("", self._name)
        return Client(self._client_ip, self._name)

    def _set_rset_state(self) -> None:
        super()._set_rset_state()  # type: ignore[no-untyped-call]
        self._next = None

    def _forget_client(self) -> None:
        """Begin the conversation again: what was said in clear is not believed after STARTTLS (RFC 3207 section 4.2)."""
        self._name, self._lasting = "", None
        self._set_rset_state()

    def _xforward(self, arg: str) -> None:
        if not self._may_tell(arg, self._house.is_front(self._client_ip)):
            return
        try:
            self._next = told(arg, self._next)
        except ValueError:
            self._refuse(replies.BAD_PARAMETER)
            return
        self._say(replies.OK)

    def _xclient(self, arg: str) -> None:
        if not self._may_tell(arg, bool(self.front_offers)):
            return
        try:
            lasting = told(arg, self._lasting)
        except ValueError:
            self._refuse(replies.BAD_PARAMETER)
            return
        self._forget_client()
        self._lasting = lasting
        self._say(Reply(f"220 {self.hostname} {'LMTP' if self.lmtp else 'ESMTP'} Mailroom"))

    def _may_tell(self, arg: str, allowed: bool) -> bool:
        if not allowed:
            self._refuse(replies.UNRECOGNIZED)
        elif not arg:
            self._refuse(replies.BAD_PARAMETER)
        elif self.under_way:
            self._refuse(replies.NESTED_MAIL)
        else:
            return True
        return False
