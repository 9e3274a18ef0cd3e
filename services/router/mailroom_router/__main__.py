"""`python -m mailroom_router`"""

from __future__ import annotations

from mailroom_runtime.launch import run

from .app import app
from .settings import RouterSettings

if __name__ == "__main__":
    run("router", RouterSettings, app)
