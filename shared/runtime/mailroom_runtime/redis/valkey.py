"""The connection to Redis or Valkey."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisError

from mailroom_runtime.process.tasks import aside

# Whatever it answers instead of working, too: full (OOM), unable to save (MISCONF), a replica since a failover (READONLY,
# MASTERDOWN), another password (NOAUTH), rights taken away (NOPERM), still LOADING. A list of them would have gaps, and
# nobody who uses Redis here can do more about one than about another.
REDIS_DOWN = (RedisError, OSError)
_OF_ONE_HOST = ("host", "port", "connection_class")


def connect(url: str, *, timeout_s: float = 2.0) -> redis.asyncio.Redis:
    """A client that answers within `timeout_s` or raises one of `REDIS_DOWN`; strings come back as str.

    `url`: redis://, rediss:// (TLS), unix://, or a master that Sentinels know: redis+sentinel://USER:PASSWORD@HOST:PORT,
    HOST:PORT/NAME/DB (rediss+sentinel: TLS to both). Raises ValueError for one that is none of these.
    """
    from redis.asyncio.retry import Retry as AsyncRetry

    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 15,
        "retry": AsyncRetry(ExponentialBackoff(cap=0.2, base=0.02), 2),
    }
    if "+sentinel://" in url:
        return _by_sentinels(url, options)
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(url, **options)
    return client


def _by_sentinels(url: str, options: dict[str, Any]) -> redis.asyncio.Redis:
    """The present master of a name; asked for anew at every connection, so that a failover is followed."""
    from redis.asyncio.connection import parse_url
    from redis.asyncio.sentinel import Sentinel

    parts = urlsplit(url)
    access, _, hosts = parts.netloc.rpartition("@")
    name, _, database = parts.path.strip("/").partition("/")
    if not hosts or not name:
        raise ValueError("it must look like redis+sentinel://HOST:PORT,HOST:PORT/NAME/0")
    scheme = parts.scheme.removesuffix("+sentinel")
    plain = f"{scheme}://{access}@any/{database or 0}?{parts.query}"
    given: dict[str, Any] = {key: value for key, value in parse_url(plain).items() if key not in _OF_ONE_HOST}
    encrypted = {"ssl": True} if scheme == "rediss" else {}
    tls = {key: value for key, value in given.items() if key.startswith("ssl_")} | encrypted
    reached = {key: options[key] for key in ("socket_timeout", "socket_connect_timeout")}
    asked = [(host, int(port or 26379)) for host, _, port in (each.rpartition(":") for each in hosts.split(","))]
    sentinel = Sentinel(asked, sentinel_kwargs=reached | tls)  # type: ignore[no-untyped-call]
    client: redis.asyncio.Redis = sentinel.master_for(name, **(options | given | encrypted))
    return client


class Shared:
    """Commands that are asked for at the same time, in one round trip: a round trip costs more than most commands.

    Each fails or succeeds for itself; without Redis all fail.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._waiting: list[tuple[Sequence[Any], asyncio.Future[Any]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def execute(self, *command: Any) -> Any:
        """The answer to a command, as Redis gives it. Raises redis' errors."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._sending is None:
            self._sending = aside(self._send(), "redis-commands")
        return await answer

    async def script(self, text: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """What a Lua script returns."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self.execute("EVALSHA", digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self.execute("EVAL", text, len(keys), *keys, *args)

    async def _send(self) -> None:
        batch: list[tuple[Sequence[Any], asyncio.Future[Any]]] = []
        try:
            await asyncio.sleep(0)  # whatever else is ready now comes along
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._answer(batch)
        except BaseException as error:
            # whatever it is: who waits is told, and the next command begins anew
            told = error if isinstance(error, Exception) else ConnectionError("ended before Redis answered")
            for _, answer in (*batch, *self._waiting):
                if not answer.done():
                    answer.set_exception(told)
            self._waiting = []
            if not isinstance(error, Exception):
                raise
        finally:
            self._sending = None

    async def _answer(self, batch: list[tuple[Sequence[Any], asyncio.Future[Any]]]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for command, _ in batch:
            pipe.execute_command(*command)
        try:
            answers = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            answers = [error] * len(batch)
        for (_, answer), found in zip(batch, answers, strict=True):
            if answer.done():  # nobody waits any more
                continue
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)


__all__ = ["REDIS_DOWN", "Shared", "connect"]
