#!/usr/bin/env bash
# aiokafka 0.14.0 under uvloop 0.23.0: a request in the moment after a broker ended the connection raises a plain RuntimeError.
#
# One would expect a KafkaConnectionError, which every caller of aiokafka handles: AIOKafkaConnection.send makes one of an
# OSError. asyncio's own transports never raise when they are written to after their end; uvloop's raise RuntimeError, which
# passes through send(), end_offsets() and the like, and ends a task that was written for errors of Kafka. Seen with three
# brokers of which one was killed.
#
# Output seen:
#   aiokafka 0.14.0, uvloop 0.23.0
#   asyncio: written, as if nothing had happened
#   uvloop: RuntimeError: unable to perform operation on <TCPTransport closed=True …>; the handler is closed
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install aiokafka==0.14.0 uvloop==0.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import re
import sys

import aiokafka
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest


async def ask():
    async def quiet(reader, writer):
        await reader.read()

    async with await asyncio.start_server(quiet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = AIOKafkaConnection("127.0.0.1", port)
        connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
        connection._versions = {ApiVersionRequest.API_KEY: (0, 0)}
        connection._writer.transport.abort()
        await asyncio.sleep(0.05)
        try:
            await asyncio.wait_for(connection.send(ApiVersionRequest()), 0.5)
        except TimeoutError:
            return "written, as if nothing had happened", False
        except Exception as error:
            said = re.sub(r"closed=True .*?>", "closed=True …>", str(error))
            return f"{type(error).__name__}: {said}", not isinstance(error, (KafkaError, OSError))


print(f"aiokafka {aiokafka.__version__}, uvloop {uvloop.__version__}")
strange = False
for name, factory in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
    loop = factory()
    said, odd = loop.run_until_complete(ask())
    strange |= odd
    print(f"{name}: {said}")
sys.exit(0 if strange else 1)
PYTHON
