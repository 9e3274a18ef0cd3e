"""Signing in at any OpenID Connect provider, with Authlib: endpoints by discovery (OpenID Connect Discovery 1.0), code flow
with state, nonce and PKCE (RFC 6749, 7636), revocation (RFC 7009). msal does not take an issuer without a path."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from . import identity
from .grants import Begun, Grant, Tokens
from .microsoft import away
from .providers import Provider, safe_url
from .reasons import trouble
from .transport import prepare
from .trouble import OAuthTrouble, ProviderAway, SetUpWrong, SignInNeeded


class OpenId:
    """Blocking calls; all raise `OAuthTrouble`."""

    def __init__(self, provider: Provider, timeout_s: float, ca_files: tuple[str, ...]) -> None:
        self._provider, self._timeout, self._ca_files = provider, timeout_s, ca_files

    def begin(self, redirect_uri: str, hint: str | None) -> Begun:
        """A sign-in to start."""
        found, session = self._endpoints(), self._session(redirect_uri)
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        more = dict(self._provider.authorize) | ({"login_hint": hint} if hint else {})
        url, state = session.create_authorization_url(
            found["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **more
        )
        return Begun(str(url), str(state), {"redirect_uri": redirect_uri, "verifier": verifier, "nonce": nonce})

    def finish(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Grant:
        """The grant that the browser came back with."""
        if error := params.get("error"):
            raise trouble(error, params.get("error_description", ""), name=self._provider.name, status=0)
        found, session = self._endpoints(), self._session(str(flow["redirect_uri"]))
        answer = self._ask(lambda: session.fetch_token(
            found["token_endpoint"], grant_type="authorization_code", code=params.get("code", ""),
            code_verifier=str(flow["verifier"]),
        ))  # fmt: skip
        now = time.time()
        tokens = self._tokens(answer, now)
        claims = identity.claims_of(str(answer.get("id_token") or ""))
        identity.check(claims, client_id=self._provider.client_id, now=now, nonce=str(flow["nonce"]))
        issuer = found.get("issuer")
        if issuer and not identity.issuer_holds(claims, discovered=issuer, authority=""):
            raise SignInNeeded(f"The sign-in does not come from {self._provider.name}. Sign in again.", "wrong_issuer")
        return Grant(identity.emails_of(claims), tokens)

    def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for old ones."""
        found, session = self._endpoints(), self._session(None)
        answer = self._ask(lambda: session.refresh_token(found["token_endpoint"], refresh_token=tokens.refresh_token))
        return self._tokens(answer, time.time(), before=tokens)

    def revoke(self, tokens: Tokens) -> bool:
        """Take the access back, where the provider has an endpoint for that. False: it has none, or refused."""
        url = self._endpoints().get("revocation_endpoint")
        if not url:
            return False
        session = self._session(None)
        try:
            return bool(session.revoke_token(url, token=tokens.refresh_token, token_type_hint="refresh_token").ok)  # noqa: S106
        except (requests.RequestException, OSError, AuthlibBaseError) as error:
            raise away(error) from None

    def _endpoints(self) -> dict[str, str]:
        given = dict(self._provider.endpoints)
        if {"authorization_endpoint", "token_endpoint"} <= set(given):
            return given | ({"issuer": self._provider.issuer} if self._provider.issuer else {})
        with prepare(requests.Session(), self._timeout, self._ca_files) as session:
            try:
                answer = session.get(f"{self._provider.issuer}/.well-known/openid-configuration")
                found = answer.json() if answer.ok else None
            except (requests.RequestException, OSError) as error:
                raise away(error) from None
        if not isinstance(found, dict) or answer.status_code >= 500:
            raise ProviderAway(
                f"{self._provider.name} does not say where to sign in (HTTP {answer.status_code}).", "discovery"
            )
        if str(found.get("issuer") or "").rstrip("/") != self._provider.issuer:
            raise SetUpWrong(
                f"{self._provider.name} calls itself {str(found.get('issuer'))[:100]}: set that as its issuer."
            )
        named = {
            k: str(found[k])
            for k in ("issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint")
            if found.get(k)
        }
        if not {"authorization_endpoint", "token_endpoint"} <= set(named) or not all(map(safe_url, named.values())):
            raise SetUpWrong(f"{self._provider.name} names no safe addresses for signing in.", "discovery")
        return named | given

    def _session(self, redirect_uri: str | None) -> OAuth2Session:
        session = OAuth2Session(
            self._provider.client_id, self._provider.client_secret or None, scope=" ".join(self._provider.scopes),
            redirect_uri=redirect_uri, code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_post" if self._provider.client_secret else "none",
        )  # fmt: skip
        prepare(session, self._timeout, self._ca_files)
        return session

    def _ask(self, call: Any) -> Mapping[str, Any]:
        try:
            answer = call()
        except OAuthError as error:
            raise trouble(str(error.error or ""), str(error.description or ""), name=self._provider.name) from None
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 500
            raise trouble("", f"HTTP {status}", name=self._provider.name, status=status) from None
        except (requests.RequestException, OSError, ValueError, AuthlibBaseError) as error:
            raise away(error) from None
        if not isinstance(answer, Mapping):
            raise ProviderAway(f"{self._provider.name} gave an answer that is none.")
        return answer

    def _tokens(self, answer: Mapping[str, Any], now: float, *, before: Tokens | None = None) -> Tokens:
        try:
            return Tokens.of(answer, now, before=before)
        except ValueError as error:
            found: OAuthTrouble = ProviderAway(f"{self._provider.name} gave no usable sign-in: {error}.")
            if before is None and answer.get("access_token"):
                found = SignInNeeded(
                    f"{self._provider.name} gave no lasting access (offline_access). Sign in again.", "no_refresh"
                )
            raise found from None
