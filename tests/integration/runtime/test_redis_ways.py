"""Every way to Redis that operations.md tells, tried: TLS, a user of its own, Sentinels over a failover."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from keyvalue import binary
from mailroom_runtime.redis.valkey import REDIS_DOWN, connect
from redis.exceptions import AuthenticationError, NoPermissionError
from support.certificates import Authority
from support.processes import Process, free_port, port_open
from support.servers import ValkeyServer
from support.waiting import eventually


@contextlib.asynccontextmanager
async def tls_in_front(port: int, authority: Authority) -> AsyncIterator[int]:
    """TLS before a server that speaks none, as stunnel or a cloud's proxy does it; the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("valkey"))

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_tls_and_a_user_of_its_own(valkey: ValkeyServer, tmp_path: Path) -> None:
    with valkey.client() as admin:
        admin.execute_command("ACL", "SETUSER", "mailroom", "on", ">pass", "~mailroom:*", "&*", "+@all")
    authority = Authority(tmp_path / "authority")
    async with tls_in_front(valkey.server.port, authority) as port:
        where = f"127.0.0.1:{port}/0?ssl_ca_certs={authority.ca_file}"
        client = connect(f"rediss://mailroom:pass@{where}")
        assert await client.set("mailroom:x", "1")
        with pytest.raises(NoPermissionError):
            await client.set("other:x", "1")
        await client.aclose()
        refused = connect(f"rediss://mailroom:wrong@{where}")
        with pytest.raises(AuthenticationError):
            await refused.ping()
        await refused.aclose()
        stranger = connect(f"rediss://mailroom:pass@127.0.0.1:{port}/0", timeout_s=1)  # signed by nobody it knows
        with pytest.raises(REDIS_DOWN):
            await stranger.ping()
        await stranger.aclose()


async def test_sentinels_lead_to_the_master_also_after_a_failover(valkey: ValkeyServer, tmp_path: Path) -> None:
    replica = ValkeyServer(tmp_path / "replica")
    replica.start()
    with replica.client() as admin:
        admin.replicaof("127.0.0.1", str(valkey.server.port))
    port = free_port()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
        f"sentinel monitor main 127.0.0.1 {valkey.server.port} 1\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
    )
    sentinel = Process([str(binary()), str(configuration), "--sentinel"], tmp_path / "sentinel.log")
    sentinel.launch()
    try:
        await eventually(lambda: port_open(port), what="the Sentinel")
        client = connect(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/main/0", timeout_s=1)

        async def replicated() -> bool:
            return bool(await client.set("before", "1")) and await client.wait(1, 500) == 1

        await eventually(replicated, 20, what="the replica")
        # a Sentinel reads of replicas every 10 s; before it knows of this one it cannot fail over
        await eventually(lambda: f"127.0.0.1:{replica.server.port}" in sentinel.output(), 20, what="a known replica")
        valkey.kill()

        async def written() -> bool:
            try:
                return bool(await client.set("after", "1"))
            except REDIS_DOWN:
                return False

        await eventually(written, 30, what="the new master")
        assert await client.get("before") == "1"
        with replica.client() as admin:
            assert admin.get("after") == b"1"
        await client.aclose()
    finally:
        sentinel.kill()
        replica.kill()


@pytest.mark.parametrize("url", ["redis+sentinel://host:1", "redis+sentinel:///main/0"])
def test_an_address_of_sentinels_without_host_or_name_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        connect(url)
