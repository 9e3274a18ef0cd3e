"""What a Redis that runs can answer instead of working: each fault brought about in a real Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import redis

from .servers import ValkeyServer
from .waiting import wait_until


@dataclass(frozen=True)
class RedisFault:
    """`begin` brings it about, `end` ends it; `word` begins the error that the server sends."""

    word: str
    begin: Callable[[ValkeyServer], None]
    end: Callable[[ValkeyServer], None]


def _config(server: ValkeyServer, name: str, value: str) -> None:
    with server.client() as client:
        client.config_set(name, value)


def _full(server: ValkeyServer) -> None:
    _config(server, "maxmemory", "1")


def _room(server: ValkeyServer) -> None:
    _config(server, "maxmemory", "0")


def _cannot_save(server: ValkeyServer) -> None:
    shutil.rmtree(server.server.data)  # the folder it runs in: a snapshot cannot be written any more
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", 10)


def _saves(server: ValkeyServer) -> None:
    _config(server, "save", "")


def _replica(server: ValkeyServer) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")


def _replica_without_data(server: ValkeyServer) -> None:
    _config(server, "replica-serve-stale-data", "no")
    _replica(server)


def _primary(server: ValkeyServer) -> None:
    with server.client() as client:
        client.replicaof("NO", "ONE")


def _locked(server: ValkeyServer) -> None:
    with server.client() as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)


def _unlocked(server: ValkeyServer) -> None:
    with redis.Redis.from_url(server.url, password="another") as client:
        client.config_set("requirepass", "")


def _read_only_user(server: ValkeyServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-@write")


def _whole_user(server: ValkeyServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "+@all")


def _loading(server: ValkeyServer) -> None:
    with server.client() as client:
        client.mset({f"filling:{n}": "x" * 200 for n in range(15_000)})
        client.bgrewriteaof()
        wait_until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0, 10)
    server.kill()
    slowly = (
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    )  # microseconds for each key
    server.command = [*server.server.command(), *slowly]
    server.launch()

    def answers() -> bool:
        try:
            with server.client() as client:
                client.get("x")
        except redis.BusyLoadingError:
            return True
        except redis.ConnectionError:
            return False
        raise AssertionError("it has loaded already")

    wait_until(answers, 10, every=0.02)


def _loaded(server: ValkeyServer) -> None:
    server.kill()
    server.start()


FAULTS = {
    fault.word: fault
    for fault in (
        RedisFault("OOM", _full, _room),
        RedisFault("MISCONF", _cannot_save, _saves),
        RedisFault("READONLY", _replica, _primary),
        RedisFault("MASTERDOWN", _replica_without_data, _primary),
        RedisFault("NOAUTH", _locked, _unlocked),
        RedisFault("NOPERM", _read_only_user, _whole_user),
        RedisFault("LOADING", _loading, _loaded),
    )
}


@contextlib.asynccontextmanager
async def losing_an_answer(port: int, about: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A port that leads to the Redis on `port`; the first connection that names `about` breaks after Redis has done what
    was asked and before its answer. The list has how often that was: it grows to one number."""
    lost: list[int] = []

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while asked := await reader.read(65536):
                to_writer.write(asked)
                answer = await to_reader.read(65536)
                if about in asked and not lost:
                    lost.append(1)
                    return
                writer.write(answer)
        finally:
            to_writer.close()
            writer.close()

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], lost
    finally:
        server.close()  # not waited for: since Python 3.12 that is the end of every client's connection
