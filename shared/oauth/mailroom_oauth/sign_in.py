"""Providers as the services use them: calls off the event loop, whichever library is behind one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .grants import Begun, Grant, Tokens
from .microsoft import Microsoft
from .openid import OpenId
from .providers import Provider
from .settings import OAuthSettings
from .trouble import ProviderAway, SetUpWrong

R = TypeVar("R")
THREADS = 8


class Providers:
    """Every provider that is set up. All calls raise `OAuthTrouble`; none lasts much longer than the time-out."""

    def __init__(self, settings: OAuthSettings) -> None:
        self._known = settings.providers()
        self._timeout, ca_files = settings.oauth_timeout_s, settings.ca_files()
        self._adapters: dict[str, Microsoft | OpenId] = {
            name: (Microsoft if provider.is_microsoft else OpenId)(provider, self._timeout, ca_files)
            for name, provider in self._known.items()
        }
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="oauth")

    def all(self) -> list[Provider]:
        """In the order in which they are offered."""
        return list(self._known.values())

    def get(self, name: str | None) -> Provider | None:
        """The provider of that id."""
        return self._known.get(name or "")

    async def begin(self, name: str, redirect_uri: str, hint: str | None = None) -> Begun:
        """A sign-in to start; `hint`: the account that is expected."""
        return await self._run(lambda: self._adapter(name).begin(redirect_uri, hint))

    async def finish(self, name: str, flow: Mapping[str, Any], params: Mapping[str, str]) -> Grant:
        """What the browser came back with."""
        return await self._run(lambda: self._adapter(name).finish(flow, params))

    async def renew(self, name: str, tokens: Tokens) -> Tokens:
        """New tokens for old ones."""
        return await self._run(lambda: self._adapter(name).renew(tokens))

    async def revoke(self, name: str, tokens: Tokens) -> bool:
        """Whether the access was taken back at the provider."""
        return await self._run(lambda: self._adapter(name).revoke(tokens))

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _adapter(self, name: str) -> Microsoft | OpenId:
        found = self._adapters.get(name)
        if found is None:
            raise SetUpWrong(f"Signing in at {name[:40]} is not set up here: its client id is missing.", "not_set_up")
        return found

    async def _run(self, call: Callable[[], R]) -> R:
        try:
            # discovery and the call itself, each within the time-out; the thread ends by itself
            async with asyncio.timeout(self._timeout * 3 + 1):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError:
            raise ProviderAway("The sign-in server does not answer in time.", "no_answer") from None
