"""How every Kafka client of ours connects."""

from __future__ import annotations

from typing import Any

from mailroom_runtime.process.settings import ServiceSettings


def connection(settings: ServiceSettings) -> dict[str, Any]:
    """What any aiokafka client is given: `AIOKafkaConsumer(**connection(settings), …)`."""
    return {"bootstrap_servers": settings.kafka}
