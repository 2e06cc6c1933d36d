"""All jobs as columns of numbers: what a ranking reads for hundreds of jobs at once."""

from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streamrec.features.resemblance import TOUCHERS

POPULARITIES: Final = 3  # by which jobs are ordered: see `library.POPULARITY`
CODED: Final = ("company", "city", "region", "country", "industry", "function")
COLUMN_OF: Final = {name: index for index, name in enumerate(CODED)}  # of `codes`
LABELS: Final = ("currency", "seniority", "employment_type")  # coded as well, but no group of jobs
POSTED_AT, FIRST_AT, LAST_AT, EXPIRES_AT = range(4)  # columns of `times`
NEWEST: Final = POPULARITIES  # column of `scores`: when the job appeared
SKILLS: Final = 12  # of a posting are kept; code 0 fills the rest
NEVER: Final = int(np.iinfo(np.int64).max)

Rows = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def tie_of(job_id: str) -> int:
    """Number that orders jobs which are equal otherwise: the same in every process, and in favour of nobody.

    Examples
    --------
    >>> sorted(["a", "b", "c"], key=tie_of)
    ['c', 'a', 'b']
    """
    return int.from_bytes(blake2b(job_id.encode(), digest_size=8).digest(), "little", signed=True)


class Columns:
    """Arrays with one row a job, doubled when they are full.

    The last row is never used: row -1, which stands for an unknown job, reads as a job of which nothing is known.

    Attributes
    ----------
    codes
        int32 ``(capacity, 6)``, in the order of `CODED`; 0 where missing.
    times
        int64 ``(capacity, 4)``, ms: `POSTED_AT`, `FIRST_AT`, `LAST_AT` (0 where unknown), `EXPIRES_AT` (`NEVER` where
        none).
    scores
        float64 ``(capacity, 4)``: log2 scores (see `cells.decay.DecayedCount`) of popularity, one a half-life; then the
        time at which the job appeared, ms. -inf where there is none.
    cells
        float64 ``(capacity, w)``: what the aggregates of jobs need to be read (see `cells.base`), `blank` where there is none.
    cell_times
        int64 ``(capacity, t)``: time of the last event of the aggregates that have a time to live; 0 where there is none.
    has_posting, closed
        bool ``(capacity,)``. `closed` is also True of a row that holds no job.
    remote
        int8 ``(capacity,)``: 1, 0, or -1 where unknown.
    labels
        int32 ``(capacity, 3)``, in the order of `LABELS`; 0 where missing.
    pay
        float64 ``(capacity, 2)``: least and most that is offered, NaN where unknown.
    skills
        int32 ``(capacity, SKILLS)``: codes of the skills asked for, filled up with 0.
    touchers
        uint32 ``(capacity, TOUCHERS)``: who touched the job last (see `features.resemblance`), filled up with 0.
    ties
        int64 ``(capacity,)``: a hash of the job id (see `tie_of`). What is equal otherwise is ordered by it, so that
        processes that got to know the same jobs in different orders choose the same ones.
    """

    def __init__(self, capacity: int, blank: tuple[float, ...] = (), timed: int = 0) -> None:
        self.capacity = max(2, capacity)
        self._blank_cells, self._timed = np.array(blank, np.float64), timed
        self._blank(self.capacity)

    def _blank(self, capacity: int) -> None:
        self.codes: Ints = np.zeros((capacity, len(CODED)), np.int32)
        self.times: Longs = np.zeros((capacity, 4), np.int64)
        self.times[:, EXPIRES_AT] = NEVER
        self.scores: Floats = np.full((capacity, NEWEST + 1), -np.inf)
        self.cells: Floats = np.tile(self._blank_cells, (capacity, 1))
        self.cell_times: Longs = np.zeros((capacity, self._timed), np.int64)
        self.has_posting: Bools = np.zeros(capacity, np.bool_)
        self.closed: Bools = np.ones(capacity, np.bool_)
        self.remote: npt.NDArray[np.int8] = np.full(capacity, -1, np.int8)
        self.pay: Floats = np.full((capacity, 2), np.nan)
        self.labels: Ints = np.zeros((capacity, len(LABELS)), np.int32)
        self.skills: Ints = np.zeros((capacity, SKILLS), np.int32)
        self.touchers: npt.NDArray[np.uint32] = np.zeros((capacity, TOUCHERS), np.uint32)
        self.ties: Longs = np.zeros(capacity, np.int64)

    def hold(self, rows: int) -> None:
        """Make room for `rows` rows and the unused one; arrays taken before stay as they were."""
        if rows < self.capacity:
            return
        old = self._arrays()
        used, self.capacity = self.capacity, max(2 * self.capacity, rows + 1)
        self._blank(self.capacity)
        for source, target in zip(old, self._arrays(), strict=True):
            target[:used] = source

    def _arrays(self) -> tuple[npt.NDArray[Any], ...]:
        return (
            self.codes, self.times, self.scores, self.cells, self.cell_times, self.has_posting, self.closed, self.remote,
            self.pay, self.labels, self.skills, self.touchers, self.ties,
        )  # fmt: skip
