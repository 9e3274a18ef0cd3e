"""Two builds of mailroom_mail in one process, mail by mail in turn: `read`, `classify` and `extract_reply` beside each other.

    git worktree add --detach /tmp/before bc8613e
    python tests/bench/reading_pairs.py /tmp/before/shared/mail shared/mail

Of each mail the least of several times counts, so that a machine which others use too says the same twice.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from ordinary_mails import ordinary_mails

SHARED = Path(__file__).parents[3] / "shared"
ROUNDS = 25
Reader = Callable[[Any], object]


def build(folder: str) -> tuple[Any, Any, Any]:
    """The three functions of the package in that folder, whatever was imported before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mailroom_mail"]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    package = importlib.import_module("mailroom_mail")
    functions = package.read, package.classify, package.extract_reply
    mail = functions[0](b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n")
    functions[1](mail), functions[2](mail)  # what is imported late
    sys.path.remove(folder)
    return functions


def pair(mine: Reader, theirs: Reader, items: list[tuple[Any, Any]]) -> tuple[float, float]:
    """Seconds of both for all items, each the least of the rounds."""
    sums = [0.0, 0.0]
    for inputs in items:
        least = [1e9, 1e9]
        for _ in range(ROUNDS):
            for index, (reader, one) in enumerate(zip((mine, theirs), inputs, strict=True)):
                start = time.perf_counter()
                reader(one)
                least[index] = min(least[index], time.perf_counter() - start)
        sums = [total + one for total, one in zip(sums, least, strict=True)]
    return sums[0], sums[1]


def main() -> None:
    """A line for each set of mails."""
    before, now = (build(folder) for folder in sys.argv[1:3])
    sets = {
        "ordinary": [raw for mails in ordinary_mails().values() for raw in mails],
        "replies": [path.read_bytes() for path in sorted(SHARED.glob("corpora/reply-*/*")) if path.suffix != ".jsonl"],
        "programs": [path.read_bytes() for path in sorted(SHARED.glob("programs/*.eml"))],
    }
    gc.disable()
    for name, raws in sets.items():
        read = pair(before[0], now[0], [(raw, raw) for raw in raws])
        mails = [(before[0](raw), now[0](raw)) for raw in raws]
        kinds = pair(lambda m: before[1](m, "jo@customer.example"), lambda m: now[1](m, "jo@customer.example"), mails)
        typed = pair(before[2], now[2], mails)
        rows = (("read", read), ("classify", kinds), ("extract_reply", typed))
        told = (
            f"{what} {a / len(raws) * 1e6:.0f} -> {b / len(raws) * 1e6:.0f} us ({b / a:.2f})" for what, (a, b) in rows
        )
        sys.stdout.write(f"{name}: {', '.join(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
