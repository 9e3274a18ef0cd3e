"""Runs one address's lane: takes what is due, records the attempt, hands it to the courier, records the outcome.

One lane never waits for another. It sends only while its lease is certain, and holds still as a whole when the account
does not answer (for a while), refuses the login (until it is mended), or when Redis or Kafka is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mailroom_contracts import LaneEntry, SmtpAccount
from mailroom_runtime.blobs.store import BlobMissing, BlobsDown
from mailroom_runtime.bus.kafka import BusDown, RecordTooLarge
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.redis.valkey import REDIS_DOWN

from . import lane
from .agenda import Agenda
from .composing import envelope_recipients, letter
from .courier import LEASE_LOST, Deferred, Failed, Hold, Letter, Outcome, close_later
from .couriers import AccountBroken, Made
from .desk import Desk
from .lease import Holder
from .pace import Pace
from .standing import Standing

log = get_logger()
AWAY_S = 1.0  # how long to wait before Redis, Kafka or the blob store is tried again
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
        self.address_id, self.agenda = address_id, Agenda()
        self._desk, self._writer, self._caught_up, self._on_done = desk, str(holder), caught_up, on_done
        self._lease = desk.leases.of(address_id, holder)
        self._made: Made | None = None
        self._hands = asyncio.Semaphore(1)
        self._pace = Pace()
        self._wake = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        self._recording = 0  # of them: handed over, the outcome on its way to Kafka
        self._unsent: set[str] = set()  # recorded as attempted by us, and certainly not sent
        self._seen_at: dict[str, float] = {}
        self._standing = Standing(address_id, desk.policy)
        self._changed = False
        self._stopping = False

    # what the owner of the partition tells

    def add(self, entry: LaneEntry) -> None:
        """A mail that waits here: new, or changed by whoever had this lane before."""
        if self.agenda.is_under_way(entry.outbound_id):
            return
        self._seen_at.setdefault(entry.outbound_id, time.monotonic())
        self.agenda.put(entry)
        self._wake.set()

    def forget(self, outbound_id: str) -> None:
        """Another process finished it."""
        if not self.agenda.is_under_way(outbound_id):
            self.agenda.drop(outbound_id)
            self._wake.set()

    def cancel(self, outbound_id: str) -> LaneEntry | None:
        """Somebody asks not to send it. Returns the entry to be recorded again."""
        entry = self.agenda.entries.get(outbound_id)
        if entry is None:
            return None
        entry = entry.model_copy(update={"cancel": True, "next_at": None})
        if self.agenda.is_under_way(outbound_id):
            self.agenda.note(entry)
        else:
            self.agenda.put(entry)
        self._changed = True
        self._wake.set()
        return entry

    def reconfigured(self) -> None:
        """The address changed: try a refused account again, and refuse what may not leave any more."""
        self._changed = True
        self._standing.try_again()
        self._retire()
        self._wake.set()

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping = True
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
            for task in self._sends:
                task.cancel()
            await asyncio.gather(*self._sends, return_exceptions=True)
            await self._let_go()

    # turns

    async def _turn(self) -> float:
        """Start what may start. Returns how many seconds there is nothing more to do, unless woken."""
        now = datetime.now(UTC)
        if self._changed:
            self._changed = False
            await self._sweep(now)
        if self._standing.is_broken:
            return await self._while_broken(now)
        if (held_s := self._standing.held_s(now)) > 0:
            return held_s
        if len(self._sends) - self._recording >= self._places() or self._recording >= RECORDING_AT_ONCE:
            return 3600.0
        next_at = self.agenda.next_at(now)
        if next_at is None or next_at > now:
            return await self._while_idle(now, next_at)
        address = self._desk.tables.book.addresses.get(self.address_id)
        self._pace.per_minute = address.smtp.messages_per_minute if address is not None and address.smtp else None
        if (wait_s := self._pace.wait_s(time.monotonic())) > 0:
            return wait_s
        if self._lease.left_s() < self._desk.send_timeout_s + 0.5 and (wait_s := await self._secure_lease()) > 0:
            return wait_s
        entry = self.agenda.take(now)
        if entry is None:
            return 0.0
        self._pace.started(time.monotonic())
        task = asyncio.create_task(self._handle(entry), name=f"send-{entry.outbound_id}")
        self._sends.add(task)
        task.add_done_callback(lambda done: self._ended(done, entry.outbound_id))
        return 0.0

    def _places(self) -> int:
        """How many mails may be in hand at once. More than there are connections, since recording an attempt and its
        outcome takes time too; a limit per minute counts starts, so there each start must be a send."""
        if self._standing.careful or self._made is None:
            return 1
        return self._made.slots if self._pace.per_minute is not None else self._made.slots * (1 + self._made.ahead)

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
        if self._made is not None or self._lease.left_s() > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._wake.wait()
                return 0.0
            if not self._sends:
                await self._let_go()
        return wait_s

    async def _while_broken(self, now: datetime) -> float:
        """The account waits to be mended: everything is parked; from time to time it is tried by itself."""
        for entry in list(self.agenda.entries.values()):
            still = self.agenda.entries.get(entry.outbound_id) is entry and not self._stopping
            if still and entry.state != "parked" and not self.agenda.is_under_way(entry.outbound_id):
                await self._finish(entry, lane.park(entry, self._standing.reason, now))
        if (left_s := self._standing.retry_s(now)) <= 0:
            self._standing.try_again()
            return 0.0
        await self._sweep(now)
        return min(left_s, SWEEP_S)

    async def _sweep(self, now: datetime) -> None:
        """End what is cancelled, too old, or may not leave from here any more."""
        for entry in list(self.agenda.entries.values()):
            if self.agenda.is_under_way(entry.outbound_id):
                continue
            step = lane.expire(entry, policy=self._desk.policy, now=now) or self._refused(entry, now)
            if step is not None and self.agenda.entries.get(entry.outbound_id) is entry:
                await self._finish(entry, step)

    def _refused(self, entry: LaneEntry, now: datetime) -> lane.Step | None:
        reason = self._desk.why_refused(entry, self._seen_at.get(entry.outbound_id, time.monotonic()))
        return lane.refuse(entry, reason, now) if reason is not None else None

    # one mail

    async def _handle(self, entry: LaneEntry) -> None:
        now = datetime.now(UTC)
        desk = self._desk
        step = lane.expire(entry, policy=desk.policy, now=now) or self._refused(entry, now)
        if step is not None:
            await self._finish(entry, step)
            return
        address = desk.tables.book.addresses.get(self.address_id)
        if address is None:
            self._back(entry, now + timedelta(seconds=0.5))
            return
        try:
            if self._made is None:
                self._made = desk.couriers.make(address)
                self._hands = asyncio.Semaphore(self._made.slots)
            mail = await letter(
                entry.order,
                address,
                lane.recipients_left(entry, envelope_recipients(entry.order)),
                desk.blobs,
                uncertain=entry.state == "attempting" and entry.outbound_id not in self._unsent,
                tried=entry.attempts > 0,
                still_ours=lambda: self._lease.left_s() > 0,
            )
        except AccountBroken as error:
            broken = self._hold(Deferred(str(error), Hold.ACCOUNT))
            await self._conclude(entry, broken)
        except BlobsDown as error:
            log.warning("lane.waits_for_blobs", address_id=self.address_id, reason=str(error)[:200])
            self._pause(entry)
        except BlobMissing as error:
            await self._conclude(entry, Failed(f"A part of it is missing from the store: {error}"))
        except ValueError as error:
            await self._conclude(entry, Failed(f"It cannot be written as a mail: {error}"))
        else:
            await self._send(entry, self._made, mail)

    async def _send(self, entry: LaneEntry, made: Made, mail: Letter) -> None:
        begun = lane.begin(entry, datetime.now(UTC))
        try:
            await self._desk.records.put(begun, self._writer)
        except BusDown as error:
            log.warning("lane.waits_for_kafka", address_id=self.address_id, reason=str(error)[:200])
            self._pause(entry)
            return
        except RecordTooLarge as error:
            await self._conclude(entry, Failed(f"It is too large: {error}"))
            return
        self.agenda.note(begun if not self._cancelled(begun) else begun.model_copy(update={"cancel": True}))
        self._unsent.discard(entry.outbound_id)
        async with self._hands:
            outcome = await self._hand_over(begun, made, mail)
        if outcome is None:
            # the account stopped answering, or was refused, while this one waited for its turn
            self._unsent.add(entry.outbound_id)
            self._back(begun, datetime.now(UTC))
        elif outcome is LEASE_LOST or (isinstance(outcome, Deferred) and self._lease.left_s() <= 0):
            # the lane may be another's: our record stays "attempting", and we read on before we try again
            if outcome is LEASE_LOST:
                self._unsent.add(entry.outbound_id)
            self._back(begun, datetime.now(UTC))
        else:
            self._recording += 1
            self._wake.set()
            try:
                await self._conclude(begun, outcome)
            finally:
                self._recording -= 1

    async def _hand_over(self, begun: LaneEntry, made: Made, mail: Letter) -> Outcome | None:
        """Give it to the courier. None: the lane holds still, so it was not even tried."""
        now = datetime.now(UTC)
        if made is not self._made or not self._standing.takes_mail(now) or self._stopping:
            return None
        if self._lease.left_s() <= 0:
            return LEASE_LOST
        if mail.uncertain:
            metrics.counter(
                "mailroom_outbound_uncertain_resends_total",
                "Mails sent again after a crash during an attempt that may have got through",
            ).inc()
            log.warning("mail.sent_again_after_crash", outbound_id=begun.outbound_id, attempt=begun.attempts)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._desk.send_timeout_s):
                outcome = await made.courier.send(begun.order, mail)
        except TimeoutError:
            words = f"The server did not finish within {self._desk.send_timeout_s:g} s."
            outcome = Deferred(words, Hold.LANE)
        metrics.histogram("mailroom_outbound_send_seconds", "Time to hand over one mail", ["outcome"]).labels(
            type(outcome).__name__.lower()
        ).observe(time.monotonic() - started)
        if isinstance(outcome, Deferred) and outcome is not LEASE_LOST:
            return self._hold(outcome)
        return outcome

    def _hold(self, outcome: Deferred) -> Deferred:
        """Hold the lane still at once, before anything is recorded: the next one in hand must not try too. What the
        outcome is for this account."""
        now, account = datetime.now(UTC), self._account()
        revision = account.secret_revision if account is not None else None
        proven = account is not None and (account.checked_at is not None or self._standing.accepted == revision)
        outcome = self._standing.judged(outcome, now, proven=proven)
        self._standing.note(outcome, now)
        if self._standing.is_broken:
            self._retire()
            self._wake.set()
        return outcome

    def _account(self) -> SmtpAccount | None:
        address = self._desk.tables.book.addresses.get(self.address_id)
        return address.smtp if address is not None else None

    async def _conclude(self, entry: LaneEntry, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        desk = self._desk
        if self._cancelled(entry) and not isinstance(outcome, Failed):
            entry = entry.model_copy(update={"cancel": True, "state": "waiting"})
        if isinstance(outcome, Deferred) and outcome.hold is Hold.LANE:
            outcome = replace(outcome, retry_after_s=self._standing.held_s(now))
        elif entry.state == "attempting" and not (isinstance(outcome, Deferred) and outcome.hold is Hold.ACCOUNT):
            # whatever it said about this mail, the account answers and lets us in
            account = self._account()
            self._standing.works(account.secret_revision if account is not None else None)
        await self._finish(entry, lane.conclude(entry, outcome, policy=desk.policy, now=now))
        if isinstance(outcome, Deferred) and outcome.hold is Hold.ACCOUNT:
            account = self._account()
            worked_at = account.checked_at if account is not None else None
            await desk.accounts.broken(self.address_id, entry.portal_id, outcome.reason, now, worked_at=worked_at)
        elif not (isinstance(outcome, Deferred) and outcome.hold is Hold.LANE) and entry.state == "attempting":
            await desk.accounts.works(self.address_id, entry.portal_id, now)

    async def _finish(self, entry: LaneEntry, step: lane.Step) -> None:
        """Record a step, and go on from it."""
        await self._desk.records.keep(entry, step, self._writer)
        if step.entry is None:
            self.agenda.drop(entry.outbound_id)
            self._seen_at.pop(entry.outbound_id, None)
            self._on_done(entry.outbound_id)
        else:
            self.agenda.give_back(entry.outbound_id)
            cancelled = self._cancelled(entry) and not step.entry.cancel
            self.agenda.put(step.entry.model_copy(update={"cancel": True}) if cancelled else step.entry)

    def _cancelled(self, entry: LaneEntry) -> bool:
        current = self.agenda.entries.get(entry.outbound_id)
        return entry.cancel or (current is not None and current.cancel)

    def _back(self, entry: LaneEntry, at: datetime) -> None:
        """Nothing happened: it is due again then."""
        self.agenda.give_back(entry.outbound_id)
        cancel = self._cancelled(entry)
        self.agenda.put(entry.model_copy(update={"next_at": at, "cancel": cancel}))

    def _pause(self, entry: LaneEntry) -> None:
        """Something that all lanes need is away: the lane holds still for a moment."""
        now = datetime.now(UTC)
        self._standing.hold(AWAY_S, now)
        self._back(entry, now)

    def _ended(self, task: asyncio.Task[None], outbound_id: str) -> None:
        self._sends.discard(task)
        self._wake.set()
        if task.cancelled() or (error := task.exception()) is None:
            return
        # a fault of ours: the mail stays recorded and is tried again later, other mail goes on
        log.error("lane.fault", address_id=self.address_id, outbound_id=outbound_id, exc_info=error)
        metrics.counter("mailroom_outbound_faults_total", "Unexpected errors while sending", []).inc()
        if (entry := self.agenda.entries.get(outbound_id)) is not None and self.agenda.is_under_way(outbound_id):
            self._back(entry, datetime.now(UTC) + timedelta(seconds=self._desk.policy.first_s))

    def _retire(self) -> None:
        """Make a new courier next time; the old one says goodbye in the background once it is not used any more."""
        if self._made is not None:
            close_later(self._made.courier)
            self._made = None

    async def _let_go(self) -> None:
        self._retire()
        with contextlib.suppress(*REDIS_DOWN):
            await self._lease.give_back()
