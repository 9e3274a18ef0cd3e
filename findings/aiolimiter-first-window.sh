#!/usr/bin/env bash
# aiolimiter 1.3.0: a limit of N per T seconds lets nearly 2 N through in the first T seconds.
#
# What one expects of AsyncLimiter(20, 2): in no two seconds do more than 20 callers pass.
# What it does: it is a leaky bucket. It starts empty, so 20 pass at once, and while they leak out of it another 20 pass
# within the same two seconds; only then is it 20 in each. For mail this matters: providers count the messages of a
# minute, so an account with 30 a minute that was idle would send 60 in its first minute, and the rest is refused.
#
# Output seen (2026-11-30, Python 3.11): "passed in the first 2 s: 40; in the 2 s after: 20" (give or take one).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q aiolimiter==1.3.0
"$work/venv/bin/python" - <<'PY'
import asyncio
import time

from aiolimiter import AsyncLimiter


async def main() -> None:
    limiter = AsyncLimiter(20, 2)
    began = time.monotonic()
    times = []
    while (now := time.monotonic() - began) < 4:
        await limiter.acquire()
        times.append(time.monotonic() - began)
    first = sum(t < 2 for t in times)
    second = sum(2 <= t < 4 for t in times)
    print(f"passed in the first 2 s: {first}; in the 2 s after: {second}")
    assert first >= 35, "the first window holds the limit now"
    assert second <= 22


asyncio.run(main())
PY
