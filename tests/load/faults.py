"""Faults done to a running local stack. Each is begun and ended; what it kills, supervisord starts again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import redis
from readiness import broker_answers
from support.stacks import Stack
from support.waiting import wait_until

from .leader_away import LeaderAway
from .refused_record import RefusedRecord

SERVICES = ("ingest_smtp", "router", "autoreply", "outbound", "console")


@dataclass(frozen=True)
class Fault:
    """What happens, to whom, when (seconds after the start), and for how long."""

    kind: str
    target: str
    at_s: float
    hold_s: float


Kind = tuple[str, str, tuple[float, float]]
BROKERS = ("kafka", "kafka_2", "kafka_3")
IN_TURN = {"kill -9 in turn": 2.0, "kill -9 in turn, once back": None}
"""How long after a broker was killed the next one is: seconds, or once it answers again."""
AWAY: dict[str, str] = {"leader killed": "killed", "leader paused": "paused"}
AWAY_S = (15.0, 60.0)
"""What the leader of half of the partitions is away by, and for how long (seconds)."""
AROUND_S = dict.fromkeys(AWAY, 15.0)
"""What is done before and after a fault and belongs to neither it nor the next: a broker joins, partitions move."""
REFUSES: Kind = ("refuses a record", "database", (3, 8))
OF_BROKERS: list[Kind] = [
    *((kind, "brokers", (0, 0)) for kind in IN_TURN),
    *(("paused", name, (3, 10)) for name in BROKERS),
    ("stopped", "kafka_2", (3, 10)),
]


ALWAYS = ("partitions", "database")
"""What something is done to in every plan, however short."""
SHORT_S = 120.0  # a plan that is shorter begins with them


def schedule(seed: int, duration_s: float, brokers: int = 1) -> list[Fault]:
    """A seeded plan: every kind of fault as often as the time allows, never two at once; half of the partitions without
    a leader and a record that the database refuses are in each.

    With three brokers it is they who are killed, paused and stopped.
    """
    dice = random.Random(seed)
    faults: list[Fault] = []
    at = 4.0
    waiting: list[Kind] = []
    while at < duration_s - 4:
        if not waiting:
            waiting = list(OF_BROKERS) if brokers > 1 else _of_all(sorted(AWAY)[(seed + len(faults)) % 2])
            dice.shuffle(waiting)
            if brokers == 1 and not faults:
                _put_first(waiting, 2 if duration_s < SHORT_S else 5, dice)
        kind, target, (shortest, longest) = waiting.pop()
        if duration_s < SHORT_S:  # one fault is not all of a short plan
            longest = shortest if target == "partitions" else min(longest, max(shortest, duration_s / 6))
        hold = round(min(dice.uniform(shortest, longest), max(duration_s - at - 2, 0)), 1)
        faults.append(Fault(kind, target, round(at, 1), hold))
        at += hold + AROUND_S.get(kind, 0) + dice.uniform(3, 7)
    return faults


def _put_first(waiting: list[Kind], among: int, dice: random.Random) -> None:
    """Those that are in every plan come among the first; what is next is taken from the end."""
    always = [kind for kind in waiting if kind[1] in ALWAYS]
    others = [kind for kind in waiting if kind[1] not in ALWAYS]
    first = [*others[: among - len(always)], *always]
    dice.shuffle(first)
    waiting[:] = [*others[among - len(always) :], *first]


def _of_all(away: str) -> list[Kind]:
    return [
        (away, "partitions", AWAY_S),
        REFUSES,
        *(("kill -9", name, (0.0, 0.0)) for name in SERVICES),
        ("kill -9", "kafka", (0, 0)),
        ("paused", "kafka", (2, 8)),
        ("stopped", "kafka", (3, 10)),
        ("kill -9", "valkey", (0, 0)),
        ("paused", "valkey", (2, 6)),
        ("stopped", "valkey", (3, 10)),
        ("emptied", "valkey", (0, 0)),
        ("full", "valkey", (3, 10)),
        ("full", "blob store", (3, 8)),
        ("refuses", "relay", (3, 8)),
        ("hangs", "relay", (3, 8)),
        ("slow after the dot", "relay", (12, 20)),
        ("paused", "router", (2, 6)),
        ("paused", "outbound", (2, 6)),
    ]


class Hands:
    """Does faults to one stack. `begin` returns what ends the fault."""

    def __init__(self, stack: Stack, api: httpx.Client) -> None:
        self._stack = stack
        self._ports: dict[str, int] = json.loads((stack.data / "run" / "ports.json").read_text())
        self._leader = LeaderAway(stack.data, self._ports["kafka"], self._ports["kafka_controller"])
        self.database = RefusedRecord(stack.data / "console.db", self._ports["smtp"], api)

    def undo(self) -> None:
        """What a fault needed, and what is no part of it, is taken back: called when all is ready again."""
        self._leader.undo()

    def close(self) -> None:
        """Leave nothing running."""
        self._leader.close()

    def begin(self, fault: Fault) -> Callable[[], None]:
        """Start a fault; call the result to end it. A process that is just restarting is left alone."""
        match fault.kind, fault.target:
            case how, "brokers":
                self._in_turn(IN_TURN[how])
                return _nothing
            case "kill -9", name:
                self._signal(name, signal.SIGKILL)
                return _nothing
            case "paused", name:
                self._signal(name, signal.SIGSTOP)
                return lambda: self._signal(name, signal.SIGCONT)
            case "stopped", name:
                self._supervisor("stop", name)
                return lambda: self._supervisor("start", name)
            case "emptied", _:
                with redis.Redis(port=self._ports["redis"], socket_timeout=5) as client:
                    client.flushall()
                return _nothing
            case how, "partitions":
                return self._leader.begin(AWAY[how])
            case "refuses a record", _:
                return self.database.begin()
            case "full", "valkey":
                self._valkey_room("1")
                return lambda: self._valkey_room("0")
            case "full", _:
                return self._fill_blobs()
            case "refuses" | "hangs" | "slow after the dot" as how, _:
                self._relay("defer" if how == "refuses" else "hang")  # it hangs after the whole mail was given
                return lambda: self._relay("accept")
        raise AssertionError(fault)

    def _in_turn(self, apart_s: float | None) -> None:
        """Kill each broker; what nobody waits for is that topics have all their copies again, or services their ways."""
        for place, name in enumerate(BROKERS):
            if place and apart_s is None:
                last = self._ports[BROKERS[place - 1]]
                wait_until(lambda port=last: broker_answers(port), 60, every=0.1, what=f"the broker at {last}")  # type: ignore[misc]
            elif place:
                time.sleep(apart_s or 0)  # the plan, and nothing that is waited for
            self._signal(name, signal.SIGKILL)

    def _valkey_room(self, most: str) -> None:
        """With one byte at most it answers every command that writes with OOM, since it evicts nothing."""
        with redis.Redis(port=self._ports["redis"], socket_timeout=5) as client:
            client.config_set("maxmemory", most)

    def _signal(self, name: str, number: signal.Signals) -> None:
        for process in self._processes(name):
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def _processes(self, name: str) -> list[psutil.Process]:
        folder = str(self._stack.data / name)  # a broker is known by where it keeps its records
        marks = {
            **dict.fromkeys(BROKERS, lambda c: "kafka.Kafka" in c and c[-1].startswith(f"{folder}/")),
            "valkey": lambda c: bool(c) and "valkey-server" in os.path.basename(c[0]),
        }
        mine = marks.get(name, lambda c: c[1:3] == ["-m", f"mailroom_{name}"])
        found = []
        for process in self._stack.processes():
            try:
                if mine(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def _supervisor(self, order: str, name: str) -> None:
        from layout import Layout
        from supervision import Supervision

        supervisor = Supervision(Layout.read(self._stack.env))._rpc().supervisor
        if order == "stop":
            supervisor.stopProcess(name, True)
        else:
            supervisor.startProcess(name, False)

    def _fill_blobs(self) -> Callable[[], None]:
        """A disk without room: a small file system of its own filled up where root may mount one, else a folder that
        cannot be written because a file stands in its place."""
        blobs = self._stack.data / "blobs"
        if self._mounted(blobs):
            filler = blobs / "filler"
            with filler.open("wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass
            return lambda: filler.unlink(missing_ok=True)
        away = blobs.with_name("blobs.away")
        blobs.rename(away)
        blobs.write_bytes(b"")

        def back() -> None:
            blobs.unlink()
            away.rename(blobs)

        return back

    @staticmethod
    def _mounted(blobs: Path) -> bool:
        return os.path.ismount(blobs)

    def _relay(self, mode: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._ports['mailbox']}/behaviour", json.dumps({"mode": mode}).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


def small_disk(folder: Path, megabytes: int = 96) -> bool:
    """A file system of that size at `folder`, where this is allowed; whether it is there now."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "mailroom-chaos", str(folder)],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def no_disk(folder: Path) -> None:
    """Take it away again."""
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def _nothing() -> None:
    return
