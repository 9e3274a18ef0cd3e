"""Whether an order may leave from its address at all, whoever asked (DESIGN section 3). Pure."""

from __future__ import annotations

from mailroom_contracts import Address, OutboundMail, Portal

_SYSTEM_KINDS = ("test", "probe")


def refusal(order: OutboundMail, address: Address | None, portal: Portal | None) -> str | None:
    """Why the order must not be sent, in words for people, or None when it may."""
    if address is None:
        return "The address that it should leave from does not exist any more."
    if address.portal_id != order.portal_id:
        return "The address that it should leave from belongs to another company."
    if portal is not None and not portal.active:
        return f"{portal.name} is switched off."
    if order.kind in _SYSTEM_KINDS:
        return None
    if not address.active:
        return f"{address.email} is switched off; nothing is sent from it."
    if address.kind == "internal" and order.kind != "auto_reply":
        return f"{address.email} only receives. Choose another address to answer from."
    if not (order.to or order.cc or order.bcc):
        return "It has no recipient."
    return None
