"""What comes after the order by score: now and then a job from further down is tried near the top, so that it can be learned.

The policy: with the probability `explore`, one swap is made. A position k, uniform among the first `TOP` of the ranking, and a
job, uniform among the next `POOL` ranks (fewer where the ranking ends sooner), change places. A ranking of `TOP` jobs or fewer
stays as it is. The draw is seeded by the request's id: whoever knows the ranking and the id can make it again.

How likely the policy was to put a job where it did (its marginal propensity, M being the number of jobs in the pool) is then

- of a job that stays among the first `TOP`: ``1 - explore / TOP``;
- of a job that came from the pool to one of them, or went from there to its place: ``explore / (TOP * M)``;
- of a job of the pool that stays: ``1 - explore / M``;
- of all jobs beyond, and of all jobs where nothing is tried: 1.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

TOP: Final = 10  # positions that may get a job from further down
POOL: Final = 40  # ranks below from which it may come
DEPTH: Final = TOP + POOL  # what lies beyond is never touched

_WORD: Final = 8  # bytes of the digest for each of three draws
_WORDS: Final = 1 << 8 * _WORD
_PERSON: Final = b"explore"  # other draws from the same id must not depend on this one


class Placed(NamedTuple):
    """What is at each of n positions of a ranking.

    Attributes
    ----------
    ranks
        The job: its 0-based rank by score.
    propensities
        Probability with which the policy puts that job at that position, above 0 and at most 1.
    """

    ranks: Sequence[int]
    propensities: Sequence[float]


def place(jobs: int, explore: float = 0.0, seed: str = "") -> Placed:
    """Put the first `jobs` jobs of a ranking, at most `DEPTH`, at their positions.

    Parameters
    ----------
    jobs
        How many the ranking has, at least `DEPTH` if it has that many: the pool depends on it.
    explore
        Probability of a swap; default 0, everything stays.
    seed
        Of the draw: the request's id.

    Returns
    -------
    Placed
        For the first ``min(jobs, DEPTH)`` positions.

    Examples
    --------
    >>> place(3).ranks, place(3).propensities
    (range(0, 3), (1.0, 1.0, 1.0))
    >>> placed = place(50, explore=1.0, seed="request-1")
    >>> [(position, rank) for position, rank in enumerate(placed.ranks) if position != rank]
    [(4, 21), (21, 4)]
    >>> placed.propensities[4], placed.propensities[0]
    (0.0025, 0.9)
    """
    jobs = min(jobs, DEPTH)
    stay = _staying(jobs, explore)
    swap = draw(jobs, explore, seed)
    if swap is None:
        return Placed(range(jobs), stay)
    ranks, propensities = list(range(jobs)), list(stay)
    for position, rank in (swap, swap[::-1]):
        ranks[position] = rank
        propensities[position] = explore / (TOP * (jobs - TOP))
    return Placed(ranks, propensities)


def draw(jobs: int, explore: float, seed: str) -> tuple[int, int] | None:
    """The two places that are swapped, both 0-based: one among the first `TOP`, one in the pool. None: nothing is."""
    pool = min(jobs, DEPTH) - TOP
    if pool <= 0 or explore <= 0.0:
        return None
    digest = blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=3 * _WORD, person=_PERSON).digest()
    chance, top, below = (int.from_bytes(digest[at : at + _WORD], "little") for at in range(0, 3 * _WORD, _WORD))
    if chance >= explore * _WORDS:
        return None
    # The top bits of a product: as good as uniform, 2**-58 off at most.
    return top * TOP // _WORDS, TOP + below * pool // _WORDS


@lru_cache(maxsize=256)
def _staying(jobs: int, explore: float) -> tuple[float, ...]:
    pool = jobs - TOP
    if pool <= 0:
        return (1.0,) * jobs
    return (1.0 - explore / TOP,) * TOP + (1.0 - explore / pool,) * pool
