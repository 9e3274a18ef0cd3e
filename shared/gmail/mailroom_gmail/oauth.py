"""Signing in at Google: OAuth 2.0 with state and PKCE (RFC 6749, 7636), offline access, incremental consent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

import httplib2
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from .trouble import GmailTrouble, Refused, Temporary, from_status

# each scope with the reason that the console tells
SCOPES: dict[str, str] = {
    "openid": "to know which account it is",
    "email": "to know its address",
    "https://www.googleapis.com/auth/gmail.readonly": "to read mail from the inbox",
    "https://www.googleapis.com/auth/gmail.send": "to send replies",
}
_SAME = {"email": "https://www.googleapis.com/auth/userinfo.email"}
_WIDER = {"https://mail.google.com/", "https://www.googleapis.com/auth/gmail.modify"}


class GoogleSettings(BaseSettings):
    """Where Google is, and who we are there. The defaults are Google's own addresses."""

    model_config = SettingsConfigDict(env_prefix="MAILROOM_GOOGLE_", frozen=True, extra="ignore")

    api_url: str = Field("https://gmail.googleapis.com/", description="Root of the Gmail API.")
    auth_url: str = Field("https://accounts.google.com/o/oauth2/v2/auth", description="Page where people consent.")
    token_url: str = Field("https://oauth2.googleapis.com/token", description="Where codes and tokens are exchanged.")
    client_id: str = Field("", description="OAuth client id of this installation.")
    client_secret: SecretStr = Field(SecretStr(""), description="OAuth client secret.")
    timeout_s: float = Field(30.0, gt=0, description="Longest time for one call.")

    @property
    def configured(self) -> bool:
        """Whether people can sign in at Google at all."""
        return bool(self.client_id)

    @property
    def revoke_url(self) -> str:
        """Beside the token address, as at Google."""
        return self.token_url.rsplit("/", 1)[0] + "/revoke"


@dataclass(frozen=True, slots=True)
class SignIn:
    """The start of a sign-in: where to send the browser, and what to remember until it comes back."""

    url: str
    state: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What Google granted. The tokens never show in its representation."""

    email: str
    scopes: tuple[str, ...]
    refresh_token: str | None
    access_token: str

    def __repr__(self) -> str:
        return f"Grant(email={self.email!r}, scopes={self.scopes!r})"


def missing_scopes(granted: Iterable[str]) -> list[str]:
    """The scopes that a person left unchecked, in words."""
    have = set(granted)
    if have & _WIDER:
        have.add("https://www.googleapis.com/auth/gmail.readonly")
        have.add("https://www.googleapis.com/auth/gmail.send")
    return [why for scope, why in SCOPES.items() if scope not in have and _SAME.get(scope, scope) not in have]


def begin(settings: GoogleSettings, redirect_uri: str, *, login_hint: str | None = None) -> SignIn:
    """A sign-in to start; `login_hint` is the account to reconnect."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": " ".join(SCOPES),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",
        "include_granted_scopes": "true",
        # without it Google gives a refresh token at the first consent only
        "prompt": "consent",
    }
    if login_hint:
        query["login_hint"] = login_hint
    return SignIn(f"{settings.auth_url}?{urlencode(query)}", state, verifier)


async def finish(settings: GoogleSettings, redirect_uri: str, code: str, verifier: str) -> Grant:
    """Exchange the code. Raises `Refused` (used or wrong code), `Temporary`."""
    answer = await _post(
        settings,
        settings.token_url,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "code_verifier": verifier,
        },
    )
    email = _email_of(str(answer.get("id_token") or ""))
    if not email:
        raise Refused("Google did not say which account this is; allow it to see the email address")
    scopes = str(answer.get("scope") or "").split() or list(SCOPES)
    refresh = answer.get("refresh_token")
    return Grant(email.lower(), tuple(scopes), str(refresh) if refresh else None, str(answer.get("access_token") or ""))


async def revoke(settings: GoogleSettings, token: str) -> None:
    """Take the permission back at Google (RFC 7009). A token that Google does not know counts as revoked."""
    try:
        await _post(settings, settings.revoke_url, {"token": token})
    except Refused:
        return


def token_to_keep(grant: Grant) -> str:
    """What is sealed and kept of a grant. Access tokens are not: each process gets its own, so none races another."""
    return json.dumps({"refresh_token": grant.refresh_token})


def kept_token(kept: str) -> str:
    """The refresh token of what was kept. Raises ValueError, without repeating it."""
    try:
        token = json.loads(kept)["refresh_token"]
    except (ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token:
        raise ValueError("the stored Google sign-in is broken") from None
    return token


def _email_of(id_token: str) -> str | None:
    """The address in an ID token. It came straight from Google over TLS, so its signature adds nothing here
    (OpenID Connect Core section 3.1.3.7, item 6)."""
    parts = id_token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    email = claims.get("email") if isinstance(claims, dict) else None
    return str(email) if email else None


async def _post(settings: GoogleSettings, url: str, form: dict[str, str]) -> dict[str, object]:
    def call() -> tuple[httplib2.Response, bytes]:
        http = httplib2.Http(timeout=settings.timeout_s)
        try:
            response, content = http.request(
                url, "POST", urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"}
            )
            return response, content
        finally:
            http.close()

    try:
        response, content = await asyncio.to_thread(call)
    except (OSError, httplib2.HttpLib2Error) as error:
        raise Temporary(f"Google's sign-in server cannot be reached ({type(error).__name__})") from None
    if response.status >= 400:
        trouble: GmailTrouble = from_status(response.status, content, {})
        # here a 4xx is about this one code, not about the account
        raise trouble if isinstance(trouble, Temporary) else Refused(str(trouble))
    try:
        parsed = json.loads(content or b"{}")
    except ValueError:
        raise Temporary("Google's sign-in server gave an answer that is not JSON") from None
    return parsed if isinstance(parsed, dict) else {}
