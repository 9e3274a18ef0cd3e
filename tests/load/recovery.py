"""How long the router takes to come back with so many tickets, step by step, and what they take in memory and on disk.

One size has a folder of its own (Kafka, Valkey, the router's tables) that stays until its last step is done, so that a
measurement of many minutes can be made in pieces: each step's figures are kept as soon as it is over.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from bench.ticket_watch import TicketWatch
from mailroom_contracts import EmailReceived, topics
from mailroom_router.redis_index import NAMES
from support.processes import REPOSITORY, ServiceProcess, free_port
from support.router_world import World, mail
from support.servers import KafkaServer, ValkeyServer
from support.waiting import wait_until

from .population import state

PREFIX, PARTITIONS = "scale", 8
CHUNK = 50_000  # tickets that are filled in at a time
PROBES = 40  # mails put in at the moment of a fault
SAID_EVERY_S = 15.0
STEPS = ("lost", "whole", "checkpoint", "index", "takeover")
Say = Callable[[str], None]


class Place:
    """Kafka, Valkey and a router's tables for one number of tickets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / "place.json"
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(json.dumps({"kafka": free_port(), "valkey": free_port()}))
        ports = json.loads(file.read_text())
        self.kafka = KafkaServer(folder / "kafka", port=ports["kafka"], heap_mb=512)
        self.valkey = ValkeyServer(folder / "valkey", port=ports["valkey"])
        self.data = folder / "data"
        self.world = World(self.kafka.bootstrap, self.valkey.url, PREFIX, self.data, PARTITIONS)
        self._filled = folder / "filled"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Both servers."""
        self.kafka.start(120)
        self.valkey.start(120)
        try:
            yield
        finally:
            self.valkey.stop()
            self.kafka.stop(60)

    def trust_index(self) -> None:
        """Valkey was started again on its data: its index is whole, though another instance is a reason to rebuild."""
        with self.valkey.client() as client:
            client.set(f"{PREFIX}:{NAMES}:ready", client.info("server")["run_id"])

    @property
    def filled(self) -> int:
        return int(self._filled.read_text()) if self._filled.exists() else 0

    def filled_to(self, number: int) -> None:
        self._filled.write_text(str(number))

    def router(self, name: str) -> ServiceProcess:
        env = self.world.env(MAILROOM_ROUTER_SESSION_TIMEOUT_S="10", PYTHONPATH="")
        return ServiceProcess("router", env, self.folder / "logs" / f"{name}-{time.time_ns()}.log")

    def topic_bytes(self) -> int:
        return _bytes(self.folder / "kafka" / "log", f"{topics.TICKETS.full_name(PREFIX)}-*")

    def table_bytes(self) -> int:
        return _bytes(self.data / "router", "*/0/tickets-*")


def _bytes(root: Path, pattern: str) -> int:
    return sum(f.stat().st_blocks * 512 for folder in root.glob(pattern) for f in folder.rglob("*") if f.is_file())


def _cpu(pid: int) -> float:
    """Seconds of processor time, those of its own processes that have ended included."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def told(process: ServiceProcess, event: str) -> list[dict[str, Any]]:
    """What a router has logged under this name."""
    mark = f'"event":"{event}"'
    return [json.loads(line) for line in process.output().splitlines() if mark in line and line.startswith("{")]


def opened(process: ServiceProcess) -> set[int]:
    return {line["partition"] for line in told(process, "partition.opened")}


def until_open(process: ServiceProcess, count: int = PARTITIONS, timeout: float = 900) -> list[dict[str, Any]]:
    """Wait until a router has opened so many partitions and says that it is ready; what it told of them."""

    def done() -> bool:
        if not process.running:
            raise RuntimeError(f"the router ended:\n{process.tail()}")
        return len(opened(process)) >= count and process.ready

    wait_until(done, timeout, every=0.1, what="the router's partitions")
    return told(process, "partition.opened")


def probes(answers: int = 0) -> list[EmailReceived]:
    """Mails of people who wrote never before; so many of them answer tickets of the population instead."""
    run = time.time_ns()
    found = [mail(f"{run}-{n}", sender=f"p{n}.{run}@customer.example") for n in range(PROBES - answers)]
    for number in range(answers):
        old = state(number * 20 + 19)  # an open ticket: `population.STATUSES`
        found.append(mail(f"{run}-a{number}", sender=old.customer.email, in_reply_to=[old.root]))
    return found


class Recovery:
    """The steps for one size. `figures` is filled as they go; `finished` tells whether there is more to do."""

    def __init__(self, folder: Path, tickets: int, figures: dict[str, Any], say: Say) -> None:
        self.place = Place(folder)
        self.tickets, self.figures, self._say = tickets, figures, say

    def left(self) -> list[str]:
        """The steps that have no figures yet."""
        return [step for step in STEPS if step not in self.figures]

    def run(self, keep: Callable[[], None], seconds: float) -> None:
        """All that is left; begins no step later than `seconds` from now. `keep` saves the figures."""
        end = time.monotonic() + seconds
        with self.place.running():
            if self.place.filled == 0:
                asyncio.run(self._begin())
            if "lost" in self.figures:
                self.place.trust_index()
            while self.place.filled < self.tickets and time.monotonic() < end:
                self._fill()
            if self.place.filled < self.tickets:
                return
            for step in self.left():
                if time.monotonic() > end:
                    return
                self._say(f"{self.tickets:,} tickets: {step}")
                self.figures[step] = getattr(self, f"_{step}")()
                # last, since the broker's cleaner is busy with what was just filled in
                self.figures.update(tickets=self.tickets, kafka_mb=round(self.place.topic_bytes() / 1e6, 1))
                keep()

    def remove(self) -> None:
        """Forget the folder."""
        shutil.rmtree(self.place.folder, ignore_errors=True)

    async def _begin(self) -> None:
        await self.place.world.begin()
        await self.place.world.end()

    def _fill(self) -> None:
        first = self.place.filled
        last = min(first + CHUNK, self.tickets)
        middle = (first + last) // 2
        command = [sys.executable, "-m", "load.population", self.place.kafka.bootstrap, PREFIX, str(PARTITIONS)]
        parts = [subprocess.Popen([*command, str(a), str(b)], stdout=subprocess.PIPE, cwd=REPOSITORY / "tests")
                 for a, b in ((first, middle), (middle, last))]  # fmt: skip
        written = sum(int(part.communicate()[0]) for part in parts)
        if any(part.returncode for part in parts):
            raise RuntimeError("the tickets could not be written")
        self.place.filled_to(last)
        self.figures["state_bytes"] = round(written / (last - first))
        self._say(f"{last:,} of {self.tickets:,} tickets written")

    # the steps
    def _empty_tables(self) -> None:
        shutil.rmtree(self.place.data / "router", ignore_errors=True)

    def _start(self, name: str) -> tuple[ServiceProcess, dict[str, Any]]:
        """A router from its start until it is ready, with its memory and processor time."""
        process = self.place.router(name)
        began = time.monotonic()
        process.launch()
        told_of = until_open(process)
        taken = time.monotonic() - began
        return process, {
            "ready_s": round(taken, 1),
            "states_read": sum(line["restored"] for line in told_of),
            "cpu_s": round(_cpu(process.pid), 1),
            "rss_mb": round(psutil.Process(process.pid).memory_info().rss / 1e6, 1),
        }

    def _lost(self) -> dict[str, Any]:
        """Disk and Valkey empty: the worst start."""
        self._empty_tables()
        self.place.valkey.flush()
        process, figures = self._start("lost")
        try:
            self._until_rebuilt(process)
            figures["index_s"] = told(process, "index.rebuilt")[-1]["seconds"]
            with self.place.valkey.client() as client:
                figures["valkey_mb"] = round(client.info("memory")["used_memory"] / 1e6, 1)
            figures["rss_after_mb"] = round(psutil.Process(process.pid).memory_info().rss / 1e6, 1)
        finally:
            process.terminate(40)
        figures["tables_mb"] = round(self.place.table_bytes() / 1e6, 1)
        return figures

    def _whole(self) -> dict[str, Any]:
        """A new machine: no tables, Valkey there."""
        self._empty_tables()
        process, figures = self._start("whole")
        process.terminate(40)
        return figures

    def _checkpoint(self) -> dict[str, Any]:
        """Started again on its own tables: after an orderly stop, and after kill -9, when the group waits for the dead."""
        process, figures = self._start("checkpoint")
        process.kill()
        process, again = self._start("killed")
        process.terminate(40)
        return {**figures, "killed_s": again["ready_s"]}

    def _index(self) -> dict[str, Any]:
        """Valkey emptied under a running router, and new mail put in at that moment."""
        process, _ = self._start("index")
        try:
            before, before_valkey = _cpu(process.pid), _cpu(self.place.valkey.pid)
            began = time.monotonic()
            self.place.valkey.flush()
            mail_s = asyncio.run(self._decided(probes()))
            self._say(f"mail put in then was decided on after {mail_s} s")
            self._until_rebuilt(process)
            taken = time.monotonic() - began
            return {
                "index_s": round(taken, 1),
                "mail_s": mail_s,
                "cpu_s": round(_cpu(process.pid) - before, 1),
                "valkey_cpu_s": round(_cpu(self.place.valkey.pid) - before_valkey, 1),
                "rss_mb": round(psutil.Process(process.pid).memory_info().rss / 1e6, 1),
            }
        finally:
            process.terminate(40)

    def _until_rebuilt(self, process: ServiceProcess) -> None:
        """Wait for the index, and say how far it is."""
        said = time.monotonic()

        def done() -> bool:
            nonlocal said
            if time.monotonic() - said > SAID_EVERY_S:
                said = time.monotonic()
                read = {str(line["partitions"]): line["states"] for line in told(process, "index.filling")}
                self._say(f"the index is being filled: {sum(read.values()):,} states read")
            return bool(told(process, "index.rebuilt"))

        wait_until(done, 1_200, every=0.1, what="the index")

    def _takeover(self) -> dict[str, Any]:
        """A second worker joins and is killed: once the first has its partitions' tables, once it has not."""
        first, _ = self._start("first")
        second: ServiceProcess | None = None
        figures: dict[str, Any] = {}
        try:
            for name in ("warm", "cold"):
                second = self.place.router(f"second-{name}")
                began = time.monotonic()
                theirs = self._joined(second)
                figures.setdefault("join_s", round(time.monotonic() - began, 1))
                self._say(f"a second router has {len(theirs)} partitions; it is killed, tables {name}")
                for number in theirs if name == "cold" else ():
                    for folder in (self.place.data / "router").glob(f"*/0/tickets-{number}"):
                        shutil.rmtree(folder)
                figures[f"{name}_s"] = asyncio.run(self._killed(second))
        finally:
            first.terminate(40)
            if second is not None and second.running:
                second.kill()
        return {**figures, "partitions": len(theirs)}

    @staticmethod
    def _joined(process: ServiceProcess) -> set[int]:
        """Start a further worker; its partitions, once all of them are open."""
        process.launch()

        def held() -> set[int]:
            given = told(process, "partitions.assigned")
            mine = set(given[-1]["partitions"]) if given else set()
            return mine if mine <= opened(process) else set()

        return wait_until(held, 900, every=0.1, what="the second worker's partitions")

    async def _killed(self, second: ServiceProcess) -> float:
        """Seconds from a worker's kill -9 until mail that was put in at that moment is in its tickets, all of it."""
        return await self._decided(probes(answers=PROBES // 2), second.kill)

    async def _decided(self, mails: list[EmailReceived], begin: Callable[[], None] = lambda: None) -> float:
        """Seconds until mails are in their tickets, from a moment right before they are put in."""
        world = World(self.place.kafka.bootstrap, self.place.valkey.url, PREFIX, self.place.data, PARTITIONS)
        await world.producer.start()
        try:
            async with TicketWatch(self.place.kafka.bootstrap, prefix=PREFIX) as watch:
                begin()
                began = time.time()
                await world.put(*mails)
                await watch.until(len(mails), timeout_s=600)
                return round(watch.last_at - began, 1)
        finally:
            await world.end()
