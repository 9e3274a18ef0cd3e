"""Mail in and replies out over many accounts, every fault drawn from a seed, workers killed in between.

Asked for (issue 7): every mail exactly one message on exactly one ticket, every reply sent exactly once.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import Actor, MessageAdded, Reply, TicketCreated, ids, topics
from mailroom_contracts.events import TicketEvent
from support.gmail_desk import GmailDesk, gmail_desk
from support.gmail_emulator import Emulator, mail
from support.gmail_proxy import KINDS, Faults, Proxy
from support.processes import ServiceProcess
from support.servers import ValkeyServer
from support.waiting import eventually

START = Callable[..., ServiceProcess]
SEED = int(os.environ.get("GMAIL_FAULTS_SEED") or 7)


@pytest.fixture
def accounts(request: pytest.FixtureRequest) -> list[str]:
    return [f"shop{n}@gmail.example" for n in range(request.param)]


@pytest.fixture
def crowd(tmp_path: Path, accounts: list[str]) -> Iterator[Proxy]:
    emulator = Emulator(tmp_path / "google", accounts).start()
    with Proxy(emulator) as proxy:
        yield proxy
    emulator.stop()


@pytest.fixture
async def town(
    kafka: str, topic_prefix: str, tmp_path: Path, valkey: ValkeyServer, crowd: Proxy
) -> AsyncIterator[GmailDesk]:
    async with gmail_desk(kafka, valkey.url, topic_prefix, tmp_path / "data", crowd) as desk:
        yield desk


@pytest.mark.timeout(900)
@pytest.mark.parametrize("accounts", [6, pytest.param(20, marks=pytest.mark.slow)], indirect=True)
async def test_mails_over_many_accounts(town: GmailDesk, start_service: START, accounts: list[str]) -> None:
    await _storm(town, start_service, accounts, mails=25 * len(accounts), kills=2 + len(accounts) // 3)


async def _storm(desk: GmailDesk, start_service: START, accounts: list[str], mails: int, *, kills: int) -> None:
    drawn = random.Random(SEED)
    google = desk.google
    for number, email in enumerate(accounts):
        await desk.connect(f"ad{number}", email)
    env = desk.env | {"MAILROOM_LANE_LEASE_S": "6", "MAILROOM_SEND_TIMEOUT_S": "5", "MAILROOM_GOOGLE_TIMEOUT_S": "3",
                      "MAILROOM_LOG_LEVEL": "warning"}  # fmt: skip
    start_service("router", env, timeout=60)
    start_service("router", env, module="mailroom_router.audit", timeout=60)
    workers = [start_service(name, env) for name in ("ingest_gmail", "ingest_gmail", "outbound", "outbound")]
    google.faults = Faults(0.12, seed=SEED, longest_s=4.0)

    replied: set[str] = set()
    expected: dict[str, str] = {}  # subject -> account
    for number in range(mails):
        email = accounts[number % len(accounts)]
        expected[f"Question {number}"] = email
        sender = f"jo{number}@customer.example"
        await asyncio.to_thread(google.emulator.deliver, email, mail(number, sender, email))
        if number % (mails // (kills + 1)) == mails // (kills + 1) - 1 and number < mails - 1:
            victim = drawn.choice(workers)
            victim.kill()
            await _answer(desk, replied)
            victim.launch()

    async def all_in() -> bool:
        await _answer(desk, replied)
        assert len(replied) == mails, f"{len(replied)} of {mails} mails have a ticket"
        return True

    await eventually(all_in, 240, every=1)
    google.emulator.http.timeout = 60

    async def all_out() -> bool:
        counts = await asyncio.to_thread(_sent, google.emulator, accounts)
        missing = Counter(account for subject, account in expected.items() if subject not in counts)
        assert len(counts) == mails, f"{len(counts)} of {mails} replies were sent; missing: {dict(missing)}"
        return True

    await eventually(all_out, 480, every=2)
    await eventually(lambda: _settled(desk, mails), 120, every=1)
    for worker in workers:
        assert worker.running, worker.tail()

    created, added = await _events(desk)
    messages = Counter(m.message.subject for m in added if m.message.direction == "in")
    tickets = Counter(t.subject for t in created)
    assert messages == Counter(dict.fromkeys(expected, 1)), messages - Counter(dict.fromkeys(expected, 1))
    assert tickets == Counter(dict.fromkeys(expected, 1))
    own_side = [m for m in added if m.message.kind == "external_reply"]
    assert own_side == [], "what Mailroom sent is not read back as somebody's"
    sent = _sent(google.emulator, accounts)
    assert {subject: count for subject, count in sent.items() if count != 1} == {}
    assert set(google.faults.drawn) >= set(KINDS) - {"batch_part", "history_gone"}, google.faults.drawn


async def _answer(desk: GmailDesk, replied: set[str]) -> None:
    """Answer each ticket that came up since."""
    created, _ = await _events(desk)
    for ticket in created:
        if ticket.ticket_id in replied:
            continue
        replied.add(ticket.ticket_id)
        command = Reply(
            id=ids.command_id("p1", ticket.ticket_id, "answer"), ticket_id=ticket.ticket_id, portal_id="p1",
            actor=Actor(kind="agent", id="a1"), at=ticket.at, text=f"About {ticket.subject}: yes.",
        )  # fmt: skip
        await desk.office.producer.send(topics.TICKET_COMMANDS, command)


async def _events(desk: GmailDesk) -> tuple[list[TicketCreated], list[MessageAdded]]:
    """Creations and messages, each event once, as readers drop repeats."""
    seen: dict[str, Any] = {}
    for event in await desk.all(topics.TICKET_EVENTS):
        assert isinstance(event, TicketEvent)
        seen.setdefault(event.id, event)
    events = list(seen.values())
    return [e for e in events if isinstance(e, TicketCreated)], [e for e in events if isinstance(e, MessageAdded)]


def _sent(emulator: Emulator, accounts: list[str]) -> Counter[str]:
    """Replies in the Sent folders, by the subject that they answer."""
    counts: Counter[str] = Counter()
    for email in accounts:
        for message in emulator.messages(email, "SENT"):
            parsed = message_from_bytes(message["source"], policy=policy.default)
            subject = str(parsed["Subject"]).removeprefix("Re: ").partition(" [")[0]
            assert parsed["In-Reply-To"], subject
            counts[subject] += 1
    return counts


async def _settled(desk: GmailDesk, mails: int) -> bool:
    """Nothing waits in a lane, and every order was reported sent."""
    await desk.office.nothing_waits()
    sent = {r.outbound_id for r in await desk.office.reports() if r.state == "sent"}
    assert len(sent) == mails, f"{len(sent)} of {mails}"
    return True
