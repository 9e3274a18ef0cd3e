"""Addresses as the pages show them: kind and state in words and a colour, today's mail hour by hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_console.languages import mark, say

KINDS = {"internal": mark("Internal"), "gmail": mark("Gmail"), "smtp": "SMTP"}
_STATES = {
    "active": ("good", mark("Active")),
    "inactive": ("", mark("Disabled")),
    "not_configured": ("warn", mark("Connected, not configured yet")),
    "syncing": ("good", mark("Reading mail")),
    "needs_attention": ("bad", mark("Needs attention")),
    "disconnected": ("bad", mark("Needs reconnecting")),
    "forwarding_pending": ("warn", mark("Forwarding is being checked")),
    "forwarding_failed": ("warn", mark("Forwarding does not work")),
    "forwarding_unchecked": ("warn", mark("Forwarding not checked yet")),
}
_FORWARDING = {
    "pending": ("warn", mark("Checking: waiting for the mail to come back")),
    "confirmed": ("good", mark("Works")),
    "ok": ("good", mark("Works")),
    "failed": ("bad", mark("Did not work")),
}


def shown(address: Mapping[str, Any], queue_names: Mapping[str, str], emails: Mapping[str, str]) -> dict[str, Any]:
    """The address with what the templates need besides."""
    tone, told = _STATES.get(address["state"], ("warn", str(address["state"]).replace("_", " ").capitalize()))
    words = say(told)
    hours = address["mails_today"].get("hours") or [[0, 0]] * 24
    receiving = address["receiving"] or {}
    progress = None
    if receiving.get("state") == "syncing" and receiving.get("total"):
        progress = (receiving.get("done") or 0, receiving["total"])
    forwarding = address["forwarding"]
    look = _FORWARDING.get(forwarding["state"] if forwarding else "", ("", mark("Not checked yet")))
    reason = address["state_reason"]
    return {
        **address,
        "kind_name": say(KINDS.get(address["kind"], address["kind"])),
        "queue_name": queue_names.get(address["queue_id"] or "", ""),
        "forwards_to_email": emails.get(address["forwards_to"] or "", ""),
        "tone": tone,
        "state_words": words,
        "state_reason": reason if address["state"] not in ("inactive", "not_configured") else None,
        "state_since": address["state_since"] if tone in ("bad", "warn") else None,
        "progress": progress,
        "received": [hour[0] for hour in hours],
        "sent": [hour[1] for hour in hours],
        "today_words": today(address["mails_today"]),
        "disconnected": address["kind"] == "gmail" and not (address["gmail"] or {}).get("connected"),
        "forwarding": {"tone": look[0], "words": say(look[1]), "reason": forwarding["reason"] if forwarding else None,
                       "since": forwarding["since"] if forwarding else None},
        "forwarders": [str(f.get("value", "")) for f in address["forwarders"]],
        "forwarded_from": [],
    }  # fmt: skip


def connected(address: Mapping[str, Any], visitor: str) -> str:
    """What is told after a sign-in that worked."""
    if address["kind"] == "gmail":
        return (
            say("Connected with Google.")
            if address["queue_id"] is not None
            else say("Connected with Google. Now choose its queue, and save.")
        )
    login, email = (address["smtp"] or {}).get("signed_in_as"), address["email"]
    if login == email:
        return say("Signed in as {login}, and the login works. Now set the forwarding, and check it.", login=login)
    return say(
        "Signed in as {login}. Whether that account may send as {email} shows only when it sends: a test mail is on its way to {visitor}. If it comes back refused, this page says so.",
        login=login,
        email=email,
        visitor=visitor,
    )


def today(mails: Mapping[str, int]) -> str:
    """Today's mails in words."""
    if not mails["in"] and not mails["out"]:
        return say("no mail")
    return say("{received:,} in, {sent:,} out", received=mails["in"], sent=mails["out"])
