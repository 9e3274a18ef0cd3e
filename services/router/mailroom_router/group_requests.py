"""Two requests of Kafka's protocol in versions that aiokafka does not have, for transactions of a group's member.

TxnOffsetCommit version 3 says which generation of the group the member belongs to, so that the broker refuses a member
that slept through a rebalance. OffsetFetch version 7 can ask for offsets that no open transaction is about to change.
Both are of KIP-447; the layouts are those of Kafka's message definitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

UNSTABLE_OFFSET_COMMIT = 88
_TEXT = CompactString("utf-8")


def _listed(*fields: tuple[str, Any]) -> Array:
    return CompactArray(*fields, ("tags", TaggedFields))


class TxnOffsetCommitResponse(Response):  # type: ignore[misc]
    """An error code for each partition."""

    API_KEY = 28
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            _listed(("topic", _TEXT), ("partitions", _listed(("partition", Int32), ("error_code", Int16)))),
        ),
        ("tags", TaggedFields),
    )


class TxnOffsetCommitStruct(RequestStruct):  # type: ignore[misc]
    """Version 3 as it is sent."""

    API_KEY = 28
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TxnOffsetCommitResponse
    SCHEMA = Schema(
        ("transactional_id", _TEXT),
        ("group_id", _TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", _TEXT),
        ("group_instance_id", _TEXT),
        (
            "topics",
            _listed(
                ("topic", _TEXT),
                (
                    "partitions",
                    _listed(("partition", Int32), ("offset", Int64), ("leader_epoch", Int32), ("metadata", _TEXT)),
                ),
            ),
        ),
        ("tags", TaggedFields),
    )


class TxnOffsetCommit(Request[TxnOffsetCommitStruct]):  # type: ignore[misc]
    """Offsets of a group's inputs, as part of a transaction."""

    API_KEY = 28

    def __init__(
        self,
        *,
        transactional_id: str,
        group: str,
        producer_id: int,
        producer_epoch: int,
        generation: int,
        member_id: str,
        offsets: Mapping[TopicPartition, int],
        metadata: str,
    ) -> None:
        by_topic: dict[str, list[tuple[Any, ...]]] = {}
        for tp, offset in sorted(offsets.items()):
            by_topic.setdefault(tp.topic, []).append((tp.partition, offset, -1, metadata, {}))
        self._fields: tuple[Any, ...] = (
            transactional_id, group, producer_id, producer_epoch, generation, member_id, None,
            [(topic, parts, {}) for topic, parts in by_topic.items()], {},
        )  # fmt: skip

    def build(self, request_struct_class: type[TxnOffsetCommitStruct]) -> TxnOffsetCommitStruct:
        return request_struct_class(*self._fields)


class OffsetFetchResponse(Response):  # type: ignore[misc]
    """Offset, metadata and error code for each partition."""

    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            _listed(
                ("topic", _TEXT),
                (
                    "partitions",
                    _listed(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _TEXT),
                        ("error_code", Int16),
                    ),
                ),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )


class OffsetFetchStruct(RequestStruct):  # type: ignore[misc]
    """Version 7 as it is sent."""

    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = OffsetFetchResponse
    SCHEMA = Schema(
        ("group_id", _TEXT),
        ("topics", _listed(("topic", _TEXT), ("partitions", CompactArray(Int32)))),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class OffsetFetch(Request[OffsetFetchStruct]):  # type: ignore[misc]
    """Committed offsets; `stable`: an error for those that an open transaction is about to change."""

    API_KEY = 9

    def __init__(self, group: str, parts: Sequence[TopicPartition], *, stable: bool) -> None:
        by_topic: dict[str, list[int]] = {}
        for tp in parts:
            by_topic.setdefault(tp.topic, []).append(tp.partition)
        self._fields: tuple[Any, ...] = (
            group,
            [(topic, numbers, {}) for topic, numbers in by_topic.items()],
            stable,
            {},
        )

    def build(self, request_struct_class: type[OffsetFetchStruct]) -> OffsetFetchStruct:
        return request_struct_class(*self._fields)
