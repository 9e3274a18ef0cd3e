"""axe-core from npm, installed once into .cache/npm from the lock beside this file, and asked about a page."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from support.authorities import as_given
from support.processes import REPOSITORY

HERE = Path(__file__).parent / "axe"
SERIOUS = ("serious", "critical")
COLOURS = ("color-contrast", "link-in-text-block")  # the rules that look at colours


@cache
def source() -> str:
    """The script. Raises CalledProcessError when npm cannot install it."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = REPOSITORY / ".cache" / "npm" / f"axe-{hashlib.sha256(lock).hexdigest()[:12]}"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not script.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, folder / name)
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder, env=as_given(), check=True, capture_output=True, timeout=120,
            )  # fmt: skip
    return script.read_text()


def findings(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Serious and critical findings of a page, one line each; by these rules of axe, or all."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(source())
    options = {"iframes": False, "resultTypes": ["violations"], **({"runOnly": [*rules]} if rules else {})}
    result: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{v['impact']} {v['id']}: {v['help']}: {node['html'][:160]}"
        for v in result["violations"] if v["impact"] in SERIOUS
        for node in v["nodes"][:3]
    ]  # fmt: skip
