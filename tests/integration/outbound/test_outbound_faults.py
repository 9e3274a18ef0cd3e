"""Bad accounts harm nobody; killed, frozen and without Redis or Kafka, outbound loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import topics
from support.outgoing import Installation, installation, order_of
from support.processes import ServiceProcess
from support.servers import ValkeyServer
from support.sinks import Sink
from support.waiting import eventually

START = Callable[..., ServiceProcess]


@pytest.fixture
async def office(kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(kafka, valkey.url, topic_prefix, str(tmp_path / "data"), 4) as office:
        office.env["MAILROOM_ALLOW_PRIVATE_HOSTS"] = "true"
        yield office


def account(port: int, **changes: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "tls": "none", **changes}


async def all_sent(office: Installation, ids: set[str], timeout: float = 60) -> None:
    async def sent() -> bool:
        return ids <= {r.outbound_id for r in await office.reports() if r.state == "sent"}

    await eventually(sent, timeout, every=0.3, what=f"{len(ids)} mails sent")


async def _latencies(office: Installation, name: str, good: list[str], bad: list[str]) -> list[float]:
    """Seconds from order to report for the good accounts' mails, at 40 orders a second over all accounts."""
    ids: dict[str, datetime] = {}
    keys = good + bad
    for number in range(len(keys) * 5):
        order = order_of(f"{name}{number}", keys[number % len(keys)], "jo@c.example")
        if order.address_id in good:
            ids[order.id] = order.created_at
        await office.producer.post(topics.EMAIL_OUTBOUND, order)
        await asyncio.sleep(0.025)
    await all_sent(office, set(ids), 90)
    reports = {r.outbound_id: r.at for r in await office.reports() if r.state == "sent"}
    return sorted((reports[key] - at).total_seconds() for key, at in ids.items())


async def test_five_bad_accounts_of_fifty_delay_nobody(office: Installation, start_service: START) -> None:
    """p99 of the good accounts at most 1.5 times that of the same run without the bad ones."""
    with Sink() as sink, Sink(hangs=True) as hanging:
        good = [f"good{n}" for n in range(45)]
        bad = [f"bad{n}" for n in range(5)]
        for key in good:
            await office.address(key, kind="smtp", smtp=account(sink.port))
        for number, key in enumerate(bad):  # three hang, two refuse the connection
            await office.address(key, kind="smtp", smtp=account(hanging.port if number < 3 else 1))
        start_service("outbound", {**office.env, "MAILROOM_SEND_TIMEOUT_S": "20", "MAILROOM_LANE_LEASE_S": "25"})
        await _latencies(office, "warm", good, [])
        # other work on this machine disturbs single runs: the best of three each
        calm, mixed = [], []
        for turn in range(3):
            calm.append(_p99(await _latencies(office, f"calm{turn}-", good, [])))
            mixed.append(_p99(await _latencies(office, f"mixed{turn}-", good, bad)))
            if min(mixed) <= 1.5 * min(calm):
                break
        print(f"p99 of good accounts: {min(calm):.3f} s without, {min(mixed):.3f} s with five bad ones")
        assert min(mixed) <= 1.5 * min(calm), (calm, mixed)
        assert hanging.connections >= 3
        deferred = {r.address_id for r in await office.reports() if r.state == "deferred"}
        assert deferred
        assert deferred <= set(bad)


def _p99(values: list[float]) -> float:
    return values[int(len(values) * 0.99)]


async def test_killed_again_and_again(office: Installation, start_service: START) -> None:
    """kill -9 at random moments under load: each mail arrives; twice only where the log says that it was uncertain."""
    chance = random.Random(7)
    with Sink(delay_s=0.05) as sink:
        for key in ("a", "b", "c"):
            await office.address(key, kind="smtp", smtp=account(sink.port))
        service = start_service("outbound", office.env)
        ids: set[str] = set()
        for turn in range(3):
            for number in range(40):
                order = await office.send(f"k{turn}-{number}", chance.choice("abc"), "jo@c.example")
                ids.add(order.id)
            target = len(sink.order) + chance.randint(3, 25)
            await eventually(lambda: len(sink.order) >= target, 60, every=0.01)  # noqa: B023
            service.kill()
            service.start(60)
        await all_sent(office, ids, 90)
        await eventually(lambda: _empty(office))
        assert set(sink.taken) == {f"{key.replace('ok', 'mk', 1)}@acme.example" for key in ids}
        again = Counter(re.findall(r'"outbound_id":"o([^"]+)"[^}]*sent_again_uncertain', service.output()))
        doubled = {name.split("@")[0][1:]: times - 1 for name, times in sink.taken.items() if times > 1}
        assert all(times <= again[name] for name, times in doubled.items())  # a mail may be under way at each kill
        print(f"{len(ids)} mails, 3 kills: {again.total()} uncertain, {len(doubled)} of them doubled")
        assert "mailroom_outbound_uncertain_resends_total" in service.metrics()


@pytest.mark.slow
async def test_two_processes_one_frozen(office: Installation, start_service: START) -> None:
    """A process that is stopped in the middle of its work and goes on later sends nothing that the other has sent."""
    env = {**office.env, "MAILROOM_SEND_TIMEOUT_S": "3", "MAILROOM_LANE_LEASE_S": "4"}
    with Sink(delay_s=0.02) as sink:
        keys = [f"a{n}" for n in range(8)]
        for key in keys:
            await office.address(key, kind="smtp", smtp=account(sink.port))
        first = start_service("outbound", env)
        second = start_service("outbound", env)
        ids = set()
        for number in range(200):
            ids.add((await office.send(f"f{number}", keys[number % 8], "jo@c.example")).id)
        await eventually(lambda: len(sink.order) > 20, 60, every=0.01)
        first.pause()
        await all_sent(office, ids, 90)  # the other takes over and finishes
        taken = dict(sink.taken)
        first.resume()
        await office.send("after", "a1", "jo@c.example")
        await all_sent(office, {"oafter"}, 60)
        await eventually(lambda: first.ready and second.ready, 60)
        assert len(taken) == 200
        # what was in the frozen process's hands may be doubled, nothing else
        in_hand = sum(times - 1 for times in sink.taken.values())
        assert in_hand <= 2 * 8
        grown = [name for name, times in sink.taken.items() if name in taken and times > taken[name]]
        assert len(grown) <= 2 * 8


async def test_without_redis_nothing_is_sent_and_then_everything(
    office: Installation, start_service: START, valkey: ValkeyServer
) -> None:
    with Sink() as sink:
        await office.address("a", kind="smtp", smtp=account(sink.port))
        service = start_service("outbound", office.env)
        valkey.stop()
        ids = {(await office.send(n, "a", "jo@c.example")).id for n in range(3)}
        await eventually(lambda: "lane.waits_for_redis" in service.output(), 20)
        assert not sink.taken
        assert not service.ready
        valkey.start()
        await all_sent(office, ids)
        await eventually(lambda: service.ready)
        assert sorted(sink.order) == [f"m{n}@acme.example" for n in range(3)]


async def test_when_the_orders_fail_mail_in_hand_is_finished_and_the_process_ends(
    office: Installation, start_service: START
) -> None:
    """It once hung for ever: its lanes tried to record what had become of their mail on a producer that was closed."""
    with Sink(delay_s=1.5) as sink:
        await office.address("a", kind="smtp", smtp=account(sink.port))
        service = start_service("outbound", office.env)
        order = await office.send(1, "a", "jo@c.example")
        await eventually(lambda: sink.connections > 0, 30, every=0.02, what="the mail in hand")
        name = topics.EMAIL_OUTBOUND.full_name(office.settings.topic_prefix)
        for _ in range(25):  # more than there may be in a row
            await office.producer.post_raw(name, key=b"x", value=b"{broken", headers=[])
        assert await asyncio.to_thread(service.wait, 40) == 1
        assert '"orders.failed"' in service.output()
        assert await office.states(order.id) == ["sent"]
        await office.nothing_waits()
        assert list(sink.taken.values()) == [1]


async def test_too_late_over_a_restart(office: Installation, start_service: START) -> None:
    """What waits for a server that does not answer is given up at its time, also by another process."""
    await office.address("a", kind="smtp", smtp=account(1))
    service = start_service("outbound", office.env)
    order = order_of(1, "a", "jo@c.example", not_after=datetime.now(UTC) + timedelta(seconds=6))
    await office.producer.send(topics.EMAIL_OUTBOUND, order)

    async def seen(state: str) -> bool:
        return state in await office.states("o1")

    await eventually(lambda: seen("deferred"), 20)
    service.kill()
    service.start(60)
    await eventually(lambda: seen("failed"), 60)
    await office.nothing_waits()


async def test_a_limit_of_messages_per_minute(office: Installation, start_service: START) -> None:
    with Sink() as sink:
        await office.address("a", kind="smtp", smtp=account(sink.port, messages_per_minute=4))
        await office.address("b", kind="smtp", smtp=account(sink.port))
        start_service("outbound", office.env)
        for number in range(12):
            await office.send(f"a{number}", "a", "jo@c.example")
        ids = {(await office.send(f"b{n}", "b", "jo@c.example")).id for n in range(12)}
        await all_sent(office, ids)
        await eventually(lambda: sum(name.startswith("ma") for name in sink.order) >= 4, 20)
        assert sum(name.startswith("ma") for name in sink.order) == 4


async def _empty(office: Installation) -> bool:
    return not await office.lanes()


def test_logs_are_json(tmp_path: Path) -> None:
    """The patterns above read structured logs: this is their form."""
    line = json.dumps(
        {"outbound_id": "ok0-1", "attempt": 2, "event": "mail.sent_again_uncertain"}, separators=(",", ":")
    )
    assert re.findall(r'"outbound_id":"o([^"]+)"[^}]*sent_again_uncertain', line) == ["k0-1"]
