"""Kafka's default partitioner, so that every part of streamrec finds the owner of a key by itself."""

from functools import lru_cache

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_R = 24


def murmur2(data: bytes) -> int:
    """Hash `data` as Kafka's Java client does (32-bit MurmurHash2, seed 0x9747b28c).

    Returns
    -------
    int
        An unsigned 32-bit number.

    References
    ----------
    ``org.apache.kafka.common.utils.Utils.murmur2``

    Examples
    --------
    >>> murmur2(b"21")
    3321034988
    """
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> _R)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=1 << 17)
def partition_of(key: str, partitions: int) -> int:
    """Partition number (0-based) that owns `key` in a topic of `partitions` partitions.

    Examples
    --------
    >>> partition_of("21", 4)
    0
    """
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
