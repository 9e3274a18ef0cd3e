"""What Kafka must hold to, decided from what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_runtime.bus.cluster import LONGEST_KEPT_MS, OFFSETS_MINUTES, Cluster, Durability

GOOD = {"offsets.retention.minutes": "144000", "message.max.bytes": "1048588", "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false"}  # fmt: skip


def test_offsets_stay_longer_than_any_record() -> None:
    assert OFFSETS_MINUTES * 60_000 > LONGEST_KEPT_MS


@pytest.mark.parametrize(
    ("brokers", "given", "made"),
    [(1, {}, (1, 1)), (2, {}, (1, 1)), (3, {}, (3, 2)), (5, {}, (3, 2)), (3, {"replication": 2}, (2, 1)),
     (5, {"replication": 5, "min_insync": 3}, (5, 3)), (3, {"min_insync": 1}, (3, 1))],
)  # fmt: skip
def test_copies_follow_the_brokers_unless_told(brokers: int, given: dict[str, Any], made: tuple[int, int]) -> None:
    found = Durability.for_brokers(brokers, **given)
    assert (found.replication, found.min_insync) == made


@pytest.mark.parametrize(
    ("brokers", "given", "says"),
    [(1, {"replication": 3}, "need 3 brokers; 1 answer"), (1, {"min_insync": 2}, "between 1 and the 1"),
     (3, {"min_insync": 4}, "between 1 and the 3")],
)  # fmt: skip
def test_copies_that_cannot_be_are_refused(brokers: int, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Durability.for_brokers(brokers, **given)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("offsets.retention.minutes", "10080"), ("message.max.bytes", "200000"), ("auto.create.topics.enable", "true"),
     ("unclean.leader.election.enable", "true")],
)  # fmt: skip
def test_each_wrong_setting_is_named_with_its_broker(setting: str, value: str) -> None:
    (said,) = Cluster(3, {1: GOOD, 2: {**GOOD, setting: value}}, {"__consumer_offsets": 3}).problems(200_000)
    assert said.startswith(f"broker 2: {setting} is {value}")


def test_offsets_and_transactions_with_fewer_copies_than_the_brokers_allow_are_named() -> None:
    (said,) = Cluster(3, {}, {"__consumer_offsets": 3, "__transaction_state": 1}).problems(200_000)
    assert said.startswith("__transaction_state has 1 of 3 copies")
    assert Cluster(1, {}, {"__consumer_offsets": 1}).problems(200_000) == []


def test_what_may_not_be_asked_is_left_to_a_person() -> None:
    assert "144000" in (Cluster(3, None).unseen() or "")
    assert Cluster(3, {1: GOOD}).unseen() is None
    assert Cluster(3, None).problems(200_000) == []
