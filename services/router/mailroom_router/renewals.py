"""Which partition of `ticket.events` a worker writes anew, one at a time, and what came of each: see `renewal`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from mailroom_contracts import RenewEvents, Undecodable
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings

from .command_reading import read_command
from .draft import Renewed
from .inbox import Raw
from .partition import Partition
from .renewal import Renewal
from .transactions import Membership, Transactions

log = get_logger()
TRIES, AGAIN_S = 5, 2.0
PASSING = (KafkaError, TimeoutError, OSError)
REMEMBERED = 64


class Renewals:
    """Looks for commands that ask for it, and carries them out between the worker's own transactions."""

    def __init__(self, settings: ServiceSettings, transactions: Transactions, wake: Callable[[], None]) -> None:
        self._settings, self._transactions, self._wake = settings, transactions, wake
        self._now: Renewal | None = None
        self._tries: dict[str, int] = {}
        self._not_before = 0.0
        self.moved = 0  # records read for it, ever: a sign of life
        self.outcomes: dict[str, Renewed | str] = {}
        """By command: what came of it, or why nothing did, in words."""

    @property
    def copying(self) -> Partition | None:
        """The partition whose inputs must wait."""
        return self._now.partition if self._now is not None and self._now.copying else None

    async def look(self, partitions: Mapping[int, Partition]) -> bool:
        """Begin what was asked for, end what is done; whether `step` has something to do."""
        if self._now is None:
            self._begin(partitions)
        if self._now is None:
            return False
        if partitions.get(self._now.partition.number) is not self._now.partition or not self._now.partition.ready:
            await self.drop()
            return False
        if (failure := self._now.failure) is not None:
            await self._failed(failure)
        elif (result := self._now.result) is not None:
            await self._done(result)
        return self._now is not None and self._now.has_work

    async def step(self, membership: Membership) -> None:
        """The next part. Raises `KafkaError` and `TimeoutError` of transactions; then all of it begins anew."""
        assert self._now is not None
        try:
            await self._now.step(self._transactions, membership)
        except (KafkaError, TimeoutError) as error:
            await self._failed(error)
            raise

    async def drop(self) -> None:
        """Whatever is under way is not ours any more, or must begin anew."""
        now, self._now = self._now, None
        if now is not None:
            await now.close()

    def _begin(self, partitions: Mapping[int, Partition]) -> None:
        if time.monotonic() < self._not_before:
            return
        for partition in partitions.values():
            raw = partition.inbox.held if partition.ready else None
            if raw is None:
                continue
            command = _command(raw)
            if command is None or command.partition != raw.partition or command.id in self.outcomes:
                partition.inbox.release(raw)  # it is answered as any other that comes to nothing, or is done
                self._wake()
                continue
            log.info("events.renewing", partition=partition.number, command_id=command.id)
            self._now = Renewal(self._settings, partition, command, self._moved, self._wake)
            return

    def _moved(self, count: int) -> None:
        self.moved += count

    async def _done(self, outcome: Renewed | str) -> None:
        assert self._now is not None
        command, partition = self._now.command, self._now.partition
        self._tries.pop(command, None)
        while len(self.outcomes) >= REMEMBERED:
            self.outcomes.pop(next(iter(self.outcomes)))
        self.outcomes[command] = outcome
        if (raw := partition.inbox.held) is not None:
            partition.inbox.release(raw)
        await self.drop()

    async def _failed(self, error: BaseException) -> None:
        """Once more, a little later, where that may help."""
        assert self._now is not None
        command = self._now.command
        tried = self._tries[command] = self._tries.get(command, 0) + 1
        again = tried < TRIES and isinstance(error, PASSING) and not isinstance(error, TopicAuthorizationFailedError)
        log.warning("events.renewal_broken_off", partition=self._now.partition.number, error=type(error).__name__,
                    reason=str(error)[:200], again=again)  # fmt: skip
        self._not_before = time.monotonic() + AGAIN_S
        asyncio.get_running_loop().call_later(AGAIN_S, self._wake)
        if not again:
            await self._done(_problem(error))
        else:
            await self.drop()


def _command(raw: Raw) -> RenewEvents | None:
    try:
        command = read_command(raw.key, raw.value or b"", raw.headers)
    except Undecodable:
        return None
    return command if isinstance(command, RenewEvents) else None


def _problem(error: BaseException) -> str:
    if isinstance(error, TopicAuthorizationFailedError):
        return "The router has no right to delete records of ticket.events: give it deploy/kafka/acls. Nothing was changed."
    return f"It did not work ({type(error).__name__}: {str(error)[:200]}). Nothing was deleted."
