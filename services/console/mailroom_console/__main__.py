"""`python -m mailroom_console`."""

from __future__ import annotations

from mailroom_runtime.launch import run

from .app import app
from .settings import ConsoleSettings

if __name__ == "__main__":
    run("console", ConsoleSettings, app)
