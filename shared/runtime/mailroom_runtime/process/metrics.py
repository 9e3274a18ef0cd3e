"""Prometheus metrics, declared where they are used; declaring one twice gives the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

_M = TypeVar("_M", Counter, Gauge, Histogram)
_declared: dict[str, Counter | Gauge | Histogram] = {}
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


def counter(name: str, about: str, labels: Sequence[str] = ()) -> Counter:
    """A counter; its name ends in _total."""
    return _once(Counter, name, about, labels)


def gauge(name: str, about: str, labels: Sequence[str] = ()) -> Gauge:
    """A gauge."""
    return _once(Gauge, name, about, labels)


def histogram(name: str, about: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS) -> Histogram:
    """A histogram, of seconds unless told otherwise."""
    if name not in _declared:
        _declared[name] = Histogram(name, about, labels, buckets=tuple(buckets))
    return cast(Histogram, _declared[name])


def _once(kind: type[_M], name: str, about: str, labels: Sequence[str]) -> _M:
    if name not in _declared:
        _declared[name] = kind(name, about, labels)
    return cast(_M, _declared[name])


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
