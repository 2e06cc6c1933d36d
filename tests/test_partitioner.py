"""Equal to the murmur2 of another implementation, and to what Kafka's Java client is known to answer."""

import pytest
from aiokafka.partitioner import murmur2 as oracle
from hypothesis import given
from hypothesis import strategies as st

from streamrec.partitioner import murmur2, partition_of


@given(st.binary(max_size=300))
def test_murmur2_is_that_of_aiokafka(data: bytes) -> None:
    assert murmur2(data) == oracle(data) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "hashed"),
    [
        (b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829), (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)  # fmt: skip
def test_murmur2_is_that_of_kafkas_own_tests(data: bytes, hashed: int) -> None:
    """``org.apache.kafka.common.utils.UtilsTest.testMurmur2``."""
    assert murmur2(data) == hashed & 0xFFFFFFFF


@given(st.text(st.characters(codec="utf-8"), max_size=50), st.integers(1, 100))
def test_the_partition_is_one_of_them(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == (oracle(key.encode()) & 0x7FFFFFFF) % partitions
