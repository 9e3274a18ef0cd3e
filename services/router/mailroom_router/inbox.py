"""What waits to be worked on in one partition: records by input topic, in the order of their offsets. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mailroom_contracts import Topic, header, topics

INPUTS = (topics.EMAIL_ROUTED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY)


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as it came."""

    topic: Topic
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Lane:
    """The records of one input topic that wait, in the order of their offsets.

    Some are urgent: a person waits for what comes of them. The others are patient, and may wait for company.
    """

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self._records: deque[tuple[Raw, float]] = deque()
        self._urgent_to = -1  # offset of the last urgent one
        self._done_to = 0  # what lies before this offset is done
        self._renewals: set[int] = set()  # offsets of commands that nothing after them may pass

    def __len__(self) -> int:
        return len(self._records)

    def feed(self, raws: Sequence[Raw], now: float) -> None:
        """Records with rising offsets; `now` in monotonic seconds."""
        for raw in raws:
            self._records.append((raw, now))
            if is_urgent(raw):
                self._urgent_to = raw.offset
            if asks_for_renewal(raw):
                self._renewals.add(raw.offset)

    @property
    def urgent(self) -> bool:
        """Whether an urgent one waits."""
        return self.open and self._records[0][0].offset <= self._urgent_to

    @property
    def since(self) -> float:
        """When the first one came."""
        return self._records[0][1] if self.open else float("inf")

    @property
    def open(self) -> bool:
        """Whether there is something to take."""
        return bool(self._records) and self.held is None

    @property
    def held(self) -> Raw | None:
        """The first one, where it asks for a renewal that must be done before it is taken."""
        if not self._renewals or not self._records:
            return None
        first = self._records[0][0]
        return first if first.offset in self._renewals else None

    def release(self, raw: Raw) -> None:
        """It may be taken as any other."""
        self._renewals.discard(raw.offset)

    def take(self, most: int, *, patient: bool) -> list[Raw]:
        """The first ones, at most so many; without `patient` only up to the last urgent one."""
        taken: list[Raw] = []
        while self.open and len(taken) < most and (patient or self._records[0][0].offset <= self._urgent_to):
            taken.append(self._records.popleft()[0])
        return [raw for raw in taken if raw.offset >= self._done_to]

    def put_back(self, raws: Sequence[Raw]) -> None:
        """What was taken last, and not committed."""
        self._records.extendleft((raw, 0.0) for raw in reversed(raws))

    def done_to(self, offset: int) -> None:
        """What lies before this offset was worked on: it is not given out any more."""
        self._done_to = offset
        while self._records and self._records[0][0].offset < offset:
            self._renewals.discard(self._records.popleft()[0].offset)


class Inbox:
    """The lanes of one partition."""

    def __init__(self) -> None:
        self._lanes = {topic.name: Lane(topic) for topic in INPUTS}

    def lane(self, topic: Topic) -> Lane:
        """The lane of an input topic."""
        return self._lanes[topic.name]

    @property
    def held(self) -> Raw | None:
        """A command that asks for a renewal and is next."""
        return self._lanes[topics.TICKET_COMMANDS.name].held

    def release(self, raw: Raw) -> None:
        """Its renewal is done, or is not to be."""
        self.lane(raw.topic).release(raw)

    @property
    def lanes(self) -> Sequence[Lane]:
        """One for each input topic."""
        return list(self._lanes.values())

    def take(self, most: int, *, patient: bool) -> list[Raw]:
        """What to work on next: what people wait for first."""
        taken: list[Raw] = []
        for lane in self._lanes.values():
            taken += lane.take(most - len(taken), patient=False)
        if patient:
            for lane in self._lanes.values():
                taken += lane.take(most - len(taken), patient=True)
        return taken

    def put_back(self, raws: Sequence[Raw]) -> None:
        """Not committed: they stay the first thing to do, here or at whoever has the partition next."""
        for lane in self._lanes.values():
            lane.put_back([raw for raw in raws if raw.topic is lane.topic])


def asks_for_renewal(raw: Raw) -> bool:
    """Whether it is a command to write `ticket.events` anew, of whoever writes headers as all do."""
    return raw.topic is topics.TICKET_COMMANDS and header(raw.headers, "ce_type") == "events.renew"


def is_urgent(raw: Raw) -> bool:
    """Mail, what people ask for, and how sending what they wrote went; not what concerns automatic replies."""
    if raw.topic is topics.TICKET_COMMANDS:
        return header(raw.headers, "ce_type") != "ticket.auto_reply"
    return raw.topic is not topics.EMAIL_DELIVERY or b'"kind":"auto_reply"' not in (raw.value or b"")
