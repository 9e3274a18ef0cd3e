"""Keys go where Kafka's own clients put them."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.bus.kafka import partition_of


@given(st.binary(max_size=70), st.integers(1, 300))
def test_the_partition_is_that_of_the_default_partitioner(key: bytes, count: int) -> None:
    everything = list(range(count))
    assert partition_of(key, count) == DefaultPartitioner()(key, everything, everything)


def test_known_values() -> None:
    """From Kafka's own tests of Utils.murmur2, for 2**31 partitions, which leave the hash as it is but for its sign."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key, found in known.items():
        assert partition_of(key, 2**31) == found & 0x7FFFFFFF
