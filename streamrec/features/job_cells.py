"""What is kept of the aggregates of jobs, as numbers by row of the table: where each one stands, and how they are written."""

from collections.abc import Mapping, Sequence

from streamrec.features.columns import Columns
from streamrec.features.keyed_columns import KeyedColumns
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.plan import Plan
from streamrec.features.rollups import Rollup
from streamrec.features.state import JobState


class JobCells:
    """The aggregates of a plan that are counted by the job.

    Parameters
    ----------
    plan
        Whose.

    Attributes
    ----------
    layout, timed, keyed, rollups
        As of `JobTable`.
    blank
        `Columns.cells` of a job of which nothing is known.
    """

    def __init__(self, plan: Plan) -> None:
        self.layout: dict[str, slice] = {}
        self.timed: dict[str, int] = {}
        self.keyed: dict[str, KeyedColumns] = {}
        blank: list[float] = []
        states = [each for each in plan.states.values() if each.aggregate.by.place == "job"]
        for each in states:
            if each.ttl_ms is not None:
                self.timed[each.key] = len(self.timed)
            if each.aggregate.by.keyed:
                self.keyed[each.key] = KeyedColumns(each.cell, each.aggregate.keep or 0)
            else:
                self.layout[each.key] = slice(len(blank), len(blank) + each.cell.width)
                blank.extend(each.cell.blank())
        self.blank = tuple(blank)
        self._placed = [
            (each.key, self.layout[each.key], each.cell.columns) for each in states if each.key in self.layout
        ]
        self._timed = [(each.key, self.timed[each.key], each.last_at) for each in states if each.key in self.timed]
        self._rolled = [(each.state_key, Rollup(each.cell, each.by.rolled)) for each in plan.rollups]
        self.rollups = {each.text: rollup for each, (_, rollup) in zip(plan.rollups, self._rolled, strict=True)}

    def places(self, wanted: Sequence[Aggregate]) -> list[int]:
        """First column of each aggregate in `Columns.cells`; raises ValueError where the plan does not count one."""
        unknown = [str(each) for each in wanted if each.state_key not in self.layout]
        if unknown:
            raise ValueError(f"the plan does not count {', '.join(unknown)}: declare a feature of each")
        return [self.layout[each.state_key].start for each in wanted]

    def write(self, columns: Columns, row: int, state: JobState) -> list[float]:
        """Take over a job's cells, and add it up anew; what is counted by the job alone is returned."""
        found, cells = list(self.blank), state.cells
        before = [self._by_text(columns, row, key) for key, _ in self._rolled]
        for key, place, columns_of in self._placed:
            kept = cells.get(key)
            if kept is not None:
                found[place] = columns_of(kept)
        for key, keyed in self.keyed.items():
            keyed.write(row, cells.get(key))
        for key, column, last_at in self._timed:
            kept = cells.get(key)
            columns.cell_times[row, column] = 0 if kept is None else last_at(kept) or 0
        columns.cells[row] = found
        for (key, rollup), rows in zip(self._rolled, before, strict=True):
            now = self._by_text(columns, row, key)
            if now != rows:
                rollup.change(tuple(columns.codes[row].tolist()), rows, now)
        return found

    def move(self, columns: Columns, row: int, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """A job has other codes now: its counts go along."""
        for key, rollup in self._rolled:
            rollup.move(before, after, self._by_text(columns, row, key))

    def _by_text(self, columns: Columns, row: int, key: str) -> Mapping[str, tuple[float, ...]]:
        """What is kept of a job under a state key, by the texts of the aggregate's own."""
        if key in self.keyed:
            return dict(self.keyed[key].of(row))
        return {"": tuple(columns.cells[row, self.layout[key]].tolist())}
