"""Whom a trusted front server took the mail from, as it says itself: XFORWARD and XCLIENT, the extensions of Postfix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from . import replies
from .conversation import Conversation, Handler
from .replies import Reply

OFFERS = (
    "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",
    "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT",
)
_XTEXT = re.compile(r"\+([0-9A-Fa-f]{2})")  # RFC 3461 section 4
_NOT_KNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")


@dataclass(frozen=True, slots=True)
class Told:
    """A client as the front names it: its address, and what it called itself ("" where that is not known)."""

    client_ip: str
    helo: str = ""


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
    """A conversation in which a trusted front may say for whom it speaks. Of others the commands are not known."""

    _next: Told | None = None  # XFORWARD: for the next mail
    _lasting: Told | None = None  # XCLIENT: for all that follow

    def commands(self) -> dict[str, Handler]:
        return {**super().commands(), "XFORWARD": self._xforward, "XCLIENT": self._xclient}

    @property
    def front_offers(self) -> tuple[str, ...]:
        """What EHLO offers to a front."""
        return OFFERS if self._house.is_front(self._client_ip) else ()

    def take_told(self) -> Told | None:
        """Whom the mail that is taken now comes from, as the front said; XFORWARD's word is used up by it."""
        found, self._next = self._next or self._lasting, None
        return found if found is not None and found.client_ip else None

    def _xforward(self, arg: str) -> None:
        if not self._may_tell(arg):
            return
        try:
            self._next = told(arg, self._next)
        except ValueError:
            self._refuse(replies.BAD_PARAMETER)
            return
        self._say(replies.OK)

    def _xclient(self, arg: str) -> None:
        if not self._may_tell(arg):
            return
        try:
            self._lasting = told(arg, self._lasting)
        except ValueError:
            self._refuse(replies.BAD_PARAMETER)
            return
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self._say(Reply(f"220 {self.hostname} {'LMTP' if self.lmtp else 'ESMTP'} Mailroom"))

    def _may_tell(self, arg: str) -> bool:
        if not self._house.is_front(self._client_ip):
            self._refuse(replies.UNRECOGNIZED)
        elif not arg:
            self._refuse(replies.BAD_PARAMETER)
        elif self.under_way:
            self._refuse(replies.NESTED_MAIL)
        else:
            return True
        return False
