"""`make bench AGAINST=commit`: today's build beside that of another commit, each in a virtual environment of its own.

Each build runs its own benchmarks, one round at a time, turn about, so that both meet the same minutes of a machine that
others use too. The other build is a git worktree below .cache/against with what its own requirements.lock says.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PLACE = REPOSITORY / ".cache" / "against"
LESS_IS_BETTER = ("ms", "us", "s", "MB")


class BuildMissing(RuntimeError):
    """The other build could not be made; the text says why."""


def build(commit: str) -> Path:
    """The folder of that commit's build, made when it is not there. Raises `BuildMissing`."""
    named = subprocess.run(
        ["git", "-C", REPOSITORY, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if named.returncode != 0:
        raise BuildMissing(
            f"AGAINST={commit}: no such commit here (a shallow clone has only the newest: git fetch --unshallow)"
        )
    folder = PLACE / named.stdout.strip()[:12]
    for command in (
        [] if folder.exists() else ["git", "-C", REPOSITORY, "worktree", "add", "--detach", "--force", folder, commit],
        ["make", "-C", folder, ".venv/installed"],
    ):
        made = subprocess.run(command, capture_output=True, text=True, check=False) if command else None
        if made is not None and made.returncode != 0:
            raise BuildMissing(f"{folder} could not be made: {(made.stdout + made.stderr)[-1000:]}")
    return folder


def one_round(folder: Path, name: str, timeout_s: float) -> dict[str, Any]:
    """The figures of one round of that build's own benchmark. Raises RuntimeError with its last words.

    One that a build does not have yet is run there as today's file says.
    """
    env = {k: v for k, v in os.environ.items() if k not in ("AGAINST", "VIRTUAL_ENV", "MAKEFLAGS")}
    env |= {"PYTHONPATH": "tests:deploy/local", "ONLY": name, "ROUNDS": "1", "JSON": "1", "WRITE": "0"}
    own = (folder / "tests" / "bench" / f"{name}.py").exists()
    done = subprocess.run(
        [folder / ".venv" / "bin" / "python", *(["-m", "bench"] if own else [HERE / f"{name}.py", "1"])],
        cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=timeout_s,
    )  # fmt: skip
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"{name} in {folder}: {done.stderr[-1000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return dict(figures[name]) if own else figures


def compared(today: list[dict[str, Any]], other: list[dict[str, Any]], commit: str) -> dict[str, Any]:
    """Medians of both builds' rounds. `ratio` is how many times better today's is, more being better than 1."""
    unit = today[0]["unit"]
    now, then = (statistics.median(float(one["ours"]) for one in rounds) for rounds in (today, other))
    figures: dict[str, Any] = {
        "ours": now, "reference": then, "unit": unit, "command": f"make bench AGAINST={commit}",
        "ratio": round(then / now if unit in LESS_IS_BETTER else now / then, 3),
    }  # fmt: skip
    for key in sorted(set(today[0]) & set(other[0])):
        if key.startswith(("cpu_", "memory_", "p50", "p99")) and isinstance(today[0][key], int | float):
            mine, theirs = (statistics.median(float(one[key]) for one in rounds) for rounds in (today, other))
            figures[f"{key}_share"] = round(mine / theirs, 3) if theirs else None
    return figures


def measured(name: str, folder: Path, commit: str, rounds: int, timeout_s: float = 3600.0) -> dict[str, Any]:
    """That benchmark on both builds, turn about. Raises RuntimeError with the last words of one that failed."""
    today, other = [], []
    for _ in range(rounds):
        other.append(one_round(folder, name, timeout_s))
        today.append(one_round(REPOSITORY, name, timeout_s))
    return {**compared(today, other, commit), "target": None, "about": f"today beside {commit}"}
