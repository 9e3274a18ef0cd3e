"""What the processes of one test run (pytest-xdist) share: the first that needs it starts it for all."""

from __future__ import annotations

import atexit
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path


@contextmanager
def shared_by_workers(base_temp: Path, name: str, make: Callable[[Path], AbstractContextManager[str]]) -> Iterator[str]:
    """What `make(folder)` gives, a line of text such as an address: made once, whichever process asks first.

    `base_temp` is pytest's for this process. It ends with the process that made it: the processes of a run all live until
    the last of them has run its tests.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with make(base_temp / name) as given:
            yield given
        return
    folder = base_temp.parent / f"shared-{name}"
    folder.mkdir(exist_ok=True)
    text = folder / "given"
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not text.exists():
            at_the_end = ExitStack()
            atexit.register(at_the_end.close)
            text.write_text(at_the_end.enter_context(make(folder / "made")))
    yield text.read_text()
