"""Signing in at Microsoft with its own library. msal blocks and keeps what it gets in memory: a fresh application for each
call, in a thread, and never its cache (it would also repeat an error from memory)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msal
import requests
from msal.exceptions import MsalError

from . import identity
from .grants import Begun, Grant, Tokens
from .providers import Provider
from .reasons import trouble
from .transport import prepare
from .trouble import ProviderAway, SetUpWrong, SignInNeeded

# msal gives a 4xx back as an answer, but raises for a 5xx
AWAY = (requests.RequestException, OSError, MsalError)


class Microsoft:
    """Blocking calls; all raise `OAuthTrouble`."""

    def __init__(self, provider: Provider, timeout_s: float, ca_files: tuple[str, ...]) -> None:
        self._provider, self._timeout, self._ca_files = provider, timeout_s, ca_files

    def begin(self, redirect_uri: str, hint: str | None) -> Begun:
        """A sign-in with state, nonce and PKCE, which msal adds."""
        flow = self._application().initiate_auth_code_flow(
            list(self._provider.scopes), redirect_uri=redirect_uri, login_hint=hint,
            prompt=None if hint else "select_account",
        )  # fmt: skip
        if "error" in flow:
            raise trouble(str(flow["error"]), str(flow.get("error_description")), name="Microsoft")
        return Begun(str(flow["auth_uri"]), str(flow["state"]), {k: v for k, v in flow.items() if k != "auth_uri"})

    def finish(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Grant:
        """The grant that the browser came back with."""
        application = self._application()
        try:
            answer = application.acquire_token_by_auth_code_flow(dict(flow), dict(params))
        except (ValueError, RuntimeError) as error:
            raise SignInNeeded(
                "Microsoft's answer does not fit this sign-in. Sign in again.", type(error).__name__
            ) from None
        except AWAY as error:
            raise away(error) from None
        now = time.time()
        tokens = self._tokens(answer, now)
        claims = answer.get("id_token_claims") or {}
        identity.check(claims, client_id=self._provider.client_id, now=now, nonce=None)  # msal compared the nonce
        discovered = str(self._discovered().get("issuer") or "")
        if not identity.issuer_holds(claims, discovered=discovered, authority=self._provider.issuer):
            raise SignInNeeded(
                "The sign-in comes from another organisation than was asked. Sign in again.", "wrong_issuer"
            )
        return Grant(identity.emails_of(claims), tokens)

    def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for old ones."""
        scopes = [scope for scope in self._provider.scopes if scope != "email"]
        try:
            answer = self._application().acquire_token_by_refresh_token(tokens.refresh_token, scopes)
        except (*AWAY, ValueError, RuntimeError) as error:
            raise away(error) from None
        return self._tokens(answer, time.time(), before=tokens)

    def revoke(self, tokens: Tokens) -> bool:
        """Microsoft names no such endpoint for one application; where a server in its place does, it is used."""
        url = self._discovered().get("revocation_endpoint")
        if not isinstance(url, str):
            return False
        with prepare(requests.Session(), self._timeout, self._ca_files) as session:
            try:
                answer = session.post(url, data={"token": tokens.refresh_token, "client_id": self._provider.client_id,
                                                 "client_secret": self._provider.client_secret})  # fmt: skip
            except (requests.RequestException, OSError) as error:
                raise away(error) from None
        return answer.ok

    def _discovered(self) -> dict[str, Any]:
        """The authority's discovery document, which msal reads too but keeps to itself."""
        with prepare(requests.Session(), self._timeout, self._ca_files) as session:
            try:
                found = session.get(f"{self._provider.issuer}/v2.0/.well-known/openid-configuration").json()
            except (requests.RequestException, OSError, ValueError) as error:
                raise away(error) from None
        return found if isinstance(found, dict) else {}

    def _application(self) -> msal.ConfidentialClientApplication:
        try:
            return msal.ConfidentialClientApplication(
                self._provider.client_id, client_credential=self._provider.client_secret or None,
                authority=self._provider.issuer, instance_discovery=False,
                http_client=prepare(requests.Session(), self._timeout, self._ca_files),
            )  # fmt: skip
        except ValueError as error:
            # msal says so too where discovery gave a 4xx: the authority is wrong
            raise SetUpWrong(
                f"Microsoft's sign-in cannot be used: check MAILROOM_MICROSOFT_AUTHORITY ({str(error)[:120]})."
            ) from None
        except (*AWAY, RuntimeError, KeyError) as error:
            raise away(error) from None

    def _tokens(self, answer: Mapping[str, Any], now: float, *, before: Tokens | None = None) -> Tokens:
        if "error" in answer:
            raise trouble(str(answer["error"]), str(answer.get("error_description") or ""), name="Microsoft")
        try:
            return Tokens.of(answer, now, before=before)
        except ValueError as error:
            raise ProviderAway(f"Microsoft gave no usable sign-in: {error}.") from None


def away(error: Exception) -> ProviderAway:
    """The provider cannot be reached, or its answer not be read."""
    return ProviderAway(f"The sign-in server does not answer ({type(error).__name__}).", "no_answer")
