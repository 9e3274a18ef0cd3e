"""Rows for `console_page` in a PostgreSQL of its own: what `console_page.fill` puts into SQLite."""

from __future__ import annotations

import asyncio

import asyncpg
from mailroom_console.access import passwords
from mailroom_console.read_model.words import scope

STATUS = "CASE WHEN i % 10 < 7 THEN 'closed' WHEN i % 10 = 7 THEN 'pending' ELSE 'open' END"
ADDRESS = "CASE WHEN i % 100000 = 7 THEN 'ad-rare' ELSE 'ad' || (i % 50) END"
TAGS = {"vip": 10, "lost": 100_000}  # one of so many tickets has it
WORDS = ("order", "", "has", "not", "arrived", "jo", "customer", "example", "where", "is", "my", "parcel")


def fill(url: str, tickets: int, queues: int) -> None:
    """Two portals, one of them with `tickets` tickets of two messages; a token of each."""
    asyncio.run(_fill(url.replace("+asyncpg", ""), tickets, queues))


async def _fill(url: str, tickets: int, queues: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        for portal in ("big", "empty"):
            await connection.execute(
                "INSERT INTO portals (id, name, active, dkim, follow_up_after_days, revision, created_at, updated_at) "
                "VALUES ($1::varchar, $1::varchar, true, '[]', 14, 1, 0, 0)", portal)  # fmt: skip
            await connection.execute(
                "INSERT INTO api_tokens (id, portal_id, name, digest, hint, scopes, created_at, created_by, used_at) "
                "VALUES ($1::varchar, $1::varchar, 'bench', $2, '', '[\"read\"]', 0, '', 9000000000000000)",
                portal, passwords.digest(f"mr_{portal}"))  # fmt: skip
            for queue in range(queues):
                await connection.execute(
                    "INSERT INTO queues (id, portal_id, name, revision, created_at, updated_at) "
                    "VALUES ($1::varchar, $2, $1::varchar, 1, 0, 0)", f"{portal}{queue}", portal)  # fmt: skip
        o = scope("big")
        lexemes = " || ".join(
            f"'''{o}{word}'':{place} '" if word not in ("", "jo") else f"'''{o}{word}' || i || ''':{place} '"
            for place, word in enumerate(WORDS, 2)
        )
        rare = f"'''{o}' || CASE WHEN i % 100000 = 7 THEN 'rhubarb' ELSE 'please' END || ''':20'"
        await connection.execute(
            f"""INSERT INTO rm0_tickets (seq, id, number, portal_id, queue_id, address_id, status, place, assignee_id, subject,
            customer_email, customer_key, customer_name, created_at, updated_at, version, message_count, last_text, customer_at, waiting,
            failed, tags, spam, search)
            SELECT i, lpad(to_hex(i), 32, '0'), 'MR-' || lpad(i::text, 8, '0'), 'big', 'big' || (i % {queues}), {ADDRESS},
            {STATUS}, {STATUS}, CASE WHEN i % 3 = 0 THEN NULL ELSE 'agent' || (i % 40) END,
            'Order ' || i || ' has not arrived', 'jo' || i || '@customer.example', 'jo' || i || '@customer.example', 'Jo', 1700000000000000 + i,
            1700000000000000 + (i::bigint * 7919) % {tickets}, 4, 2, 'Where is it?', 1700000000000000 + i,
            i % 10 >= 8 AND i % 2 = 0, CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END, '[]', false,
            ({lexemes} || {rare})::tsvector FROM generate_series(1, {tickets}) AS n(i)"""
        )
        await connection.execute(
            f"""INSERT INTO rm0_messages (id, ticket_id, portal_id, direction, kind, at, version, new_sender, document)
            SELECT 'm' || lpad(to_hex(i), 31, '0'), lpad(to_hex(i / 2 + i % 2), 32, '0'), 'big', 'in', 'mail',
            1700000000000000 + i, 2, false, '{{"text": "Where is my order ' || i || '?", "subject": "Order"}}'
            FROM generate_series(1, {tickets * 2}) AS n(i)"""
        )
        for tag, each in TAGS.items():
            await connection.execute(
                f"INSERT INTO rm0_tags (ticket_id, tag, portal_id, name, seq, place, updated_at) SELECT lpad(to_hex(i), 32, '0'), "
                f"'{tag}', 'big', '{tag}', i, {STATUS}, 1700000000000000 + (i::bigint * 7919) % {tickets} "
                f"FROM generate_series(1, {tickets}) AS n(i) WHERE i % {each} = 7"
            )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
