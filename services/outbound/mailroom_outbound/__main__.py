"""`python -m mailroom_outbound`."""

from __future__ import annotations

from mailroom_runtime.launch import run

from .app import app
from .settings import OutboundSettings

if __name__ == "__main__":
    run("outbound", OutboundSettings, app)
