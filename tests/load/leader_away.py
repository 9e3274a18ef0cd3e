"""The fault *leader away*: half of the partitions are led by a broker that joined for this, and it is gone for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from broker import LIGHT, Broker
from support.second_broker import SecondBroker, leaders, move_partitions
from support.waiting import eventually

FIRST, SECOND = 1, 2  # the brokers' numbers


class LeaderAway:
    """What is done to the cluster of one broker: before the fault half of it moves, after it all is as before."""

    def __init__(self, data: Path, port: int, controller_port: int) -> None:
        known = Broker(port, controller_port, data / "kafka", java_options=(LIGHT,))
        self._bootstrap = known.bootstrap
        self._second = SecondBroker(known, data / "kafka_joined", SECOND)
        self._moved: list[tuple[str, int]] = []

    def begin(self, how: str) -> Callable[[], None]:
        """Let a second broker lead each odd partition, also of Kafka's own topics; then end or pause it.

        What is given back brings it back, and returns once every partition has a leader.
        """
        self._second.start()
        asyncio.run(self._move())
        if how == "killed":
            self._second.kill()
            return self._started_again
        self._second.pause()
        return self._goes_on

    def undo(self) -> None:
        """Give all partitions back to the first broker, and end the second; nothing where there was no such fault."""
        if self._moved:
            asyncio.run(move_partitions(self._bootstrap, dict.fromkeys(self._moved, FIRST)))
            self._moved = []
        self.close()

    def close(self) -> None:
        """End the second broker, whatever it leads."""
        self._second.kill()

    async def _move(self) -> None:
        self._moved = [partition for partition in await leaders(self._bootstrap) if partition[1] % 2]
        await move_partitions(self._bootstrap, dict.fromkeys(self._moved, SECOND))

    def _started_again(self) -> None:
        self._second.start()
        asyncio.run(self._led())

    def _goes_on(self) -> None:
        self._second.resume()
        asyncio.run(self._led())

    async def _led(self) -> None:
        async def all_led() -> bool:
            return all(node > 0 for node in (await leaders(self._bootstrap)).values())

        await eventually(all_led, 60, every=0.3, what="a leader of every partition")
