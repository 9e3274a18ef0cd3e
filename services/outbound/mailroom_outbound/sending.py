"""One mail's way out of its lane: the attempt is recorded, the courier gets it, and the outcome is recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mailroom_contracts import LaneEntry
from mailroom_runtime.blobs.store import BlobMissing, BlobsDown
from mailroom_runtime.bus.kafka import BusDown, RecordTooLarge
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from . import lane
from .account import Account
from .composing import envelope_recipients, letter
from .courier import LEASE_LOST, Deferred, Delivered, Failed, Hold, Letter, Outcome
from .couriers import AccountBroken, Made
from .desk import Desk
from .lease import Lease
from .waiting import Waiting

log = get_logger()
AWAY_S = 1.0  # how long to wait before Redis, Kafka or the blob store is tried again


class Sending:
    """Sends the mails of one lane, each while its lease is certain. `wake` is called when more may start."""

    def __init__(self, desk: Desk, account: Account, waiting: Waiting, lease: Lease, wake: Callable[[], None]) -> None:
        self._desk, self._account, self._waiting, self._lease, self._wake = desk, account, waiting, lease, wake
        self.stopping = False
        self.recording = 0  # handed over, the outcome on its way to Kafka

    async def send(self, entry: LaneEntry) -> None:
        """Take an entry that is under way to its outcome, or put it back."""
        now = datetime.now(UTC)
        if (step := self._waiting.unsendable(entry, now)) is not None:
            await self._waiting.finish(entry, step)
            return
        address = self._account.address
        if address is None:
            self._waiting.back(entry, now + timedelta(seconds=0.5))
            return
        if entry.state == "attempting" and entry.outbound_id not in self._waiting.unsent and address.kind != "gmail":
            going_on = lane.interrupted(entry, now)  # Gmail is asked instead whether it has the mail
            if isinstance(going_on, lane.Step):
                await self._waiting.finish(entry, going_on)
                return
            entry = going_on
        try:
            made = self._account.courier_of(address)
            mail = await letter(
                entry.order,
                address,
                lane.recipients_left(entry, envelope_recipients(entry.order)),
                self._desk.blobs,
                uncertain=entry.uncertain > 0
                or (entry.state == "attempting" and entry.outbound_id not in self._waiting.unsent),
                tried=entry.attempts > 0,
                still_ours=lambda: self._lease.left_s() > 0,
            )
        except AccountBroken as error:
            broken = self._hold(Deferred(str(error), Hold.ACCOUNT))
            await self._conclude(entry, broken)
        except BlobsDown as error:
            log.warning("lane.waits_for_blobs", address_id=self._account.address_id, reason=str(error)[:200])
            self._pause(entry)
        except BlobMissing as error:
            await self._conclude(entry, Failed(f"A part of it is missing from the store: {error}"))
        except ValueError as error:
            await self._conclude(entry, Failed(f"It cannot be written as a mail: {error}"))
        else:
            await self._attempt(entry, made, mail)

    def fault(self, outbound_id: str, error: BaseException) -> None:
        """A fault of ours: the mail stays recorded and is tried again later, other mail goes on."""
        log.error("lane.fault", address_id=self._account.address_id, outbound_id=outbound_id, exc_info=error)
        metrics.counter("mailroom_outbound_faults_total", "Unexpected errors while sending", []).inc()
        agenda = self._waiting.agenda
        if (entry := agenda.entries.get(outbound_id)) is not None and agenda.is_under_way(outbound_id):
            self._waiting.back(entry, datetime.now(UTC) + timedelta(seconds=self._desk.policy.first_s))

    async def _attempt(self, entry: LaneEntry, made: Made, mail: Letter) -> None:
        try:
            begun = await self._waiting.begin(entry, datetime.now(UTC))
        except BusDown as error:
            log.warning("lane.waits_for_kafka", address_id=self._account.address_id, reason=str(error)[:200])
            self._pause(entry)
            return
        except RecordTooLarge as error:
            await self._conclude(entry, Failed(f"It is too large: {error}"))
            return
        async with self._account.hands:
            outcome = await self._hand_over(begun, made, mail)
        if outcome is None:
            # the account stopped answering, or was refused, while this one waited for its turn
            self._waiting.unsent.add(entry.outbound_id)
            self._waiting.back(begun, datetime.now(UTC))
        elif outcome is LEASE_LOST or (isinstance(outcome, Deferred) and self._lease.left_s() <= 0):
            # the lane may be another's: our record stays "attempting", and we read on before we try again
            if not outcome.uncertain:
                self._waiting.unsent.add(entry.outbound_id)
            wait_s = self._desk.policy.uncertain_s if outcome.uncertain else 0.0
            self._waiting.back(begun, datetime.now(UTC) + timedelta(seconds=wait_s))
        else:
            self.recording += 1
            self._wake()
            try:
                await self._conclude(begun, outcome)
            finally:
                self.recording -= 1

    async def _hand_over(self, begun: LaneEntry, made: Made, mail: Letter) -> Outcome | None:
        """Give it to the courier. None: the lane holds still, so it was not even tried."""
        now = datetime.now(UTC)
        if made is not self._account.made or not self._account.standing.takes_mail(now) or self.stopping:
            return None
        if self._lease.left_s() <= 0:
            return LEASE_LOST
        if mail.uncertain:
            metrics.counter(
                "mailroom_outbound_uncertain_resends_total",
                "Mails sent again after an attempt that may have got through: a crash, or no answer to the whole mail",
            ).inc()
            log.warning("mail.sent_again_uncertain", outbound_id=begun.outbound_id, attempt=begun.attempts)
        started = time.monotonic()
        async with self._lease.kept():
            outcome = await made.courier.send(begun.order, mail)
        metrics.histogram("mailroom_outbound_send_seconds", "Time to hand over one mail", ["outcome"]).labels(
            type(outcome).__name__.lower()
        ).observe(time.monotonic() - started)
        if isinstance(outcome, Deferred) and outcome is not LEASE_LOST:
            return self._hold(outcome)
        if isinstance(outcome, Delivered) and mail.invitation_uids:
            return replace(outcome, invitation_uids=mail.invitation_uids)
        return outcome

    def _hold(self, outcome: Deferred) -> Deferred:
        outcome = self._account.hold(outcome, datetime.now(UTC))
        if self._account.standing.is_broken:
            self._wake()
        return outcome

    async def _conclude(self, entry: LaneEntry, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        desk = self._desk
        if self._waiting.cancelled(entry) and not isinstance(outcome, Failed):
            entry = entry.model_copy(update={"cancel": True, "state": "waiting"})
        if isinstance(outcome, Deferred) and outcome.hold is Hold.LANE:
            outcome = replace(outcome, retry_after_s=self._account.standing.held_s(now))
        elif entry.state == "attempting" and not (isinstance(outcome, Deferred) and outcome.hold is Hold.ACCOUNT):
            # whatever it said about this mail, the account answers and lets us in
            self._account.works()
        await self._waiting.finish(entry, lane.conclude(entry, outcome, policy=desk.policy, now=now))
        if isinstance(outcome, Deferred) and outcome.hold is Hold.ACCOUNT:
            account = self._account.smtp
            worked_at = account.checked_at if account is not None else None
            await desk.accounts.broken(
                self._account.address_id, entry.portal_id, outcome.reason, now, worked_at=worked_at
            )
        elif not (isinstance(outcome, Deferred) and outcome.hold is Hold.LANE) and entry.state == "attempting":
            await desk.accounts.works(self._account.address_id, entry.portal_id, now)

    def _pause(self, entry: LaneEntry) -> None:
        """Something that all lanes need is away: the lane holds still for a moment."""
        now = datetime.now(UTC)
        self._account.standing.hold(AWAY_S, now)
        self._waiting.back(entry, now)
