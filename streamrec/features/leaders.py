"""The best jobs of all and of groups (a region, a function, a city) by one score, without sorting all jobs again."""

from typing import Final, NamedTuple

import numpy as np

from streamrec.features.columns import CODED, EXPIRES_AT, NEVER, NEWEST, Bools, Columns, Floats, Rows
from streamrec.features.order import descending

_CITY, _REGION, _FUNCTION = (CODED.index(name) for name in ("city", "region", "function"))
_ROOM: Final = 4  # a pool that has grown by this factor is built anew
_SMALLEST: Final = 256  # rows in a pool, if there are as many
_POOLS: Final = 20_000
_NO_ROW: Final = np.int32(np.iinfo(np.int32).max)


class Group(NamedTuple):
    """What is compared (a column of `Columns.scores`) among which jobs; code 0 means any. Of a city, only `NEWEST`."""

    score: int
    region: int = 0
    function: int = 0
    city: int = 0


class Standings(NamedTuple):
    """Which place each of the best rows has.

    Attributes
    ----------
    rows
        int32 ``(m,)``, ascending; the last one, above all, is no row.
    places
        float64 ``(m,)``, from 0.
    """

    rows: Rows
    places: Floats


class _Pool:
    """All open rows of a group whose score is at least `floor`, and maybe some that no longer are."""

    __slots__ = ("built", "expires_at", "floor", "members", "order", "standings")

    def __init__(self, members: set[int], floor: float) -> None:
        self.members, self.floor, self.built = members, floor, len(members)
        self.order: Rows | None = None  # the rows that qualify, best first
        self.expires_at = -1  # the first of them, ms
        self.standings: tuple[int, Standings] | None = None  # of so many, while none of them expires


class Leaders:
    """Best open rows of each group that was asked for.

    A score changes only when its row is written, so the rows above a floor can be followed: who rises above it joins.
    Asking sorts some hundreds of rows; all rows are looked at only when a pool has become too large or too small.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._pools: dict[Group, _Pool] = {}

    def written(self, row: int, codes: tuple[int, ...], scores: tuple[float, ...]) -> None:
        """Note that `row` was written; if its codes changed, call it with the former ones, too.

        Parameters
        ----------
        row
            The row.
        codes
            Its codes, in the order of `CODED`.
        scores
            Its first columns of `Columns.scores`, up to `NEWEST`.
        """
        region, function, city = codes[_REGION], codes[_FUNCTION], codes[_CITY]
        for index, score in enumerate(scores):
            self._note((index, 0, 0, 0), row, score)
            if region:
                self._note((index, region, 0, 0), row, score)
                if function:
                    self._note((index, region, function, 0), row, score)
            if function:
                self._note((index, 0, function, 0), row, score)
            if city and index == NEWEST:
                self._note((index, 0, 0, city), row, score)
                self._note((index, region, 0, city), row, score)

    def _note(self, group: tuple[int, int, int, int], row: int, score: float) -> None:
        pool = self._pools.get(group)  # type: ignore[call-overload]  # a plain tuple is equal to its Group, and quicker
        if pool is not None and (score >= pool.floor or row in pool.members):
            pool.members.add(row)
            pool.order = None

    def best(self, group: Group, limit: int, now: int | None = None) -> Rows:
        """Up to `limit` open rows of `group`, best first, equal ones by `Columns.ties`; without those expired at `now` (ms)."""
        pool = self._pools.get(group)
        if pool is None or len(pool.members) > _ROOM * max(pool.built, _SMALLEST):
            pool = self._build(group, 2 * limit)
        while True:
            order = self._order(group, pool)
            if now is not None and now >= pool.expires_at:
                order = order[self._columns.times[order, EXPIRES_AT] > now]
            if len(order) >= limit or pool.floor == -np.inf:
                return order[:limit]
            pool = self._build(group, max(2 * limit, 2 * pool.built))

    def standings(self, group: Group, limit: int, now: int) -> Standings:
        """The same as places by row."""
        best = self.best(group, limit, now)
        pool = self._pools[group]
        if pool.standings is not None and pool.standings[0] == limit and now < pool.expires_at:
            return pool.standings[1]
        order = np.argsort(best)
        found = Standings(np.append(best[order], _NO_ROW), np.append(order, 0).astype(np.float64))
        if now < pool.expires_at:
            pool.standings = limit, found
        return found

    def _belong(self, group: Group, rows: Rows | slice) -> Bools:
        mask = ~self._columns.closed[rows]
        mask &= self._columns.scores[rows, group.score] > -np.inf
        for column, code in ((_REGION, group.region), (_FUNCTION, group.function), (_CITY, group.city)):
            if code:
                mask &= self._columns.codes[rows, column] == code
        return mask

    def _build(self, group: Group, size: int) -> _Pool:
        size = max(size, _SMALLEST)
        rows = np.flatnonzero(self._belong(group, slice(None)))
        floor = -np.inf
        if len(rows) > size:
            scores = self._columns.scores[rows, group.score]
            floor = float(np.partition(scores, len(rows) - size)[len(rows) - size])
            rows = rows[scores >= floor]
        if len(self._pools) >= _POOLS:
            self._pools.clear()  # bounded memory; what is asked for again is built again
        pool = self._pools[group] = _Pool(set(rows.tolist()), floor)
        return pool

    def _order(self, group: Group, pool: _Pool) -> Rows:
        if pool.order is None:
            rows = np.fromiter(pool.members, np.int32, len(pool.members))
            scores = self._columns.scores[rows, group.score]
            keep = self._belong(group, rows)
            keep &= scores >= pool.floor
            rows, scores = rows[keep], scores[keep]
            pool.order = rows[descending(scores, self._columns.ties[rows])]
            pool.order.flags.writeable = False  # it is given out as it is
            pool.expires_at = int(self._columns.times[rows, EXPIRES_AT].min(initial=NEVER))
            pool.standings = None
        return pool.order
