"""A broker that ends a connection in the moment of a request is a broker that is away, and ends no service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest
from mailroom_runtime.bus.aiokafka_private import tame

REQUESTS: dict[str, Callable[[AIOKafkaConnection], Any]] = {
    "a request": lambda connection: connection.send(ApiVersionRequest()),
    "a sign-in": lambda connection: connection._send_sasl_token(b"token"),
}


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_transport_that_was_closed_is_a_broken_connection(loop: Callable[[], Any], asked: str) -> None:
    tame()

    async def ask() -> bool:
        server = await asyncio.start_server(lambda *_: asyncio.sleep(0), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            connection = AIOKafkaConnection("127.0.0.1", port)
            connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
            connection._versions = {ApiVersionRequest.API_KEY: (0, 0)}
            connection._read_task = connection._create_reader_task()
            connection._writer.transport.abort()
            await asyncio.sleep(0)  # now it is closed, and the reader has not had its turn to hear of it
            with pytest.raises(KafkaConnectionError):
                await asyncio.wait_for(REQUESTS[asked](connection), 5)
            return connection.connected()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(ask()) is False, "it is closed, so that the next request opens another"
