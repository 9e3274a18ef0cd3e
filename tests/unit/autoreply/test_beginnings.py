"""Beginnings: what is open is written down before offsets are committed, and only that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from mailroom_autoreply.beginnings import Beginnings
from mailroom_contracts import Actor, Person, TicketCreated
from mailroom_runtime.redis.valkey import Shared
from redis.exceptions import ConnectionError as RedisAway


class Notes:
    """Redis, as far as beginnings use it."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.away = False

    async def execute(self, *command: Any) -> Any:
        if self.away:
            raise RedisAway("away")
        if command[0] == "SET":
            self.kept[command[1]] = command[2]
            return "OK"
        return self.kept.get(command[1])


def created(ticket: str) -> TicketCreated:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return TicketCreated(
        id=f"e-{ticket}", ticket_id=ticket, portal_id="p1", version=1, at=now, causation_id="c", actor=Actor(kind="router"),
        number="MR-1", queue_id="q1", address_id="a1", customer=Person(email="jo@customer.example"), root="r@x",
        receipt_id="r1", received_at=now,
    )  # fmt: skip


def beginnings(notes: Notes) -> Beginnings:
    return Beginnings(cast(Shared, notes), "mailroom")


async def test_only_what_waits_for_its_first_mail_is_written_down() -> None:
    notes = Notes()
    here = beginnings(notes)
    for ticket in ("t1", "t2", "t3"):
        here.remember(created(ticket))
    here.settled("t1")
    await here.keep()
    assert set(notes.kept) == {"mailroom:autoreply:created:t2", "mailroom:autoreply:created:t3"}
    assert await here.of("t1") == created("t1")
    after_restart = beginnings(notes)
    assert await after_restart.of("t2") == created("t2")
    assert await after_restart.of("t1") is None


async def test_nothing_is_forgotten_while_redis_is_away() -> None:
    notes = Notes()
    here = beginnings(notes)
    here.remember(created("t1"))
    notes.away = True
    with pytest.raises(RedisAway):
        await here.keep()
    here.remember(created("t2"))
    notes.away = False
    await here.keep()
    assert len(notes.kept) == 2
    notes.kept.clear()
    await here.keep()
    assert notes.kept == {}  # once is enough
