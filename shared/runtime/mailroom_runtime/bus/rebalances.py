"""What happens when the group gives a consumer partitions, or takes some away, and does not get lost when it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiokafka import ConsumerRebalanceListener, TopicPartition

Told = Callable[[set[TopicPartition]], Awaitable[None]]


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Calls `assigned` and `revoked` with the partitions.

    aiokafka would only log what these raise, and goes on reading the partitions (`findings/`): so it is kept, and whoever reads
    calls `check` between two fetches.
    """

    def __init__(self, assigned: Told, revoked: Told) -> None:
        self._assigned, self._revoked = assigned, revoked
        self.failure: Exception | None = None

    def check(self) -> None:
        """Raises what one of the two raised."""
        if self.failure is not None:
            raise self.failure

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """As aiokafka calls it."""
        await self._tell(self._assigned, assigned)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """As aiokafka calls it."""
        await self._tell(self._revoked, revoked)

    async def _tell(self, told: Told, partitions: set[TopicPartition]) -> None:
        try:
            await told(set(partitions))
        except Exception as error:  # noqa: BLE001  # `check` raises it
            self.failure = self.failure or error
