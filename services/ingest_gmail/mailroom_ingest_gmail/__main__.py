"""`python -m mailroom_ingest_gmail`."""

from __future__ import annotations

from mailroom_runtime.launch import run

from .app import app
from .settings import IngestGmailSettings

if __name__ == "__main__":
    run("ingest_gmail", IngestGmailSettings, app)
