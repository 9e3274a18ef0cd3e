"""Bearer tokens for Kafka (SASL OAUTHBEARER, RFC 7628): by client credentials (RFC 6749 section 4.4), or signed for AWS MSK."""

from __future__ import annotations

import asyncio
import importlib
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


class LastingTokens(AbstractTokenProvider):  # type: ignore[misc]
    """Fetches a token when there is none that lasts; who asks meanwhile waits for the same one."""

    def __init__(self) -> None:
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
        """A token, and for how many seconds it lasts. Raises `KafkaConnectionError`."""
        raise NotImplementedError


class TokenProvider(LastingTokens):
    """Tokens of a token endpoint."""

    def __init__(self, url: str, client_id: str, secret: str, *, ca_file: str | None = None) -> None:
        super().__init__()
        self._url, self._client_id, self._secret = url, client_id, secret
        self._tls = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None

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


class AwsTokens(LastingTokens):
    """Tokens for AWS MSK: a request signed with the AWS credentials of the process, as Amazon's own signer makes it.

    Amazon's package is an extra of ours (`mailroom-runtime[msk]`): nobody else needs its 80 MB.
    """

    def __init__(self, region: str) -> None:
        super().__init__()
        self._region = region

    async def _fetched(self) -> tuple[str, float]:
        try:
            # looks for credentials in files and at the machine's own service, which may take seconds
            async with asyncio.timeout(WAIT_S):
                token, until_ms = await asyncio.to_thread(signed_for_aws, self._region)
        except ModuleNotFoundError:
            raise KafkaConnectionError(MISSING) from None
        except Exception as error:  # noqa: BLE001 - botocore has dozens, of which none is an OSError
            raise KafkaConnectionError(f"AWS gives no token for {self._region}: {type(error).__name__}") from None
        return token, until_ms / 1000 - time.time()


MISSING = "MAILROOM_KAFKA_AWS_REGION needs Amazon's signer: pip install 'mailroom-runtime[msk]'"


def signed_for_aws(region: str) -> tuple[str, int]:
    """A token, and when it ends (milliseconds since 1970). Raises ModuleNotFoundError, and what botocore raises."""
    signer = importlib.import_module("aws_msk_iam_sasl_signer.MSKAuthTokenProvider")
    token, until_ms = signer.generate_auth_token(region)
    return str(token), int(until_ms)


def _read(body: bytes, url: str) -> tuple[str, float]:
    try:
        told = json.loads(body)
        token, lasts = told["access_token"], told.get("expires_in", LASTS_S)
        if isinstance(token, str) and token:
            return token, float(lasts)
    except (ValueError, TypeError, KeyError):
        pass
    raise KafkaConnectionError(f"the token endpoint {url} answers no token")
