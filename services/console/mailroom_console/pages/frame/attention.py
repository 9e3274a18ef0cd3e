"""What needs a hand, as numbers beside the menu: addresses in trouble, dead letters. Asked every few seconds at most."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailroom_console.activity import dead_letters
from mailroom_console.addresses import records as addresses
from mailroom_console.context import Console
from mailroom_console.principals import ADMIN, CONFIG, Principal

TROUBLE = ("needs_attention", "disconnected", "forwarding_failed")
_KEEP_US = 3_000_000
_MOST = 99


@dataclass(frozen=True, slots=True)
class Numbers:
    """Empty text stands for nothing to do."""

    addresses: str = ""
    dead: str = ""


@dataclass(slots=True)
class Attention:
    """The numbers of each portal, kept for three seconds, since every page shows them."""

    _kept: dict[str, tuple[int, Numbers]] = field(default_factory=dict)

    async def numbers(self, console: Console, principal: Principal) -> Numbers:
        """The numbers for an administrator; nothing for others."""
        if not {ADMIN, CONFIG} <= principal.scopes:
            return Numbers()
        at, kept = self._kept.get(principal.portal_id, (0, Numbers()))
        if not 0 <= console.now() - at < _KEEP_US:
            found = await addresses.everything(console, principal)
            troubled = sum(address["state"] in TROUBLE for address in found)
            dead = await dead_letters.listed(console, principal, limit=_MOST)
            kept = Numbers(str(troubled or ""), f"{_MOST}+" if dead.next else str(len(dead.items) or ""))
            self._kept[principal.portal_id] = (console.now(), kept)
        return kept
