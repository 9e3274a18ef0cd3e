"""Listening sockets: several processes may share a port (SO_REUSEPORT), the kernel deals the connections out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from mailroom_runtime.process.service import Stopped

BACKLOG = 512


async def listen(
    host: str, port: int, protocol: Callable[[], asyncio.Protocol], *, setting: str
) -> asyncio.base_events.Server | asyncio.AbstractServer:
    """Answer on host and port. Raises `Stopped` naming `setting` when the port cannot be had."""
    try:
        listener = _bound(host, port)
        return await asyncio.get_running_loop().create_server(protocol, sock=listener, backlog=BACKLOG)
    except OSError as error:
        raise Stopped(f"cannot listen on {host} port {port}: {error.strerror or error} ({setting})") from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, number, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST
    )[0]
    listener = socket.socket(family, kind, number)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
