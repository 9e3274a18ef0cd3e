"""A file has one subject, so none grows beyond what is read in one sitting."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 350
FOLDERS = ("shared", "services", "deploy", "tests")
CODE = (".py", ".sh", ".html", ".js", ".css", ".sql", ".toml", ".conf")
# Migrations are never changed again; what browsers load is one request a file.
LEFT_OUT = ("/migrations/", "/static/")


def too_long(root: Path, files: list[str]) -> dict[str, int]:
    """Those with more than `MOST_LINES` lines, each with how many."""
    measured = {
        name: (root / name).read_bytes().count(b"\n")
        for name in files
        if name.endswith(CODE) and not any(part in f"/{name}" for part in LEFT_OUT) and (root / name).is_file()
    }
    return {name: lines for name, lines in measured.items() if lines > MOST_LINES}


def test_no_file_is_longer_than_is_read_in_one_sitting() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", *FOLDERS], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(listed) > 500
    assert too_long(ROOT, listed) == {}, f"more than {MOST_LINES} lines: split them by subject"


def test_the_file_that_is_too_long_is_named(tmp_path: Path) -> None:
    for name, lines in {"a.py": MOST_LINES, "b.py": MOST_LINES + 1, "data.json": 5000}.items():
        (tmp_path / name).write_text("x\n" * lines)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "page.js").write_text("x\n" * 5000)
    assert too_long(tmp_path, ["a.py", "b.py", "data.json", "static/page.js", "gone.py"]) == {"b.py": MOST_LINES + 1}
