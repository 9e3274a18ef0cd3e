"""The connection to Redis or Valkey."""

from __future__ import annotations

import redis.asyncio
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, ReadOnlyError, TimeoutError

REDIS_DOWN = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OSError)


def connect(url: str, *, timeout_s: float = 2.0) -> redis.asyncio.Redis:
    """A client that answers within `timeout_s` or raises one of `REDIS_DOWN`; strings come back as str."""
    from redis.asyncio.retry import Retry as AsyncRetry

    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=15,
        retry=AsyncRetry(ExponentialBackoff(cap=0.2, base=0.02), 2),
    )
    return client


__all__ = ["REDIS_DOWN", "connect"]
