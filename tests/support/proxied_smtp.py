"""An SMTP client that a server takes for one of anywhere: it says its address by HAProxy's PROXY protocol, version 1."""

from __future__ import annotations

import smtplib
import socket


class ProxiedSmtp(smtplib.SMTP):
    """`with ProxiedSmtp("192.0.2.10", port) as client`: a connection to loopback that begins with its line of PROXY."""

    def __init__(self, client_ip: str, port: int, name: str) -> None:
        self._client_ip = client_ip
        super().__init__("127.0.0.1", port, local_hostname=name, timeout=15)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        made.sendall(f"PROXY TCP4 {self._client_ip} 127.0.0.1 4711 {port}\r\n".encode())
        return made
