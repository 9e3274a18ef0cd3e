"""The same console on PostgreSQL: configuration, read model, search, rebuild. Two copies: test_console_copies.py."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from mailroom_console.storage.database import Database, alembic_config
from mailroom_console.storage.schema import metadata
from sqlalchemy import Connection, text
from support.certificates import Authority
from support.console_story import Story
from support.upload_desk import UploadDesk
from support.waiting import eventually

from .conftest import Bus, Starter
from .postgres import Postgres


async def test_the_console_on_postgresql(start_console: Starter, bus: Bus, postgres: Postgres) -> None:
    console = await start_console(database=postgres.url("one"))
    address = console.ids["address"]
    revision = (await console.get(f"/addresses/{address}"))["revision"]
    answers = await asyncio.gather(
        *(
            console.api.patch(f"/addresses/{address}", json={"full_name": f"N {n}", "revision": revision})
            for n in range(4)
        )
    )
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    taken = await console.api.post(
        "/addresses", json={"kind": "internal", "local_part": "support", "queue_id": console.ids["queue"]}
    )
    assert taken.json()["code"] == "address_taken"
    assert (await console.api.delete(f"/queues/{console.ids['queue']}")).json()["code"] == "in_use"
    stories = [
        Story(n, portal=console.ids["portal"], queue=console.ids["queue"], address=address) for n in range(10)
    ]  # fmt: skip
    for s in stories:
        reply = s.created(f"Subject {s.number}"), s.mail(f"Grüße aus {s.number}")
        await bus.events(*reply)
    failed = stories[3].reply("c3")
    await bus.events(failed, stories[3].delivery(failed, "failed", "550"), stories[4].status("closed"))
    await bus.events(*[stories[5].mail("again", cause="again")] * 2)

    async def numbers(**filters: Any) -> set[str]:
        return {t["number"] for t in (await console.get("/tickets", **filters))["items"]}

    await eventually(lambda: _is(numbers(view="failed"), {stories[3].number}), 15)
    await eventually(lambda: _is(numbers(status="closed"), {stories[4].number}), 15)
    await eventually(lambda: _is(numbers(q="again"), {stories[5].number}), 15)
    assert await numbers(q="grüß MR-00000007") == {stories[7].number}
    before = await console.get("/tickets", limit=200)
    assert len(before["items"]) == 10
    await console.api.post("/rebuild")

    async def rebuilt() -> bool:
        progress = await console.get("/rebuild")
        return not progress["rebuilding"] and progress["generation"] == 1

    await eventually(rebuilt, 20)
    assert await console.get("/tickets", limit=200) == before


async def _is(found: Any, wanted: set[str]) -> bool:
    return (await found) == wanted


async def test_the_migrations_make_what_the_code_expects(postgres: Postgres, tmp_path: Path) -> None:
    from alembic import command

    for url in (postgres.url("migrations"), f"sqlite+aiosqlite:///{tmp_path / 'm.db'}"):
        database = Database(url)
        await database.migrate()
        await database.migrate()

        def check(connection: Connection) -> None:
            command.check(alembic_config(connection))

        async with database.engine.connect() as connection:
            await connection.run_sync(check)
            for table in metadata.sorted_tables:
                await connection.execute(text(f'SELECT count(*) FROM "{table.name}"'))
        await database.close()


async def test_tickets_of_before_have_their_customers_key_and_a_downgrade_keeps_them(
    postgres: Postgres, tmp_path: Path
) -> None:
    from alembic import command

    spelt = {"1": "Jo@Customer.Example", "2": "J\u00d6rg@B\u00fccher.example"}
    for url in (postgres.url("keys"), f"sqlite+aiosqlite:///{tmp_path / 'k.db'}"):
        database = Database(url)
        await database.migrate()

        def before(connection: Connection) -> None:
            command.downgrade(alembic_config(connection), "0013")
            for name, email in spelt.items():
                connection.execute(
                    text("INSERT INTO rm0_tickets (seq, id, number, portal_id, queue_id, address_id, status, place, subject, "
                         "customer_email, customer_name, created_at, updated_at, version, message_count, last_text, waiting, "
                         "failed, tags, spam) VALUES (:s, :n, :n, 'p', 'q', 'a', 'open', 'open', '', :email, '', 0, 0, 1, 0, "
                         "'', false, 0, '[]', false)"), {"s": int(name), "n": name, "email": email},
                )  # fmt: skip
            connection.commit()

        async with database.engine.connect() as connection:
            await connection.run_sync(before)
        await database.migrate()
        async with database.engine.connect() as connection:
            found = (await connection.execute(text("SELECT id, customer_email, customer_key FROM rm0_tickets"))).all()
        assert {row.id: row.customer_email for row in found} == spelt
        keys = {row.id: row.customer_key for row in found}
        assert keys == {"1": "jo@customer.example", "2": "j\u00f6rg@xn--bcher-kva.example"}
        await database.close()


async def test_files_that_nothing_used_are_purged_on_postgresql_too(postgres: Postgres, tmp_path: Path) -> None:
    desk = UploadDesk(Database(postgres.url("uploads")), tmp_path / "blobs")
    await desk.start()
    await desk.give("unused", b"1")
    used = await desk.give("used", b"2")
    await desk.reply(used)
    desk.later(days=31)
    # whichever comes first: what was given is there afterwards, and its blob with it
    _, again = await asyncio.gather(desk.purge(), desk.give("another name", b"1"))
    assert (await desk.purge(), desk.blobs()) == (0, 2)
    await desk.recorded(b"1")
    desk.later(days=31)
    assert await desk.purge() == 0
    await desk.reply(again, used)
    await desk.database.close()


async def test_postgresql_by_tls_only_with_a_certificate_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As operations.md says: `ssl=verify-full`, and who signed in PGSSLROOTCERT."""
    authority = Authority(tmp_path / "authority")
    server = Postgres(tls=authority.issue("postgres"))
    server.start()
    try:
        monkeypatch.setenv("PGSSLMODE", "require")  # for createdb
        url = server.url("tls")

        async def encrypted(url: str) -> bool:
            database = Database(url)
            try:
                async with database.read() as connection:
                    told = await connection.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
                return bool(told)
            finally:
                await database.close()

        monkeypatch.delenv("PGSSLMODE")
        monkeypatch.setenv("PGSSLROOTCERT", str(authority.ca_file))
        assert await encrypted(f"{url}?ssl=verify-full")
        with pytest.raises(Exception, match="no encryption"):
            await encrypted(f"{url}?ssl=disable")
        monkeypatch.setenv("PGSSLROOTCERT", str(Authority(tmp_path / "other").ca_file))
        with pytest.raises(ssl.SSLCertVerificationError):
            await encrypted(f"{url}?ssl=verify-full")
    finally:
        server.stop()
