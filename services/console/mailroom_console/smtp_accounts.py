"""SMTP accounts of addresses: what was typed, checked and completed; presets of well-known providers. Pure."""

from __future__ import annotations

from typing import Any

from .mailboxes import domain_name
from .problems import invalid

TLS_MODES = ("implicit", "starttls", "none")
PRESETS: dict[str, dict[str, Any]] = {
    "Gmail": {"domains": ["gmail.com", "googlemail.com"], "host": "smtp.gmail.com", "port": 587},
    "Outlook / Microsoft 365": {
        "domains": ["outlook.com", "hotmail.com", "live.com", "office365.com"], "host": "smtp.office365.com",
        "port": 587,
    },
    "Yahoo": {"domains": ["yahoo.com", "yahoo.de", "yahoo.co.uk"], "host": "smtp.mail.yahoo.com", "port": 465},
    "iCloud": {"domains": ["icloud.com", "me.com", "mac.com"], "host": "smtp.mail.me.com", "port": 587},
    "Fastmail": {"domains": ["fastmail.com", "fastmail.fm"], "host": "smtp.fastmail.com", "port": 465},
    "GMX": {"domains": ["gmx.de", "gmx.net", "gmx.at", "gmx.ch"], "host": "mail.gmx.net", "port": 587},
    "Web.de": {"domains": ["web.de"], "host": "smtp.web.de", "port": 587},
    "T-Online": {"domains": ["t-online.de"], "host": "securesmtp.t-online.de", "port": 465},
    "IONOS": {"domains": ["ionos.com", "ionos.de"], "host": "smtp.ionos.com", "port": 465},
    "Strato": {"domains": ["strato.de"], "host": "smtp.strato.de", "port": 465},
    "Zoho": {"domains": ["zoho.com", "zoho.eu"], "host": "smtp.zoho.com", "port": 465},
    "Mailbox.org": {"domains": ["mailbox.org"], "host": "smtp.mailbox.org", "port": 465},
    "Posteo": {"domains": ["posteo.de", "posteo.net"], "host": "posteo.de", "port": 465},
    "Amazon SES": {"domains": [], "host": "email-smtp.eu-central-1.amazonaws.com", "port": 587},
    "SendGrid": {"domains": [], "host": "smtp.sendgrid.net", "port": 587},
    "Mailgun": {"domains": [], "host": "smtp.mailgun.org", "port": 587},
    "Postmark": {"domains": [], "host": "smtp.postmarkapp.com", "port": 587},
}  # fmt: skip


def tls_for(port: int) -> str:
    """The TLS mode that a port stands for: 465 implicit, everything else STARTTLS (RFC 8314 section 3.3)."""
    return "implicit" if port == 465 else "starttls"


def preset_for(email: str) -> dict[str, Any] | None:
    """Host, port and TLS of the address's provider, where it is a known one."""
    domain = email.rpartition("@")[2].lower()
    for name, preset in PRESETS.items():
        if domain in preset["domains"]:
            return {"name": name, "host": preset["host"], "port": preset["port"], "tls": tls_for(preset["port"])}
    return None


def presets() -> list[dict[str, Any]]:
    """All presets for a form."""
    return [
        {"name": name, "host": p["host"], "port": p["port"], "tls": tls_for(p["port"]), "domains": p["domains"]}
        for name, p in PRESETS.items()
    ]


def account(given: dict[str, Any], email: str, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """The account to store, from what was given over what was there. Raises `Problem` 422 with the field."""
    before = previous or {}
    host = str(given.get("host") or before.get("host") or "").strip().lower()
    if not host:
        raise invalid("smtp.host", "The SMTP server's host name is missing, for example smtp.example.com.")
    port = given.get("port") or before.get("port") or 587
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise invalid("smtp.port", "A port is a number from 1 to 65535; 587 and 465 are usual.")
    # a new port without a new mode means the mode of that port
    tls = given.get("tls") or (tls_for(port) if given.get("port") or not before else before["tls"])
    if tls not in TLS_MODES:
        raise invalid("smtp.tls", f"TLS is one of {', '.join(TLS_MODES)}.")
    username = str(given.get("username") or before.get("username") or email)
    if any(ord(c) < 32 for c in username) or len(username) > 320:
        raise invalid("smtp.username", "The login name is one line.")
    auth = given.get("auth") or before.get("auth") or "password"
    if auth not in ("password", "xoauth2"):
        raise invalid("smtp.auth", "Login is by password or xoauth2.")
    connections = given.get("max_connections") or before.get("max_connections") or 2
    rate = given["messages_per_minute"] if "messages_per_minute" in given else before.get("messages_per_minute")
    return {
        "host": _host(host), "port": port, "tls": tls, "username": username, "auth": auth,
        "secret": before.get("secret"), "secret_revision": before.get("secret_revision", 0),
        "max_connections": max(1, min(int(connections), 20)), "messages_per_minute": rate,
    }  # fmt: skip


def _host(host: str) -> str:
    bare = host.strip("[]")
    if bare == "localhost" or bare.replace(".", "").isdigit() or ":" in bare:
        return bare
    return domain_name(host, "smtp.host")
