"""Our partitioner chooses the partitions of aiokafka's, which are those of Kafka's own client."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import example, given
from hypothesis import strategies as st

from router.broker.partitioner import murmur2, partition_of


@given(st.binary(max_size=200), st.integers(1, 100))
@example(b"", 7)
@example(b"\x00", 7)
@example(b"\xff" * 4, 7)
@example(b"\xff" * 7, 7)
def test_every_key_gets_the_partition_that_aiokafka_chooses(key: bytes, count: int) -> None:
    partitions = list(range(count))

    assert DefaultPartitioner()(key, partitions, partitions) == partition_of(key, partitions)
    assert murmur2_of_aiokafka(key) == murmur2(key)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_hashes_are_those_of_kafkas_own_tests(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


def test_record_without_a_key_goes_to_any_partition() -> None:
    found = {partition_of(None, [3, 5, 8]) for _ in range(500)}

    assert found == {3, 5, 8}
