"""Some jobs beside one member at one moment: what the expressions of the language are read from, n rows at once.

Numbers are float64 ``(n,)``, or one for all where they are of the member or of the request. NaN stands for what is missing.
Texts and sets of texts are those of `features.texts`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np

from streamrec.features.cells.base import Kept
from streamrec.features.cells.decay import MOST_LOG2
from streamrec.features.cells.keyed import Keyed
from streamrec.features.cells.last import LatestDistinct
from streamrec.features.cells.top import Top
from streamrec.features.cells.window import MINUTE_MS
from streamrec.features.columns import (
    COLUMN_OF,
    EXPIRES_AT,
    FIRST_AT,
    LABELS,
    LAST_AT,
    NEVER,
    POSTED_AT,
    Floats,
    Ints,
    Longs,
    Rows,
)
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.fields import FIELDS
from streamrec.features.language.keys import joined
from streamrec.features.language.types import Type
from streamrec.features.table import JobTable
from streamrec.features.texts import MISSING, Coded, CodedSets, Numbers, One, OneSet, Plain, set_of, text_of
from streamrec.features.ties import Ties
from streamrec.features.view import MemberView

_TIMES: Final = {"posted_at": POSTED_AT, "expires_at": EXPIRES_AT, "first_at": FIRST_AT, "last_at": LAST_AT}
_PAY: Final = ("salary_min", "salary_max")  # columns of `Columns.pay`


class Decayed(NamedTuple):
    """Decayed counts that are read together, k in number.

    Attributes
    ----------
    keys
        The state key of each.
    columns
        The same of the cell of each, see `cells.base`.
    half_lives
        float64 ``(k,)``, ms.
    """

    keys: list[str]
    columns: list[Callable[[Kept], tuple[float, ...]]]
    half_lives: Floats

    @classmethod
    def of(cls, nodes: Sequence[Aggregate]) -> "Decayed":
        """Of aggregates."""
        half_lives = np.array([node.window.span_ms for node in nodes], np.float64)
        return cls([node.state_key for node in nodes], [node.cell.columns for node in nodes], half_lives)


class Reading:
    """Some jobs beside one member, with one row a job.

    Parameters
    ----------
    view
        The member (see `MemberView.build`).
    table
        The jobs.
    rows
        int32 ``(n,)``; -1 is a job of which nothing is known.
    now
        The moment (ms).
    context
        What is known of the request: ``surface``; default what the view says.

    Attributes
    ----------
    codes
        int32 ``(n, 6)``: codes of the jobs, in the order of `CODED`; 0 where missing.
    gaps
        float64 ``(n, 6)``: NaN there, 0 elsewhere: what is added to a number that needs the text.
    as_of
        int64 ``(n,)``: for each job now or, if that is later, its last event: what is to come counts in full, not as more
        than itself.
    """

    def __init__(
        self, view: MemberView, table: JobTable, rows: Rows, now: int, context: Mapping[str, str | None] | None = None
    ) -> None:
        self.view, self.table, self.rows, self.now = view, table, rows, now
        self.context = view.context if context is None else context
        self._places = rows.astype(np.intp)  # else numpy does that again for each column that is read
        self.codes: Ints = table.columns.codes.take(self._places, axis=0)
        self.gaps = _gaps(self.codes)
        self.times: Longs = table.columns.times.take(self._places, axis=0)
        self.as_of: Longs = np.maximum(self.times[:, LAST_AT], now)

    @cached_property
    def ties(self) -> Ties:
        """What ties the jobs to the member."""
        return Ties(self.view, self.table, self.rows, self.codes, self.gaps)

    # Fields.

    def field(self, origin: str, name: str) -> Any:
        """Values of a field; see the origins in `language.fields`."""
        match origin:
            case "posting":
                return self._of_posting(name)
            case "profile":
                return _single(FIELDS["profile"][name], getattr(self.view.state.profile, name, None))
            case "job":
                return _times(self.times[:, _TIMES[name]])
            case "member":
                return _single(Type.TIME, getattr(self.view.state, name))
            case _:
                return self._of_context(name)

    def _of_posting(self, name: str) -> Any:
        columns = self.table.columns
        if name in COLUMN_OF:
            place = COLUMN_OF[name]
            return Coded(self.table, name, self.codes[:, place], self.gaps[:, place])
        if name in LABELS:
            codes, gaps = self._labels
            place = LABELS.index(name)
            return Coded(self.table, name, codes[:, place], gaps[:, place])
        if name in _PAY:
            return self._pay[:, _PAY.index(name)]
        if name in _TIMES:
            times = self.times[:, _TIMES[name]]
            return _times(np.where(times == NEVER, 0, times) if name == "expires_at" else times)
        if name == "skills":
            return CodedSets(self.table, "skill", columns.skills.take(self._places, axis=0))
        if name == "remote":
            remote = columns.remote.take(self._places)
            return np.where(remote < 0, np.nan, remote)
        return self._told(name)

    @cached_property
    def _labels(self) -> tuple[Ints, Floats]:
        codes = self.table.columns.labels.take(self._places, axis=0)
        return codes, _gaps(codes)

    @cached_property
    def _pay(self) -> Floats:
        return self.table.columns.pay.take(self._places, axis=0)

    def _told(self, name: str) -> Any:
        """What the postings say, one by one: for fields that no column holds."""
        postings = self.table.postings
        said = [getattr(postings[row], name, None) if row >= 0 else None for row in self.rows.tolist()]
        if FIELDS["posting"][name] is Type.TEXT:
            return Plain([text_of(each) for each in said])
        return np.array([np.nan if each is None else each for each in said], np.float64)

    def _of_context(self, name: str) -> Any:
        if FIELDS["context"][name] is Type.TEXT:
            return One(text_of(self.context.get(name)))
        at = datetime.fromtimestamp(self.now / 1000, UTC)
        return np.float64(at.hour if name == "hour" else at.weekday())

    def home(self, name: str) -> One:
        """Where the member is at home: see `MemberView`."""
        return One(self.table.text(name, getattr(self.view, name)))

    def minutes_since(self, at: Numbers) -> Numbers:
        """Minutes from times (ms) to now; 0 for a time to come."""
        age = self.now - at
        return (np.float64(max(age, 0.0)) if isinstance(age, float) else np.maximum(age, 0.0)) / MINUTE_MS

    # Aggregates.

    def aggregate(self, node: Aggregate) -> Any:
        """Values of an aggregate: one of the member, or one a job."""
        if node.by.place == "member":
            return self._of_member(node)
        by = self._key_of(node)
        if by is None:
            return MISSING
        if node.by.everywhere:
            return self.table.rollups[node.text].read(by, self.codes, self.now)
        if node.by.keyed:
            columns = self.table.keyed[node.state_key].rows(by, self.rows)
        else:
            columns = self.table.columns.cells[self._places, self.table.layout[node.state_key]]
        values = node.cell.read(columns, self.as_of)
        if node.ttl_ms is None:
            return values
        last_at = self.table.columns.cell_times[self.rows, self.table.timed[node.state_key]]
        return np.where(last_at >= self.now - node.ttl_ms, values, np.nan)

    def _of_member(self, node: Aggregate) -> Any:
        kept, cell = self.view.state.cells.get(node.state_key), node.cell
        if kept is not None and node.ttl_ms is not None:
            last_at = (cell if node.keep is None else Keyed(cell, node.keep)).last_at(kept)
            if last_at is None or last_at < self.now - node.ttl_ms:
                kept = None
        if kept is None and node.ttl_ms is not None:
            return OneSet(frozenset()) if node.type is Type.TEXTS else MISSING
        as_of = max(self.now, self.view.state.last_at)
        if node.keep is not None:
            return self._of_pairs(node, Keyed(cell, node.keep), kept or [{}], as_of)
        if isinstance(cell, Top):
            return OneSet(set_of([] if kept is None else list(cell.weights(kept, as_of))))
        if isinstance(cell, LatestDistinct):
            return OneSet(set_of([] if kept is None else cell.values(kept)))
        return np.float64(node.value_in(self.view.state.cells, as_of))

    def _of_pairs(self, node: Aggregate, keyed: Keyed, kept: list[Any], as_of: int) -> Numbers:
        """Of what a member keeps by another text besides, or by job."""
        if "job" not in node.by.keyed:
            by = self._key_of(node)
            if by is None:
                return MISSING
            return np.float64(node.cell.read(np.array([keyed.columns_of(kept, by)], np.float64), as_of)[0])
        blank, ids = node.cell.blank(), self.table.ids
        keys = [self._key_of(node, ids[row]) if row >= 0 else None for row in self.rows.tolist()]
        columns = [blank if by is None or by not in kept[0] else keyed.columns_of(kept, by) for by in keys]
        values = node.cell.read(np.array(columns, np.float64).reshape(len(keys), len(blank)), as_of)
        if len(node.by.keyed) > 1:  # the other part may be unknown
            values[[by is None for by in keys]] = np.nan
        return values

    def _key_of(self, node: Aggregate, job_id: str | None = None) -> str | None:
        """The key that `Plan` folds by, of the member, the request and a job; None where a part of it is missing."""
        return joined(node.by.keyed, [job_id if part == "job" else self._part(part) for part in node.by.keyed])

    def _part(self, part: str) -> str | None:
        origin, _, name = part.partition(".")
        said = getattr(self.view.state.profile, name, None) if origin == "profile" else self.context.get(name)
        return said if isinstance(said, str) else None

    # Decayed counts, of which most sets have many: all with one power.

    def decayed_of_jobs(self, counts: Decayed) -> Sequence[Numbers]:
        """Values of decayed counts that are counted by the job alone; as `aggregate` gives them."""
        layout = self.table.layout
        places = np.array([layout[key].start for key in counts.keys], np.intp)
        scores = self.table.columns.cells.take(self._places, axis=0).T[places]
        # Nearly always nothing is to come, and what is taken off is the same for all jobs.
        as_of: Any = self.as_of if self.as_of.max(initial=0) > self.now else self.now
        scores -= as_of / counts.half_lives[:, None]
        np.minimum(scores, MOST_LOG2, out=scores)
        return list(np.exp2(scores, out=scores))

    def decayed_of_member(self, counts: Decayed) -> Sequence[Numbers]:
        """Values of decayed counts that are counted by the member alone; as `aggregate` gives them."""
        cells, as_of = self.view.state.cells, max(self.now, self.view.state.last_at)
        scores = [
            -np.inf if (kept := cells.get(key)) is None else columns(kept)[0]
            for key, columns in zip(counts.keys, counts.columns, strict=True)
        ]
        return list(np.exp2(np.minimum(np.array(scores) - as_of / counts.half_lives, MOST_LOG2)))


def _gaps(codes: Ints) -> Floats:
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
        return 0.0 / codes


def _times(times: Longs) -> Floats:
    return np.where(times == 0, np.nan, times)


def _single(kind: Type, value: Any) -> Any:
    """A value of the member: a text, a set, or a number, NaN where it is missing; a time of 0 is missing, too."""
    match kind:
        case Type.TEXT:
            return One(text_of(value))
        case Type.TEXTS:
            return OneSet(set_of(value or ()))
        case Type.TIME:
            return np.float64(value or np.nan)
        case _:
            return MISSING if value is None else np.float64(value)
