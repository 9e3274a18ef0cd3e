"""The curve: 1, 2 and 4 intake processes, 1, 2 and 4 router workers, and all services with so many of both.

Each step alone has the machine to itself (with Kafka, Valkey and the sender), so that its own curve shows; together
they share it, as on one machine they would. Every figure comes with the processor time of each process for a mail,
since on few cores that says more than rates.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from bench.pipeline import WARM, deliver, one_round, used, with_stack, write_mails
from bench.router import TEXT
from bench.signed_mails import Signer, fill_zone, signed_mails
from bench.ticket_watch import TicketWatch
from mailroom_contracts import topics
from support.dns_server import DnsServer
from support.processes import Process, ServiceProcess, free_port
from support.router_world import World, mail
from support.servers import KafkaServer, ValkeyServer
from support.stacks import Stack

PARTITIONS = 8
CONNECTIONS = 64  # the kernel deals them out among the intake processes
STEADY = 25.0  # mails a second at which latency is measured: a quarter of what the machine takes
CALM_S = 8.0  # after a burst, until nobody waits for company any more
Say = Callable[[str], None]


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    ordered = sorted(milliseconds)
    return {"p50_ms": round(statistics.median(ordered), 1), "p99_ms": round(ordered[int(len(ordered) * 0.99)], 1)}


@asynccontextmanager
async def running(processes: Sequence[ServiceProcess]) -> AsyncIterator[None]:
    """Started one after the other and killed at the end."""
    try:
        for process in processes:
            await asyncio.to_thread(process.start)
        yield
    finally:
        for process in processes:
            process.kill()


class Cpu:
    """Processor milliseconds for a mail, by kind of process, since it was made."""

    def __init__(self, **kinds: Sequence[Process]) -> None:
        self._kinds = {name: [psutil.Process(p.pid) for p in several] for name, several in kinds.items()}
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {name: sum(sum(p.cpu_times()[:2]) for p in several) for name, several in self._kinds.items()}

    def per_mail(self, count: int) -> dict[str, float]:
        now = self._now()
        return {name: round((now[name] - self._before[name]) * 1000 / count, 2) for name in now}


class Bench:
    """Kafka and Valkey as the local stack runs them, and the configuration of a company."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaServer(folder / "kafka", heap_mb=512)
        self.valkey = ValkeyServer(folder / "valkey")

    async def __aenter__(self) -> Bench:
        await asyncio.to_thread(self.kafka.start, 120)
        await asyncio.to_thread(self.valkey.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.valkey.kill()
        self.kafka.kill()

    async def world(self) -> World:
        prefix = f"s{secrets.token_hex(4)}"
        made = World(self.kafka.bootstrap, self.valkey.url, prefix, self.folder / prefix, PARTITIONS)
        return await made.begin()


async def intake(numbers: Sequence[int], mails: int, say: Say) -> dict[str, Any]:
    """Mails accepted by so many ingest_smtp processes on one port, DKIM, SPF and DMARC looked up."""
    signer, found = Signer(), {}
    with tempfile.TemporaryDirectory(prefix="mailroom-scale-") as name:
        async with DnsServer() as dns, Bench(Path(name)) as bench:
            fill_zone(dns.zone, signer)
            file = Path(name) / "mails.jsonl"
            for number in numbers:
                world = await bench.world()
                port = free_port()
                env = world.env(MAILROOM_BLOBS=str(world.settings.data / "blobs"), MAILROOM_SMTP_PORT=str(port),
                                MAILROOM_LMTP_PORT="0", MAILROOM_DNS_SERVER=dns.address)  # fmt: skip
                processes = [
                    ServiceProcess("ingest_smtp", env, Path(name) / f"intake-{number}-{n}.log") for n in range(number)
                ]
                async with running(processes):
                    write_mails(file, list(signed_mails(f"w{number}", WARM, signer)))
                    await deliver(port, file, connections=CONNECTIONS)
                    write_mails(file, list(signed_mails(f"m{number}", mails, signer)))
                    cpu = Cpu(ingest_smtp=processes, kafka=[bench.kafka])
                    answer = await deliver(port, file, connections=CONNECTIONS)
                    figures = {"per_s": round(mails / answer["seconds"], 1), "cpu_ms": cpu.per_mail(mails)}
                    write_mails(file, list(signed_mails(f"l{number}", int(STEADY * 10), signer)))
                    answer = await deliver(port, file, STEADY, CONNECTIONS)
                    late = [(at - answer["began_at"] - n / STEADY) * 1000 for n, at in enumerate(answer["answered"])]
                    found[str(number)] = figures | percentiles(late)
                await world.end()
                say(f"intake with {number}: {found[str(number)]}")
    return found


async def router(numbers: Sequence[int], mails: int, say: Say) -> dict[str, Any]:
    """Received mails made into ticket events by so many router workers."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="mailroom-scale-") as name:
        async with Bench(Path(name)) as bench:
            for number in numbers:
                world = await bench.world()
                processes = [
                    ServiceProcess("router", world.env(), Path(name) / f"router-{number}-{n}.log")
                    for n in range(number)
                ]
                async with running(processes):
                    await _routed(world, "w", WARM)
                    cpu = Cpu(router=processes, kafka=[bench.kafka], valkey=[bench.valkey])
                    waited = sorted(await _routed(world, "m", mails))
                    # the middle of it: neither the first batches nor the last partition to be done
                    begun, ended = waited[mails // 10], waited[-mails // 10]
                    figures = {"per_s": round(mails * 800 / (ended - begun), 1), "cpu_ms": cpu.per_mail(mails)}
                    await asyncio.sleep(CALM_S)
                    found[str(number)] = figures | percentiles(await _routed(world, "l", int(STEADY * 10), STEADY))
                await world.end()
                say(f"router with {number}: {found[str(number)]}")
    return found


async def _routed(world: World, run: str, count: int, rate: float = 0.0) -> list[float]:
    """Put mails onto email.received, all at once or at a steady rate; milliseconds until each is a message."""
    mails = [mail(f"{run}{n}", sender=f"{run}{n}@customer.example", text=TEXT) for n in range(count)]
    put: dict[str, float] = {}
    async with TicketWatch(world.settings.kafka, prefix=world.settings.topic_prefix) as watch:
        began = time.time()

        async def put_all() -> None:
            acks = []
            for n, received in enumerate(mails):
                if rate:
                    await asyncio.sleep(max(0.0, began + n / rate - time.time()))
                put[received.id] = began + n / rate if rate else began
                acks.append(await world.producer.post(topics.EMAIL_RECEIVED, received))
            await asyncio.gather(*acks)

        putting = asyncio.create_task(put_all())
        await watch.until(count, timeout_s=120 + count / 20)
        await putting
        return [(watch.seen[key] - at) * 1000 for key, at in put.items()]


def together(number: int, mails: int, say: Say) -> dict[str, Any]:
    """The whole local stack with so many intake processes and so many routers; SMTP to ticket event."""
    found: dict[str, Any] = asyncio.run(
        with_stack(lambda stack, signer, folder: _together(stack, signer, folder, number, mails, say))
    )
    return found


async def _together(stack: Stack, signer: Signer, folder: Path, number: int, mails: int, say: Say) -> dict[str, Any]:
    more = further(stack, folder, number - 1)
    async with running(more):
        await one_round(stack, signer, folder, WARM, f"w{secrets.token_hex(3)}")
        round_ = await one_round(stack, signer, folder, mails, f"p{secrets.token_hex(3)}")
        figures = {"per_s": round(round_["rate"], 1), "accepted_per_s": round(round_["accepted_per_s"], 1),
                   "cpu_ms": round_["cpu_ms"], "cpu_ms_to_ticket": round_["cpu_ms_to_ticket"]}  # fmt: skip
        idle = used(stack)
        await asyncio.sleep(CALM_S)
        figures["idle_cores"] = round(sum(now - idle.get(name, 0.0) for name, now in used(stack).items()) / CALM_S, 3)
        run, count = f"l{secrets.token_hex(3)}", int(STEADY * 15)
        write_mails(folder / "steady.jsonl", list(signed_mails(run, count, signer)))
        async with TicketWatch(f"127.0.0.1:{stack.port(19092)}", wait_ms=500) as watch:
            sending = asyncio.create_task(deliver(stack.port(2525), folder / "steady.jsonl", STEADY, CONNECTIONS))
            await watch.until(count, timeout_s=120)
            answer = await sending
        late = [(watch.seen[receipt] - at) * 1000
                for receipt, at in zip(answer["receipts"], answer["answered"], strict=True)]  # fmt: skip
        found = figures | percentiles(late)
        say(f"all services with {number} of each: {found}")
        return found


def further(stack: Stack, folder: Path, count: int) -> list[ServiceProcess]:
    """Intake processes and routers beside the stack's own: the same settings, a health port each."""
    from layout import Layout

    env = Layout.running_or(stack.env).environment(stack.env)
    return [
        ServiceProcess(name, {**env, "MAILROOM_HEALTH_PORT": str(free_port())}, folder / f"{name}-{n}.log")
        for name in ("ingest_smtp", "router")
        for n in range(count)
    ]
