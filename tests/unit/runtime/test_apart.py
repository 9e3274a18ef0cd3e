"""Work apart: what hangs, crashes or eats memory costs a process of its own, and the next piece of work goes on."""

from __future__ import annotations

import ctypes
import os
import time

import pytest
from mailroom_runtime.process.apart import NotDone, apart


def hang() -> None:
    while True:
        time.sleep(1)


def crash() -> None:
    ctypes.string_at(0)


def swell() -> int:
    return len(b"x" * (4 << 30))


def refuse() -> None:
    raise ValueError("no")


async def test_work_is_given_up_and_the_next_goes_on() -> None:
    assert await apart(pow, 2, 10) == 1024
    assert await apart(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="no"):
        await apart(refuse)
    started = time.monotonic()
    with pytest.raises(NotDone, match="longer than"):
        await apart(hang, limit_s=0.5)
    assert time.monotonic() - started < 5
    with pytest.raises(NotDone, match="ended its process"):
        await apart(crash)
    with pytest.raises(NotDone, match="MiB"):
        await apart(swell)
    assert await apart(pow, 2, 3) == 8
