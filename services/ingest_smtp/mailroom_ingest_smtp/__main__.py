"""`python -m mailroom_ingest_smtp`"""

from __future__ import annotations

from mailroom_runtime.launch import run

from .app import app
from .settings import IngestSmtpSettings


def main() -> None:
    """Run the service until it is stopped."""
    run("ingest_smtp", IngestSmtpSettings, app)


if __name__ == "__main__":
    main()
