"""What needs a hand, as a number beside the menu: addresses in trouble, dead letters."""

from __future__ import annotations

from mailroom_console import addresses, dead_letters
from mailroom_console.context import Console
from mailroom_console.principals import Principal

TROUBLE = ("needs_attention", "disconnected", "forwarding_failed")


async def addresses_in_trouble(console: Console, principal: Principal) -> str:
    """How many addresses do not work."""
    page = await addresses.listed(console, principal, limit=200)
    found = sum(address["state"] in TROUBLE for address in page.items)
    return str(found) if found else ""


async def dead_letters_waiting(console: Console, principal: Principal) -> str:
    """How many dead letters nobody has handled."""
    page = await dead_letters.listed(console, principal, limit=99)
    return "99+" if page.next else str(len(page.items) or "")
