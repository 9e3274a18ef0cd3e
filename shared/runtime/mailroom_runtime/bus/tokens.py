"""Bearer tokens for Kafka (SASL OAUTHBEARER, RFC 7628) by client credentials (RFC 6749 section 4.4)."""

from __future__ import annotations

import asyncio
import json
import ssl
import time

import aiohttp
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

WAIT_S = 10.0
MOST_BYTES = 65_536
EARLY_S = 30.0  # a token is not used when it ends this soon
LASTS_S = 300.0  # where the endpoint does not say


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Fetches a token when there is none that lasts; who asks meanwhile waits for the same one."""

    def __init__(self, url: str, client_id: str, secret: str, *, ca_file: str | None = None) -> None:
        self._url, self._client_id, self._secret = url, client_id, secret
        self._tls = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
        self._token, self._until = "", float("-inf")
        self._locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}  # faust's consumer has a loop of its own

    async def token(self) -> str:
        """A token. Raises `KafkaConnectionError` when there is none to be had: the client tries again."""
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if time.monotonic() >= self._until:
                self._token, lasts_s = await self._fetched()
                self._until = time.monotonic() + max(1.0, lasts_s - EARLY_S)
            return self._token

    async def _fetched(self) -> tuple[str, float]:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S)) as session,
                session.post(
                    self._url,
                    data={"grant_type": "client_credentials"},
                    headers={"Authorization": aiohttp.encode_basic_auth(self._client_id, self._secret)},
                    ssl=self._tls if self._tls is not None else True,
                    allow_redirects=False,
                ) as answer,
            ):
                body = await answer.content.read(MOST_BYTES)
                if answer.status != 200:
                    raise KafkaConnectionError(f"the token endpoint {self._url} answers {answer.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise KafkaConnectionError(
                f"the token endpoint {self._url} does not answer: {type(error).__name__}"
            ) from None
        return _read(body, self._url)


def _read(body: bytes, url: str) -> tuple[str, float]:
    try:
        told = json.loads(body)
        token, lasts = told["access_token"], told.get("expires_in", LASTS_S)
        if isinstance(token, str) and token:
            return token, float(lasts)
    except (ValueError, TypeError, KeyError):
        pass
    raise KafkaConnectionError(f"the token endpoint {url} answers no token")
