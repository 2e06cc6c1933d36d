"""An order in which no group takes more than its share of any stretch of places."""

from collections import Counter, deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

UNKNOWN = 0  # the group of which nothing is known: it is never held back


def spread(groups: Sequence[int], most: int, within: int, size: int) -> list[int]:
    """The first `size` of a ranking, of any `within` places in a row at most `most` of one group.

    At each place stands the best one left whose group has room among the ``within - 1`` places before. Where no group has,
    the best one left: a list is never shorter for it.

    Parameters
    ----------
    groups
        Of each of n ranks, the best first; `UNKNOWN` is without limit.
    most, within
        At most `most`, of any `within` places in a row; both at least 1.
    size
        Places to fill.

    Returns
    -------
    list
        ``min(size, n)`` ranks, each once.

    Examples
    --------
    >>> spread([7, 7, 7, 8, 7, 8], most=2, within=3, size=6)
    [0, 1, 3, 2, 4, 5]
    """
    queues: dict[int, deque[int]] = {}  # of each group, the ranks that are left
    for rank, group in enumerate(groups):
        queues.setdefault(group, deque()).append(rank)
    # One entry a group that has room and something left: its best rank. A place then costs O(log groups).
    heads = [(queue[0], group) for group, queue in queues.items()]
    heapify(heads)
    counts: Counter[int] = Counter()  # in the last `within - 1` places
    placed: list[int] = []
    for place in range(min(size, len(groups))):
        if place >= within:
            leaves = groups[placed[place - within]]
            counts[leaves] -= 1
            if leaves != UNKNOWN and counts[leaves] == most - 1 and queues[leaves]:
                heappush(heads, (queues[leaves][0], leaves))
        _, group = heappop(heads) if heads else min((queue[0], group) for group, queue in queues.items() if queue)
        queue = queues[group]
        placed.append(queue.popleft())
        counts[group] += 1
        if queue and (group == UNKNOWN or counts[group] < most):
            heappush(heads, (queue[0], group))
    return placed
