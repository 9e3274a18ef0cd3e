"""Whether a function takes linear time for what it is given: inputs are doubled, processor time is measured."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

RATIO = 2.5  # at most, for twice the input
S_PER_MB = 1.0
NOISE_S = 0.004  # below this, time says nothing


@dataclass(frozen=True)
class Slow:
    """What a function takes too long for."""

    where: str
    token: str
    times: tuple[tuple[int, float], ...]  # bytes, seconds

    def __str__(self) -> str:
        told = ", ".join(f"{size >> 10} kB {seconds * 1000:.0f} ms" for size, seconds in self.times)
        return f"{self.where} of {self.token!r} repeated: {told}"


@dataclass(frozen=True)
class Unit:
    """What is repeated, and what stands before and behind it."""

    text: str
    before: str = ""
    behind: str = ""

    def repeated(self, size: int) -> str:
        """About `size` bytes of it."""
        return self.before + self.text * max(1, size // len(self.text.encode("utf-8", "surrogatepass"))) + self.behind


def units(token: str) -> Iterator[Unit]:
    """Of a token: by itself, one a line, one a word, and between an address and a word."""
    yield from dict.fromkeys(
        (Unit(token), Unit(token + "\n"), Unit(token + " "), Unit(token, before="jo@a.example", behind="x"))
    )


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Processor time of this thread, the least of several."""
    least = float("inf")
    gc.disable()
    try:
        for _ in range(times):
            began = time.thread_time()
            call()
            least = min(least, time.thread_time() - began)
            if least > 2:
                break
    finally:
        gc.enable()
    return least


# What `slowness` takes on a machine of 2 cores that does nothing else, as measured on the one whose figures docs/performance.md has.
QUIET_S = 0.0035
_WORK = [{"id": f"id{n}", "name": f"Name of {n}", "tags": ["a", "b"], "at": n} for n in range(2000)]


def slowness() -> float:
    """How much slower than a quiet machine this one is now, by work like a page's (at least 1): its texts and tables do not
    fit into the nearest caches, so neighbours slow it down more than they do arithmetic."""
    return max(1.0, seconds(lambda: json.loads(json.dumps(_WORK))) / QUIET_S)


_best_s = float("inf")


def busy() -> float:
    """How much slower than at its best the processor is now, by work that is always the same (at least 1)."""
    global _best_s
    now = seconds(lambda: sum(index * index for index in range(60_000)))
    _best_s = min(_best_s, now)
    return now / _best_s


def slow(
    where: str, unit: Unit, prepare: Callable[[str], Callable[[], object]], *, first: int, last: int, doublings: int = 2
) -> Slow | None:
    """Double from `first` to `last` bytes; None where time grows with size and stays under a second up to a megabyte.

    `prepare(text)` gives what is measured. Stops where it takes so little that no doubling makes it much. What a few
    kilobytes take is no measure of a megabyte: many functions look at the first so many lines only. So many `doublings`
    beside each other must take too much: what fits into no cache of the processor any more grows too fast once or twice.
    """
    prepare(unit.repeated(64))()  # what is imported or compiled at first is no cost of the input
    size, measured, growing = first, list[tuple[int, float]](), 0
    while size <= last or (
        0 < growing < doublings and size <= 2 * last
    ):  # what seems to grow too fast at the end is looked at once more
        call = prepare(unit.repeated(size))
        took = seconds(call)
        if took > S_PER_MB and (took := min(took, seconds(call))) > S_PER_MB * busy():
            return Slow(where, unit.text, (*measured, (size, took)))
        if measured and took > max(measured[-1][1], NOISE_S) * RATIO:  # is it so, or was the machine busy?
            took = min(took, seconds(call, 3))
            measured[-1] = (measured[-1][0], seconds(prepare(unit.repeated(measured[-1][0])), 3))
            growing = growing + 1 if took > max(measured[-1][1], NOISE_S) * RATIO else 0
        else:
            growing = 0
        measured.append((size, took))
        if growing >= doublings:
            return Slow(where, unit.text, tuple(measured))
        if took < NOISE_S * size / last or _is_settled(measured, last):
            return None
        size *= 2
    return None


def _is_settled(measured: list[tuple[int, float]], last: int) -> bool:
    """Whether two doublings grew as the size did, and going on so stays within the limit."""
    if len(measured) < 3:
        return False
    (_, first), (_, second), (size, third) = measured[-3:]
    steady = second < first * 2.2 and third < second * 2.2
    return steady and third * last / size < S_PER_MB * last / (1 << 20)
