"""Writes what lanes decide: lane entries and their end, and delivery reports."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mailroom_contracts import DeliveryReport, LaneEntry, encode, header, tombstone, topics
from mailroom_runtime.bus.kafka import BusDown, Producer, partition_of
from mailroom_runtime.bus.pulse import Pulse
from mailroom_runtime.process import metrics
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger

from .lane import Step

log = get_logger()
SOURCE = "outbound"
WRITER = "mailroom_writer"  # header: the process that wrote a lane record, so that it knows its own


@lru_cache(maxsize=50_000)
def lane_partition(address_id: str, partitions: int) -> int:
    """The lanes partition of a sending address."""
    return partition_of(address_id.encode(), partitions)


def writer_of(headers: Iterable[tuple[str, bytes]] | None) -> str | None:
    """Which process wrote a lane record; None: it came from an order."""
    return header(headers, WRITER)


class Records:
    """`writer` names who writes: a process and its assignment.

    How a mail ended is written at once: what was sent and not recorded yet is sent again after a crash.
    """

    def __init__(self, producer: Producer, *, partitions: int) -> None:
        self._producer, self._partitions = producer, partitions
        self._soon, self._at_once = Pulse(0.05, calm_s=0.002), Pulse(0.01, calm_s=0.002)

    async def put(self, entry: LaneEntry, writer: str) -> None:
        """Write an entry and wait for the acknowledgement. Raises `BusDown`."""
        record = encode(topics.EMAIL_LANES, entry, source=SOURCE)
        record.headers.append((WRITER, writer.encode()))
        await (self._soon if entry.state == "attempting" else self._at_once).next()
        await self._producer.send_record(record, partition=lane_partition(entry.address_id, self._partitions))

    async def end(self, outbound_id: str, partition: int, writer: str) -> None:
        """Write an entry's tombstone. Raises `BusDown`."""
        record = tombstone(topics.EMAIL_LANES, outbound_id, source=SOURCE, kind="email.lane_ended")
        record.headers.append((WRITER, writer.encode()))
        await self._at_once.next()
        await self._producer.send_record(record, partition=partition)

    async def keep(self, entry: LaneEntry, step: Step, writer: str) -> None:
        """Write a step's report, then its entry or tombstone: a crash between the two repeats, and loses nothing.

        Tries until Kafka has it, since what happened cannot be undone.
        """
        backoff = Backoff()
        reported = step.report is None
        while True:
            try:
                if step.report is not None and not reported:
                    await self.report(step.report)
                    reported = True
                if step.entry is not None:
                    await self.put(step.entry, writer)
                else:
                    await self.end(entry.outbound_id, lane_partition(entry.address_id, self._partitions), writer)
            except BusDown as error:
                log.warning("lane.record_waits", outbound_id=entry.outbound_id, reason=str(error)[:200])
                await backoff.wait()
            else:
                return

    async def report(self, report: DeliveryReport) -> None:
        """Publish a delivery report. Raises `BusDown`."""
        await self._at_once.next()
        await self._producer.send(topics.EMAIL_DELIVERY, report, causation_id=report.outbound_id)
        metrics.counter("mailroom_outbound_reports_total", "Delivery reports", ["state", "kind"]).labels(
            report.state, report.kind
        ).inc()
        log.info(
            f"mail.{report.state}",
            outbound_id=report.outbound_id,
            address_id=report.address_id,
            ticket_id=report.ticket_id,
            attempt=report.attempt,
            **({"reason": report.reason[:300]} if report.reason else {}),
        )
