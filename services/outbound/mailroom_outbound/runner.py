"""Runs one address's lane: starts what is due while the account takes it and the lease is ours.

One lane never waits for another. It holds still as a whole when the account does not answer (for a while), refuses the
login (until it is mended), or when Redis or Kafka is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from mailroom_contracts import LaneEntry
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import end
from mailroom_runtime.redis.valkey import REDIS_DOWN

from .account import Account
from .agenda import Agenda
from .desk import Desk
from .lease import Holder
from .sending import AWAY_S, Sending
from .waiting import Waiting

log = get_logger()
IDLE_S = 2.0  # a lane that has nothing to do for so long gives its lease and its connections back
RECORDING_AT_ONCE = 300  # outcomes that are being recorded while further mails are sent
SWEEP_S = 60.0  # how often parked mail is looked at for its end


class LaneRunner:
    """One lane, for one assignment of its partition. `holder` names the two; `caught_up` reads the partition to its
    present end; `on_done` is told the id of each mail that is finished."""

    def __init__(
        self,
        address_id: str,
        desk: Desk,
        holder: Holder,
        *,
        caught_up: Callable[[], Awaitable[None]],
        on_done: Callable[[str], None],
    ) -> None:
        self.address_id = address_id
        self._desk, self._caught_up = desk, caught_up
        self._lease = desk.leases.of(address_id, holder)
        self._account = Account(address_id, desk)
        self._waiting = Waiting(desk, str(holder), on_done)
        self._wake = asyncio.Event()
        self._sending = Sending(desk, self._account, self._waiting, self._lease, self._wake.set)
        self._sends: set[asyncio.Task[None]] = set()
        self._changed = False
        self._stopping = False

    @property
    def agenda(self) -> Agenda:
        """What waits here."""
        return self._waiting.agenda

    # what the owner of the partition tells

    def add(self, entry: LaneEntry) -> None:
        """A mail that waits here: new, or changed by whoever had this lane before."""
        if self._waiting.add(entry):
            self._wake.set()

    def forget(self, outbound_id: str) -> None:
        """Another process finished it."""
        if self._waiting.forget(outbound_id):
            self._wake.set()

    def cancel(self, outbound_id: str) -> None:
        """Somebody asks not to send it."""
        if self._waiting.cancel(outbound_id):
            self._changed = True
            self._wake.set()

    def reconfigured(self) -> None:
        """The address changed: try a refused account again, and refuse what may not leave any more."""
        self._changed = True
        self._waiting.hurry(self._account.reconfigured(), datetime.now(UTC))
        self._wake.set()

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping = self._sending.stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until stopped; then finish what is under way, and give the lease back."""
        try:
            while not self._stopping:
                self._wake.clear()
                pause_s = await self._turn()
                if pause_s > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause_s):
                            await self._wake.wait()
            while self._sends:
                await asyncio.wait(self._sends)
        finally:
            await end(*self._sends)
            await self._let_go()

    async def _turn(self) -> float:
        """Start what may start. Returns how many seconds there is nothing more to do, unless woken."""
        now = datetime.now(UTC)
        if self._changed:
            self._changed = False
            await self._waiting.sweep(now)
        if self._account.standing.is_broken:
            return await self._while_broken(now)
        if (held_s := self._account.standing.held_s(now)) > 0:
            return held_s
        recording = self._sending.recording
        if len(self._sends) - recording >= self._account.places() or recording >= RECORDING_AT_ONCE:
            return 3600.0
        next_at = self.agenda.next_at(now)
        if next_at is None or next_at > now:
            return await self._while_idle(now, next_at)
        if (wait_s := self._account.wait_s()) > 0:
            return wait_s
        if self._lease.left_s() < self._desk.send_timeout_s + 0.5 and (wait_s := await self._secure_lease()) > 0:
            return wait_s
        entry = self.agenda.take(now)
        if entry is None:
            return 0.0
        self._account.started()
        task = asyncio.create_task(self._sending.send(entry), name=f"send-{entry.outbound_id}")
        self._sends.add(task)
        task.add_done_callback(lambda done: self._ended(done, entry.outbound_id))
        return 0.0

    async def _secure_lease(self) -> float:
        """0 when the lease is ours for long enough; else the seconds to wait."""
        had = self._lease.left_s() > 0
        try:
            wait_s: float = await self._lease.take()
        except REDIS_DOWN as error:
            self._desk.health.set("redis", False, f"lanes wait: {type(error).__name__}")
            log.warning("lane.waits_for_redis", address_id=self.address_id, error=type(error).__name__)
            return AWAY_S
        self._desk.health.set("redis", True)
        if wait_s > 0:
            log.info("lane.held_by_another", address_id=self.address_id)
            return wait_s
        if not had:
            # whoever had it before may have written an outcome that we have not read yet
            await self._caught_up()
        return 0.0 if not self._stopping else AWAY_S

    async def _while_idle(self, now: datetime, next_at: datetime | None) -> float:
        wait_s = (next_at - now).total_seconds() if next_at is not None else 3600.0
        if self._sends or wait_s <= IDLE_S:
            return wait_s
        if self._account.made is not None or self._lease.left_s() > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._wake.wait()
                return 0.0
            if not self._sends:
                await self._let_go()
        return wait_s

    async def _while_broken(self, now: datetime) -> float:
        """The account waits to be mended: everything is parked; from time to time it is tried by itself."""
        standing = self._account.standing
        await self._waiting.park_all(standing.reason, now, lambda: not self._stopping)
        if (left_s := standing.retry_s(now)) <= 0:
            standing.try_again()
            return 0.0
        await self._waiting.sweep(now)
        return min(left_s, SWEEP_S)

    def _ended(self, task: asyncio.Task[None], outbound_id: str) -> None:
        self._sends.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._sending.fault(outbound_id, error)

    async def _let_go(self) -> None:
        self._account.retire()
        with contextlib.suppress(*REDIS_DOWN):
            await self._lease.give_back()
