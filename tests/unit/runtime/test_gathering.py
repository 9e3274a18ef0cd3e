"""Consumers wait for company only while much comes."""

from __future__ import annotations

from types import SimpleNamespace

from mailroom_runtime.bus.gathering import ALONE_BYTES, TOGETHER_BYTES, Gathering
from mailroom_runtime.bus.pace import Pace, Rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_forgets_after_a_second() -> None:
    clock = Clock()
    rate = Rate(clock)
    rate.add(30)
    clock.now += 0.5
    rate.add(12)
    assert rate.per_s() == 42
    clock.now += 0.6
    assert rate.per_s() == 12
    clock.now += 1.0
    assert rate.per_s() == 0


def test_fetches_wait_under_load_and_only_then() -> None:
    clock = Clock()
    fetcher = SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=500)
    gathering = Gathering(SimpleNamespace(_fetcher=fetcher), many_per_s=100, wait_ms=40, rate=Rate(clock))
    gathering.saw({"a": [1] * 90})
    assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (ALONE_BYTES, 500)
    gathering.saw({"a": [1] * 10, "b": [1]})
    assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (TOGETHER_BYTES, 40)
    clock.now += 1.5
    gathering.saw({})
    assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (ALONE_BYTES, 500)


def test_the_wait_grows_with_what_comes() -> None:
    clock = Clock()
    fetcher = SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=500)
    rate = Rate(clock)
    gathering = Gathering(SimpleNamespace(_fetcher=fetcher), many_per_s=100, wait_ms=5, longest_ms=20, rate=rate)
    gathering.counted(200)
    assert fetcher._fetch_max_wait_ms == 10
    gathering.counted(800)
    assert fetcher._fetch_max_wait_ms == 20


def test_batches_begin_further_apart_the_more_comes() -> None:
    clock = Clock()
    pace = Pace(calm_per_s=100, step_s=0.01, longest_s=0.02, clock=clock)
    assert pace.due() <= clock.now
    pace.began(100)
    assert pace.due() == clock.now
    pace.began(100)
    assert pace.due() == clock.now + 0.01
    pace.began(800)
    assert pace.due() == clock.now + 0.02
    clock.now += 1.5
    assert pace.due() < clock.now


def test_aiokafka_still_has_what_is_set() -> None:
    """The two attributes are none of its public face: a new version must not make the setting silently useless."""
    import inspect

    from aiokafka.consumer.fetcher import Fetcher

    source = inspect.getsource(Fetcher)
    assert source.count("self._fetch_min_bytes") >= 2
    assert source.count("self._fetch_max_wait_ms") >= 2
