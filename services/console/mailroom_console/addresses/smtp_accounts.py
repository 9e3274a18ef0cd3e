"""SMTP accounts of addresses: what was typed, checked and completed; presets of well-known providers. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mailroom_oauth import Provider, Tokens
from mailroom_runtime.smtp.presets import PRESETS, preset_for, tls_for_port

from mailroom_console.languages import say
from mailroom_console.mailboxes import domain_name
from mailroom_console.problems import invalid

TLS_MODES = ("implicit", "starttls", "none")


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that has just come back: where, as whom, and its tokens."""

    provider: Provider
    login: str
    tokens: Tokens = field(repr=False)


def suggestion(email: str) -> dict[str, Any] | None:
    """Host, port and TLS of the address's provider, where it is a known one."""
    preset = preset_for(email)
    return None if preset is None else asdict(preset)


def presets() -> list[dict[str, Any]]:
    """All presets for a form."""
    return [asdict(preset) | {"note": say(preset.note)} for preset in PRESETS]


def account(given: dict[str, Any], email: str, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """The account to store, from what was given over what was there. Raises `Problem` 422 with the field."""
    before = previous or {}
    host = str(given.get("host") or before.get("host") or "").strip().lower()
    if not host:
        raise invalid("smtp.host", say("The SMTP server's host name is missing, for example smtp.example.com."))
    port = given.get("port") or before.get("port") or 587
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise invalid("smtp.port", say("A port is a number from 1 to 65535; 587 and 465 are usual."))
    # a new port without a new mode means the mode of that port
    tls = given.get("tls") or (tls_for_port(port) if given.get("port") or not before else before["tls"])
    if tls not in TLS_MODES:
        raise invalid("smtp.tls", say("TLS is one of {names}.", names=", ".join(TLS_MODES)))
    username = str(given.get("username") or before.get("username") or email)
    if any(ord(c) < 32 for c in username) or len(username) > 320:
        raise invalid("smtp.username", say("The login name is one line."))
    auth = given.get("auth") or before.get("auth") or "password"
    if auth not in ("password", "oauth", "xoauth2"):
        raise invalid("smtp.auth", say("Login is by password or oauth."))
    signed_in = (
        {"provider": before.get("provider"), "signed_in_as": before.get("signed_in_as")} if auth == "oauth" else {}
    )
    connections = given.get("max_connections") or before.get("max_connections") or 2
    rate = given["messages_per_minute"] if "messages_per_minute" in given else before.get("messages_per_minute")
    return {
        "host": _host(host), "port": port, "tls": tls, "username": username, "auth": auth,
        "secret": before.get("secret"), "secret_revision": before.get("secret_revision", 0),
        "checked_at": before.get("checked_at"), **signed_in,
        "max_connections": max(1, min(int(connections), 20)), "messages_per_minute": rate,
    }  # fmt: skip


def signed_in(
    given: dict[str, Any], email: str, provider: Provider, login: str, previous: dict[str, Any] | None = None, *,
    any_host: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The account of somebody who signs in. Raises `Problem` 422 with the field.

    The provider's tokens go to the provider's own server: whoever may edit addresses could else have the token of
    somebody who signs in sent to a server of their own. `any_host`: an installation within a private network may differ.
    """
    before = dict(previous or {})
    if before.get("auth") != "oauth":
        before = {
            k: before[k] for k in ("secret", "secret_revision", "max_connections", "messages_per_minute") if k in before
        }
    consumer = provider.is_microsoft and email.rpartition("@")[2] in provider.domains
    own = {"host": "smtp-mail.outlook.com" if consumer else provider.host, "port": provider.port, "tls": provider.tls}
    wanted = {k: v for k, v in given.items() if v not in (None, "")}
    hosts = {own["host"], provider.host} - {""}
    if hosts and not any_host and str(wanted.get("host") or own["host"]).lower() not in hosts:
        raise invalid(
            "smtp.host", say("Who signs in at {name} sends through {host}.", name=provider.name, host=provider.host)
        )
    if not hosts and not wanted.get("host") and not before.get("host"):
        raise invalid(
            "smtp.host",
            say("Give the SMTP server of {name}: its sign-in does not say which it is.", name=provider.name),
        )
    base = (own if hosts and (not before.get("host") or not any_host) else {}) | before
    made = account({"username": login, **wanted, "auth": "oauth"}, email, {**own, **base})
    return made | {"provider": provider.id, "signed_in_as": login}


def _host(host: str) -> str:
    bare = host.strip("[]")
    if bare == "localhost" or bare.replace(".", "").isdigit() or ":" in bare:
        return bare
    return domain_name(host, "smtp.host")
