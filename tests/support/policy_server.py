"""Postfix's policy delegation protocol (SMTPD_POLICY_README): attributes in, one action out."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable

Policy = Callable[[dict[str, str]], str]  # request attributes -> action: "DUNNO", "450 4.2.0 Greylisted", ...


class PolicyServer:
    """Answers on a port of 127.0.0.1, each request in a thread."""

    def __init__(self, policy: Policy) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                attributes: dict[str, str] = {}
                for line in self.rfile:
                    name, found, value = line.decode("utf-8", "replace").rstrip("\n").partition("=")
                    if found:
                        attributes[name] = value
                    elif attributes:
                        self.wfile.write(f"action={policy(attributes)}\n\n".encode())
                        attributes = {}

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
