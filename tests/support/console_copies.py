"""Copies of the console on one PostgreSQL, each a process, and what the database tells about who of them wrote what."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from mailroom_console.storage.read_schema import GENERATIONS

from .processes import ServiceProcess, free_port

AUDIT = """
CREATE TABLE moved (n bigserial PRIMARY KEY, tables text, part int, before bigint, after bigint, by_user text);
CREATE FUNCTION moved() RETURNS trigger AS $$ BEGIN
  INSERT INTO moved (tables, part, before, after, by_user)
  VALUES (TG_TABLE_NAME, NEW.partition, OLD.next_offset, NEW.next_offset, session_user); RETURN NEW; END $$ LANGUAGE plpgsql;
"""


@dataclass
class Copies:
    """Copies of the console, each a process and a user of the database of its own, on the same topics."""

    kafka: str
    prefix: str
    redis: str
    folder: Path
    database: str
    key: str = field(default_factory=lambda: base64.b64encode(os.urandom(32)).decode())
    running: dict[str, ServiceProcess] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        return (self.folder / "data" / "api-token").read_text().strip()

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.database.replace("+asyncpg", ""))
        try:
            if statement.startswith("SELECT"):
                return list(await connection.fetch(statement, *values))
            await connection.execute(statement)
            return []
        finally:
            await connection.close()

    async def start(self, name: str) -> ServiceProcess:
        await self.sql(f"CREATE ROLE {name} SUPERUSER LOGIN")  # so that the database tells who writes
        url = self.database.replace("mailroom@", f"{name}@")
        port = free_port()
        env = {
            "MAILROOM_KAFKA": self.kafka, "MAILROOM_TOPIC_PREFIX": self.prefix, "MAILROOM_REDIS": self.redis,
            "MAILROOM_DATABASE": url, "MAILROOM_DATA": str(self.folder / "data"), "MAILROOM_SEED": "local",
            "MAILROOM_CONSOLE_PORT": str(port), "MAILROOM_URL": f"http://127.0.0.1:{port}", "MAILROOM_SERVICES": "{}",
            "MAILROOM_SECRET_KEYS": f"k1:{self.key}", "MAILROOM_MESSAGE_ID_KEYS": f"k1:{self.key}",
        }  # fmt: skip
        process = ServiceProcess("console", env, self.folder / f"{name}.log", forked=True)
        self.running[name], self.urls[name] = process, env["MAILROOM_URL"]
        await asyncio.to_thread(process.start)
        return process

    @contextlib.asynccontextmanager
    async def api(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=f"{self.urls[name]}/api/v1", headers=headers, timeout=30) as client:
            yield client

    async def shown(self) -> int:
        return int((await self.sql("SELECT id FROM generations WHERE state = 'active'"))[0]["id"])

    async def read_to(self) -> dict[int, int]:
        rows = await self.sql(f"SELECT partition, next_offset FROM rm{await self.shown()}_offsets")
        return {row["partition"]: row["next_offset"] for row in rows}

    async def watch(self) -> None:
        """From here on the database writes down who moves a partition's offset; once the first copy has run."""
        await self.sql(AUDIT)
        for tables in GENERATIONS:
            name = tables.offsets.name
            await self.sql(f"CREATE TRIGGER moved AFTER UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION moved()")

    async def writers(self, since: int = 0) -> dict[int, list[str]]:
        """Who wrote each partition of the tables that are shown, one after the other."""
        name = f"rm{await self.shown()}_offsets"
        found: dict[int, list[str]] = {}
        for row in await self.sql("SELECT * FROM moved WHERE n > $1 AND tables = $2 ORDER BY n", since, name):
            who = found.setdefault(row["part"], [])
            if who[-1:] != [row["by_user"]]:
                who.append(row["by_user"])
        return found

    async def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row that is shown, but for `seq`, which counts arrival over partitions, and the offsets."""
        tables = GENERATIONS[await self.shown()]
        found = {}
        for table in tables.all:
            if table is not tables.offsets:
                rows = await self.sql(f"SELECT * FROM {table.name}")
                kept = [{k: v for k, v in row.items() if k != "seq"} for row in rows]
                found[table.name.partition("_")[2]] = sorted(kept, key=repr)
        return found

    def kill(self) -> None:
        for process in self.running.values():
            process.kill()
