"""The reserved members: one for each partition, so that each worker is watched."""

from streamrec.events import PROBES
from streamrec.partitioner import partition_of


def member_of(partition: int, partitions: int) -> str:
    """The reserved member of a partition.

    Examples
    --------
    >>> [member_of(partition, 3) for partition in range(3)]
    ['streamrec-probe-2', 'streamrec-probe-8', 'streamrec-probe-0']
    """
    number = 0
    while partition_of(f"{PROBES}{number}", partitions) != partition:
        number += 1
    return f"{PROBES}{number}"
