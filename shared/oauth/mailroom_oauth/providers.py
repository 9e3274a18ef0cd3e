"""Providers of sign-ins: what is known of each before it is asked, and the file that names further ones. Pure but for it."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LARGEST_FILE = 1_000_000
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `issuer`: its OpenID issuer, or Microsoft's authority; endpoints that are given are not looked up.

    `host`, `port`, `tls`: its submission server; `domains`: mail domains that are surely its own.
    """

    id: str
    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "offline_access")
    host: str = ""
    port: int = 587
    tls: str = "starttls"
    domains: tuple[str, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    authorize: Mapping[str, str] = field(default_factory=dict)  # further parameters of the authorisation request

    @property
    def is_microsoft(self) -> bool:
        return self.id == "microsoft"


def microsoft(authority: str, client_id: str, client_secret: str) -> Provider:
    """Microsoft 365 and Outlook.com. The scope is delegated and the same for work and personal accounts
    (learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth)."""
    return Provider(
        "microsoft", "Microsoft", authority, client_id, client_secret,
        scopes=("https://outlook.office.com/SMTP.Send", "email"), host="smtp.office365.com", port=587, tls="starttls",
        domains=("outlook.com", "hotmail.com", "live.com", "msn.com"),
    )  # fmt: skip


def google(auth_url: str, token_url: str, client_id: str, client_secret: str) -> Provider:
    """Gmail and Google Workspace by SMTP (developers.google.com/workspace/gmail/imap/xoauth2-protocol)."""
    return Provider(
        "google", "Google", "", client_id, client_secret, scopes=("openid", "email", "https://mail.google.com/"),
        host="smtp.gmail.com", port=465, tls="implicit", domains=("gmail.com", "googlemail.com"),
        endpoints={"authorization_endpoint": auth_url, "token_endpoint": token_url,
                   "revocation_endpoint": token_url.rsplit("/", 1)[0] + "/revoke"},
        # without them Google gives a refresh token at the first consent only
        authorize={"access_type": "offline", "prompt": "consent"},
    )  # fmt: skip


def read_file(path: str) -> list[Provider]:
    """The providers of MAILROOM_OAUTH_PROVIDERS: a JSON list, or an object id -> provider. Raises ValueError by name."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if len(raw) > LARGEST_FILE:
        raise ValueError(f"{path} is too large")
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON") from None
    if isinstance(parsed, dict) and isinstance(parsed.get("providers"), list | dict):
        parsed = parsed["providers"]
    rows = (
        [{"id": name, **row} for name, row in parsed.items() if isinstance(row, dict)]
        if isinstance(parsed, dict)
        else parsed
    )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path} must be a list of providers")
    return [_provider(row) for row in rows]


def _provider(row: Mapping[str, Any]) -> Provider:
    name = str(row.get("id") or "")
    if not _ID.fullmatch(name):
        raise ValueError(f"a provider's id is of a to z, digits, - and _, not {name[:40]!r}")
    if name in ("microsoft", "google"):
        raise ValueError(f"the id {name} has settings of its own")
    issuer = str(row.get("issuer") or "").removesuffix("/.well-known/openid-configuration").rstrip("/")
    endpoints = {key: str(row[key]) for key in _ENDPOINTS if row.get(key)}
    for url in (*endpoints.values(), *([issuer] if issuer or not endpoints else [])):
        if not safe_url(url):
            raise ValueError(f"provider {name}: {url[:100]!r} is no https address")
    if not row.get("client_id"):
        raise ValueError(f"provider {name}: client_id is missing")
    scopes = row.get("scopes") or row.get("scope") or ("openid", "email", "offline_access")
    smtp = row.get("smtp") if isinstance(row.get("smtp"), dict) else {}
    assert isinstance(smtp, dict)
    port = int(smtp.get("port") or row.get("port") or 587)
    return Provider(
        name, str(row.get("name") or name), issuer, str(row["client_id"]), str(row.get("client_secret") or ""),
        scopes=tuple(scopes.split() if isinstance(scopes, str) else map(str, scopes)),
        host=str(smtp.get("host") or row.get("host") or ""), port=port,
        tls=str(smtp.get("tls") or row.get("tls") or ("implicit" if port == 465 else "starttls")),
        domains=tuple(str(d).lower() for d in row.get("domains") or ()), endpoints=endpoints,
        authorize={str(k): str(v) for k, v in (row.get("authorize") or {}).items()},
    )  # fmt: skip


def safe_url(url: str) -> bool:
    """https, or this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and (
            parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False
