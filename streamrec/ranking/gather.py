"""The candidates of sources, put through the gate and merged; and where to find more when these are too few."""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import NEWEST, Floats, Rows
from streamrec.features.likeness import likeness
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.ranking.candidates import DAYS, SOURCES, Ask, Source
from streamrec.ranking.filters import Gate
from streamrec.ranking.order import highest

FILTERED: Final = 200  # candidates to look for under a filter, which the sources know only in part
_SMOOTHING: Final = 10.0  # how little the first ranks of a source differ in the blend

_NUMBER: Final = {source.name: number for number, source in enumerate(SOURCES)}
_BITS: Final = np.array([1 << number for number in range(len(SOURCES))], np.uint16)
_NONE: Final[Rows] = np.zeros(0, np.int32)


class Mix(NamedTuple):
    """The sources that a workflow asks, as arrays.

    Attributes
    ----------
    sources
        m of them, with the workflow's sizes and weights.
    numbers
        int ``(m,)``: the place of each in `SOURCES`.
    sizes, weights
        ``(len(SOURCES),)``, by that place; 0 where a source is not asked.
    """

    sources: tuple[Source, ...]
    numbers: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]
    weights: Floats


@lru_cache(maxsize=256)
def mix_of(sources: tuple[Source, ...]) -> Mix:
    """The same sources as arrays.

    Examples
    --------
    >>> mix_of(SOURCES[5:6]).numbers.tolist(), mix_of(SOURCES[5:6]).sizes.tolist()
    ([5], [0, 0, 0, 0, 0, 30, 0, 0, 0, 0])
    """
    numbers = np.array([_NUMBER[source.name] for source in sources])
    sizes, weights = np.zeros(len(SOURCES), np.intp), np.zeros(len(SOURCES))
    sizes[numbers], weights[numbers] = [source.size for source in sources], [source.weight for source in sources]
    return Mix(sources, numbers, sizes, weights)


class Candidates(NamedTuple):
    """Jobs to be ranked, n in number, by ascending row.

    Attributes
    ----------
    rows
        int32 ``(n,)``, each once.
    sources
        uint16 ``(n,)``: bit i is set where ``SOURCES[i]`` gave the job.
    blend
        float64 ``(n,)``: sum over the sources of ``weight / (10 + rank)``; an order to start with.
    """

    rows: Rows
    sources: npt.NDArray[np.uint16]
    blend: Floats

    def most(self, limit: int, table: JobTable) -> "Candidates":
        """The `limit` highest in the blend, all of them where there are not more."""
        if len(self.rows) <= limit:
            return self
        kept = np.sort(highest(self.blend, limit, self.rows, table.ids, table.columns.ties))
        return Candidates(self.rows[kept], self.sources[kept], self.blend[kept])


def gather(
    view: MemberView, table: JobTable, gate: Gate, now: int, wanted: int = 0, sources: tuple[Source, ...] = SOURCES
) -> Candidates:
    """Ask the sources, keep what the gate lets through, and merge.

    Parameters
    ----------
    view, table, now
        The member, all jobs, the moment (ms).
    gate
        What may be served.
    wanted
        If fewer candidates than this are found and more jobs may be served, the rest comes from all (see `fill`).
    sources
        Whom to ask; default all.

    Returns
    -------
    Candidates
        At least ``min(wanted, jobs that may be served)`` of them, if ``newest`` is among the sources.
    """
    if not len(table):
        return Candidates(_NONE, np.zeros(0, np.uint16), np.zeros(0))
    ask = Ask(view, table, now, 0, gate.codes.get("region", 0), gate.codes.get("function", 0))
    mix = mix_of(sources)
    parts = []
    filtered = gate.filters.active
    for source in mix.sources:
        # What the gate will hold back must not leave a source empty-handed, but neither may a long history cost much.
        slack = source.size if filtered else 0
        limit = source.size + slack + min(gate.barred_count, source.size)
        parts.append(source.read(Ask(view, table, now, limit, ask.region, ask.function)))
    rows, numbers = np.concatenate(parts), np.repeat(mix.numbers, [len(part) for part in parts])
    allowed = gate.allows(rows)
    rows, numbers = rows[allowed], numbers[allowed]
    ranks = _ranks(numbers)
    within = ranks < mix.sizes[numbers]
    found = _merged(mix, rows[within], numbers[within], ranks[within])
    missing = max(wanted, FILTERED if gate.filters.active else 0) - len(found.rows)
    if missing <= 0:
        return found
    more = deeper(ask._replace(limit=gate.barred_count), gate, found.rows, missing, mix)
    if sum(map(len, more.values())) < missing:
        more = fill(view, table, gate, found.rows, missing, mix)
    rows = np.concatenate([rows[within], *more.values()])
    numbers = np.concatenate([numbers[within], *(np.full(len(part), _NUMBER[name]) for name, part in more.items())])
    return _merged(mix, rows, numbers, _ranks(numbers))


def deeper(ask: Ask, gate: Gate, have: Rows, missing: int, mix: Mix) -> dict[str, Rows]:
    """More jobs beyond `have`, from further down the lists of what is popular and new; quick, but maybe not enough.

    Under a filter it gives nothing: these lists know of few filters, and `fill` knows what is alike, too.
    """
    if gate.filters.active:
        return {}
    taken = np.zeros(len(ask.table), np.bool_)
    taken[have] = True
    found: dict[str, Rows] = {}
    for name, upto in (("popular_days", missing * 2 // 3), ("newest", missing)):
        if not mix.sizes[_NUMBER[name]]:
            continue
        limit = upto - sum(map(len, found.values()))
        rows = SOURCES[_NUMBER[name]].read(ask._replace(limit=ask.limit + len(have) + limit))
        rows = rows[gate.allows(rows) & ~taken[rows]][:limit]
        taken[rows] = True
        found[name] = rows
    return found


def blend_of(view: MemberView, table: JobTable, rows: Rows, now: int, sources: tuple[Source, ...] = SOURCES) -> Floats:
    """What the blend says of given rows, whether they may be served or not: 0 for those that no source names."""
    mix = mix_of(sources)
    parts = [source.read(Ask(view, table, now, source.size)) for source in mix.sources]
    found = _merged(
        mix,
        np.concatenate(parts),
        np.repeat(mix.numbers, [len(part) for part in parts]),
        np.concatenate([np.arange(len(part)) for part in parts]),
    )
    where = np.minimum(np.searchsorted(found.rows, rows), max(0, len(found.rows) - 1))
    return np.where(found.rows[where] == rows, found.blend[where], 0.0) if len(found.rows) else np.zeros(len(rows))


def fill(view: MemberView, table: JobTable, gate: Gate, have: Rows, missing: int, mix: Mix) -> dict[str, Rows]:
    """More jobs that may be served, beyond `have`: by likeness, then by popularity over ten days, the rest newest first.

    Only by those of them that are among the sources of `mix`. Walks the whole table, so it is for those whom the sources
    leave short: under a narrow filter, after a long history, or where there are few jobs at all.

    Returns
    -------
    dict
        Rows by name of the source that gives them: `missing` in all, or every job that may be served; fewer without `newest`.
    """
    taken = np.zeros(len(table), np.bool_)
    taken[have] = True
    pool = gate.all_allowed()
    pool = pool[~taken[pool]]
    found: dict[str, Rows] = {}
    done = 0
    for name, upto in (("content", missing // 3), ("popular_days", missing * 2 // 3), ("newest", missing)):
        if not mix.sizes[_NUMBER[name]]:
            continue
        if name == "content":
            values = likeness(view, table)[pool]
            values[values <= 0.0] = -np.inf
        else:
            values = table.columns.scores[pool, DAYS if name == "popular_days" else NEWEST]
        best = highest(values, upto - done, pool, table.ids, table.columns.ties)
        if name != "newest":  # the last one takes also what nothing is known of
            best = best[values[best] > -np.inf]
        found[name] = pool[best]
        done += len(best)
        pool = np.delete(pool, best)
    return found


def _ranks(numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """How many of the same number come before each."""
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers, minlength=len(SOURCES))
    ranks = np.empty(len(numbers), np.intp)
    ranks[order] = np.arange(len(numbers)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks


def _merged(mix: Mix, rows: Rows, numbers: npt.NDArray[np.intp], ranks: npt.NDArray[np.intp]) -> Candidates:
    distinct, where = np.unique(rows, return_inverse=True)
    sources = np.zeros(len(distinct), np.uint16)
    np.bitwise_or.at(sources, where, _BITS[numbers])
    blend = np.bincount(where, weights=mix.weights[numbers] / (_SMOOTHING + ranks), minlength=len(distinct))
    return Candidates(distinct, sources, blend.astype(np.float64))
