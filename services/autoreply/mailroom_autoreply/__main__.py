"""`python -m mailroom_autoreply`."""

from __future__ import annotations

from mailroom_runtime.launch import run

from .app import app
from .settings import AutoreplySettings

if __name__ == "__main__":
    run("autoreply", AutoreplySettings, app)
