"""How much those who touched a job resemble a member: nearest neighbours among members, without an index of members.

A job keeps a mark of each of the members who touched it last. The marks of a member's own jobs say who shares how many of
them, and the marks of another job whether such members touched that one, too. So taste is compared over all that a member
has touched and not only over the last few jobs, and a job that three members have touched an hour ago is known by them.
"""

import struct
from itertools import islice
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from streamrec.features.state import MemberState

TOUCHERS: Final = 32  # members that a job keeps
HISTORY: Final = 200  # of a member's jobs that are compared

_ENTRY: Final = struct.Struct(">II")  # second, toucher: sorted as bytes they are sorted by time
_SECONDS: Final = 2**32 - 1
_MARK: Final = 2**24 - 1
_STEPS: Final = 24.0  # of a number of jobs, to a doubling
_SLOTS: Final = 2**14  # as many as a cache holds; who loses a slot to another one is overlooked
_FEW: Final = 5.0  # jobs: to share one of them says little
_DRAW: Final = 3.0  # touchers: the mean of fewer is drawn towards nothing
_TOUCHED: Final = np.exp2(np.arange(256) / _STEPS) - 1.0  # by code
_MODEST: Final = 1.0 / (_FEW + _TOUCHED)

Touchers = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]


def mark_of(member_id: str) -> int:
    """24 bits of a hash, never 0: among a thousand members two have the same in one case of thirty.

    Examples
    --------
    >>> mark_of("ann") == mark_of("ann"), mark_of("ann") == mark_of("bob"), 0 < mark_of("ann") < 2**24
    (True, False, True)
    """
    return crc32(member_id.encode(errors="surrogatepass")) & _MARK or 1


def toucher_of(mark: int, touched: int) -> int:
    """A member who had touched so many jobs, in 32 bits: the mark, and the number to within three in a hundred."""
    return mark << 8 | min(round(_STEPS * float(np.log2(1 + touched))), 255)


def entered(kept: bytes, toucher: int, at: int) -> bytes:
    """The newest `TOUCHERS` of those in `kept` and one who came at `at` (ms), in the order of time: the same in any order.

    Examples
    --------
    >>> one, other = entered(b"", 7 << 8, 2000), entered(b"", 9 << 8, 1000)
    >>> entered(one, 9 << 8, 1000) == entered(other, 7 << 8, 2000), len(entered(one, 9 << 8, 1000))
    (True, 16)
    """
    size, entry = _ENTRY.size, _ENTRY.pack(min(max(at, 0) // 1000, _SECONDS), toucher)
    if not kept or entry >= kept[-size:]:
        return (kept + entry)[-TOUCHERS * size :]
    entries = [kept[place : place + size] for place in range(0, len(kept), size)]
    return b"".join(sorted([*entries, entry])[-TOUCHERS:])


def touchers_in(kept: bytes) -> Touchers:
    """What `entered` gave, as numbers: uint32, at most `TOUCHERS`."""
    return np.frombuffer(kept, ">u4")[1::2].astype(np.uint32)


def history(state: MemberState) -> list[str]:
    """The `HISTORY` jobs that the member touched last, without dismissed ones; those written last come last."""
    found: dict[str, int] = {}
    for jobs in state.touched:
        if not found and len(jobs) <= HISTORY:
            found = dict(jobs)
            continue
        for job_id, at in islice(reversed(jobs.items()), HISTORY):
            if at >= found.get(job_id, at):
                found[job_id] = at
    for job_id in found.keys() & state.dismissed.keys():
        del found[job_id]
    return [job_id for _, job_id in sorted(zip(found.values(), found, strict=True))[-HISTORY:]]


class Resemblance:
    """Who resembles one member, and how much.

    Two members resemble each other by the jobs that both touched; one that few touched says more (1 / √touchers), and whoever
    touched much shares much with everybody (1 / (5 + jobs)). What is told is beside the member who resembles most.

    Parameters
    ----------
    mark
        The member's own; 0 where it is unknown.
    own
        Touchers of the member's jobs, uint32 ``(h, TOUCHERS)``, 0 for none.

    Examples
    --------
    Ann touched three jobs. Bob touched two of them, Cid one, Dan none:

    >>> bob, cid, dan = (toucher_of(mark_of(name), 9) for name in ("bob", "cid", "dan"))
    >>> own = np.zeros((3, TOUCHERS), np.uint32)
    >>> own[0, :2], own[1, 0], jobs = (bob, cid), bob, np.zeros((4, TOUCHERS), np.uint32)
    >>> jobs[0, 0], jobs[1, 0], jobs[2, 0] = bob, cid, dan
    >>> Resemblance(mark_of("ann"), own).of(jobs).round(2).tolist()
    [0.25, 0.1, 0.0, 0.0]
    """

    def __init__(self, mark: int, own: Touchers) -> None:
        flat = own.reshape(-1)
        there = np.flatnonzero(flat)  # few jobs have as many touchers as are kept
        jobs, touchers = there // TOUCHERS, flat.take(there)
        marks = touchers >> 8
        slots = (marks & (_SLOTS - 1)).astype(np.intp)
        self._owners = np.zeros(_SLOTS, np.uint32)
        self._owners[slots] = marks  # of several the last one
        counts = np.bincount(jobs, minlength=1)
        weights = (1.0 / np.sqrt(np.maximum(counts, 1))).take(jobs)
        weights[(marks == mark) | (self._owners.take(slots) != marks)] = 0.0
        self._shared: Floats = np.asarray(np.bincount(slots, weights, _SLOTS), np.float64)
        alike = self._shared.take(slots) * _MODEST.take(touchers & 255)
        alike[weights == 0.0] = 0.0
        top = float(alike.max(initial=0.0))
        self._scale = 1.0 / top if top else 0.0

    def of(self, touchers: Touchers) -> Floats:
        """How much those who touched each of n jobs resemble the member: float64 ``(n,)`` of uint32 ``(n, TOUCHERS)``.

        The mean of those who touched it, beside whoever resembles the member most: 0 to 1, and a little more where that one had
        touched less when it came to this job. That of fewer than a handful is drawn towards 0.
        """
        if not self._scale:
            return np.zeros(len(touchers))
        flat = touchers.reshape(-1)
        there = np.flatnonzero(flat)
        jobs, some = there // TOUCHERS, flat.take(there)
        marks = some >> 8
        slots = (marks & (_SLOTS - 1)).astype(np.intp)
        alike = self._shared.take(slots)
        alike *= self._owners.take(slots) == marks
        alike *= _MODEST.take(some & 255)
        counts = np.bincount(jobs, minlength=len(touchers))
        # One after the other, whatever stands beside them: so a job's sum is the same among other jobs.
        found: Floats = np.bincount(jobs, alike, len(touchers)) * (self._scale / (_DRAW + counts))
        return found
