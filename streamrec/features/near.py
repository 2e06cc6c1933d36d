"""Words that are like a word: how many edits apart, and how many are few."""

from collections.abc import Iterable
from typing import Final

from rapidfuzz.distance import OSA

_EDITS: Final = ((3, 0), (6, 1), (11, 2))  # words shorter than the first bear so many edits
_MOST: Final = 3
_SUGGESTED: Final = 3
_SHORTEST: Final = 2  # a single letter is near to everything


def edits(one: str, other: str) -> int | None:
    """Letters inserted, left out, changed or swapped with the next between two words; None for more than the longer bears.

    Examples
    --------
    >>> edits("populrity", "popularity"), edits("salray", "salary"), edits("salary", "celery"), edits("of", "or")
    (1, 1, None, None)
    """
    if one == other:
        return 0
    shorter, longer = sorted((len(one), len(other)))
    most = next((few for length, few in _EDITS if longer < length), _MOST)
    if shorter < _SHORTEST or longer - shorter > most:
        return None
    found = OSA.distance(one, other, score_cutoff=most)
    return found if found <= most else None


def near(word: str, words: Iterable[str]) -> tuple[str, ...]:
    """Those of `words` that are like a word or begin with it, the likest first; a few at most.

    Examples
    --------
    >>> near("jbo_views", ["job_views", "job_likes", "pay"]), near("xyzzy", ["job_views", "pay"])
    (('job_views',), ())
    """
    found = {}
    for each in words:
        apart = edits(word, each)
        if apart is not None:
            found[each] = apart
        elif len(word) >= _SHORTEST and each.startswith(word):
            found[each] = _MOST + 1
    return tuple(sorted(found, key=lambda each: (found[each], each))[:_SUGGESTED])
