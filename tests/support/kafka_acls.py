"""Rights on a real broker, given by one who may give them. Numbers are those of Kafka's protocol (ResourceType, AclOperation)."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional_id": 5}
OPERATIONS = {"all": 2, "read": 3, "write": 4, "create": 5, "delete": 6, "alter": 7, "describe": 8,
              "describe_configs": 10, "idempotent_write": 12}  # fmt: skip
PATTERNS = {"literal": 3, "prefixed": 4}
ALLOW = 3


async def allow(bootstrap: str, principal: str, *rights: tuple[str, str, str, str]) -> None:
    """Each right: resource, its name, literal or prefixed, operation."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        for resource, name, pattern, operation in rights:
            request = CreateAclsRequest(
                RESOURCES[resource], name, PATTERNS[pattern], principal, "*", OPERATIONS[operation], ALLOW
            )
            answer = await admin._client.send(admin._client.get_random_node(), request)
            assert all(code == 0 for code, _ in answer.creation_responses), answer
    finally:
        await admin.close()


async def allow_all(bootstrap: str, principal: str, prefix: str) -> None:
    """Everything of an installation."""
    await allow(
        bootstrap, principal,
        *((resource, prefix, "prefixed", "all") for resource in ("topic", "group", "transactional_id")),
    )  # fmt: skip
