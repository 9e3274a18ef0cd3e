"""The local stack's mailbox (`deploy/local/postbox.py`) as a process of a test's own: it stands for the world."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

from .processes import REPOSITORY, Process, free_port, port_open
from .waiting import wait_until


class Mailbox(Process):
    """Takes any mail on `smtp_port`, and tells of it on `http_port`."""

    def __init__(self, folder: Path) -> None:
        self.smtp_port, self.http_port = free_port(), free_port()
        env = {
            "MAILBOX_SMTP_PORT": str(self.smtp_port),
            "MAILBOX_HTTP_PORT": str(self.http_port),
            "MAILBOX_DATA": str(folder / "letters"),
        }
        super().__init__([sys.executable, str(REPOSITORY / "deploy/local/postbox.py")], folder / "mailbox.log", env)

    def start(self) -> None:
        """Returns once it listens; also after `kill`."""
        self.launch()
        wait_until(lambda: port_open(self.http_port) and port_open(self.smtp_port), what="the mailbox")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Its JSON answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
