"""Some jobs beside one member at one moment: what the expressions of the language are read from, n rows at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from streamrec.features.cells.base import Kept
from streamrec.features.cells.keyed import Keyed
from streamrec.features.cells.last import LatestDistinct
from streamrec.features.cells.top import Top
from streamrec.features.columns import (
    CODED,
    EXPIRES_AT,
    FIRST_AT,
    LABELS,
    LAST_AT,
    NEVER,
    POSTED_AT,
    SKILLS,
    Floats,
    Ints,
    Longs,
    Rows,
)
from streamrec.features.feeds import JOIN
from streamrec.features.language.aggregates import Aggregate
from streamrec.features.language.streams import key_of
from streamrec.features.language.ties import CONNECTIONS_DID
from streamrec.features.seniority import level_of
from streamrec.features.table import JobTable
from streamrec.features.view import APPLIED, CHECKED, DESIRED, LAST, LIKED, RECENT, SOURCES, MemberView, Singles

_COLUMN: Final = {name: index for index, name in enumerate(CODED)}
_TIMES: Final = {"posted_at": POSTED_AT, "expires_at": EXPIRES_AT}
_WORDS: Final = {"interests": RECENT, "profile.desired_titles": DESIRED, "last_title": LAST}
_DID: Final = dict(zip(CONNECTIONS_DID, (CHECKED, LIKED, APPLIED), strict=True))
MINUTE_MS: Final = 60_000
_MISSING: Final = np.float64(np.nan)


class Coded(NamedTuple):
    """Texts by their codes in a vocabulary of the table: of n jobs, or one of the member; 0 where missing."""

    vocabulary: str
    codes: Any


class CodedSets(NamedTuple):
    """Sets of texts of n jobs, by their codes, filled up with 0."""

    vocabulary: str
    codes: Ints


Texts = list[str | None]


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
        What is known of the request: ``surface``.
    """

    def __init__(
        self, view: MemberView, table: JobTable, rows: Rows, now: int, context: Mapping[str, str | None] | None = None
    ) -> None:
        self.view, self.table, self.rows, self.now = view, table, rows, now
        self.context = context or {}
        self.codes: Ints = table.columns.codes[rows]
        self.times: Longs = table.columns.times[rows]
        # What happened in the near future counts in full, not as more than itself.
        self.as_of: Longs = np.maximum(self.times[:, LAST_AT], now)

    # Fields.

    def field(self, origin: str, name: str) -> Any:
        """Values of a field; see the origins in `language.fields`."""
        match origin:
            case "posting":
                return self._of_posting(name)
            case "profile":
                return self._of_profile(name)
            case "job":
                return _times(self.times[:, FIRST_AT if name == "first_at" else LAST_AT])
            case "member":
                return np.float64(getattr(self.view.state, name) or np.nan)
            case _:
                return self._of_context(name)

    def _of_posting(self, name: str) -> Any:
        columns = self.table.columns
        if name in _COLUMN:
            return Coded(name, self.codes[:, _COLUMN[name]])
        if name in LABELS:
            return Coded(name, columns.labels[self.rows, LABELS.index(name)])
        if name == "skills":
            return CodedSets("skill", columns.skills[self.rows])
        if name in _TIMES:
            times = self.times[:, _TIMES[name]]
            return _times(np.where(times == NEVER, 0, times))
        if name == "remote":
            remote = columns.remote[self.rows].astype(np.float64)
            remote[remote < 0.0] = np.nan
            return remote
        if name in ("salary_min", "salary_max"):
            return columns.pay[self.rows, int(name == "salary_max")]
        return self._told(name)

    def _told(self, name: str) -> Any:
        """What the postings say, one by one: for fields that no column holds."""
        said = [None if posting is None else getattr(posting, name) for posting in self._postings]
        if any(isinstance(each, str) for each in said):
            return [key_of(each) if each else None for each in said]
        if any(isinstance(each, tuple) for each in said):
            return said
        return np.array([np.nan if each is None else float(each) for each in said], np.float64)

    @cached_property
    def _postings(self) -> list[Any]:
        postings = self.table.postings
        return [postings[row] if row >= 0 else None for row in self.rows.tolist()]

    def _of_profile(self, name: str) -> Any:
        value = getattr(self.view.state.profile, name, None)
        if isinstance(value, str | tuple) or (value is None and name in ("city", "region")):
            return value
        if isinstance(value, bool | int | float):
            return np.float64(value)
        return value if value is not None else _MISSING

    def _of_context(self, name: str) -> Any:
        if name == "surface":
            return self.context.get("surface")
        at = datetime.fromtimestamp(self.now / 1000, UTC)
        return np.float64(at.hour if name == "hour" else at.weekday())

    def home(self, name: str) -> Coded:
        """Where the member is at home: see `MemberView`."""
        return Coded(name, getattr(self.view, name))

    # Aggregates.

    def aggregate(self, node: Aggregate) -> Any:
        """Values of an aggregate: one of the member, or one a job."""
        if node.by.place == "member":
            return self._of_member(node)
        by = JOIN.join(filter(None, map(self._text_of, node.by.keyed)))
        if node.by.keyed and by.count(JOIN) + 1 + (not by) != len(node.by.keyed):
            return _MISSING
        if node.by.everywhere:
            return self.table.rollups[node].read(by, self.codes, self.now)
        if node.by.keyed:
            columns = self.table.keyed[node.state_key].rows(by, self.rows)
            return node.cell.read(columns, self.as_of)
        return node.cell.read(self._cells[:, self.table.layout[node.state_key]], self.as_of)

    @cached_property
    def _cells(self) -> Floats:
        return self.table.columns.cells[self.rows]

    def _of_member(self, node: Aggregate) -> Any:
        kept, cell = self.view.state.cells.get(node.state_key), node.cell
        as_of = max(self.now, self.view.state.last_at)
        if not node.by.keyed:
            if isinstance(cell, Top):
                return () if kept is None else tuple(cell.weights(kept, as_of))
            if isinstance(cell, LatestDistinct):
                return () if kept is None else tuple(cell.values(kept))
            return np.float64(node.value_in(self.view.state.cells, as_of))
        blank = cell.blank()
        if "job" not in node.by.keyed:
            by = [self._text_of(part) for part in node.by.keyed]
            found = (
                blank
                if kept is None or not all(by)
                else Keyed(cell, node.keep or 0).columns_of(kept, JOIN.join(map(str, by)))
            )
            return cell.read(np.array([found], np.float64), as_of)[0]
        return cell.read(np.array(self._by_job(node, kept, blank), np.float64), as_of)

    def _by_job(self, node: Aggregate, kept: Kept | None, blank: tuple[float, ...]) -> list[tuple[float, ...]]:
        if kept is None:
            return [blank] * len(self.rows)
        keyed, ids = Keyed(node.cell, node.keep or 0), self.table.ids
        parts = node.by.keyed
        rest = [None if part == "job" else self._text_of(part) for part in parts]
        if any(text is None and part != "job" for part, text in zip(parts, rest, strict=True)):
            return [blank] * len(self.rows)
        found = []
        for row in self.rows.tolist():
            if row < 0:
                found.append(blank)
                continue
            texts = [ids[row] if part == "job" else text for part, text in zip(parts, rest, strict=True)]
            found.append(keyed.columns_of(kept, JOIN.join(map(str, texts))))
        return found

    def _text_of(self, part: str) -> str | None:
        """The member's or the request's text in a part of a combined key."""
        origin, _, name = part.partition(".")
        text = getattr(self.view.state.profile, name, None) if origin == "profile" else self.context.get(name)
        return key_of(text) or None

    def within(self, node: Aggregate, ttl_ms: int, values: Any) -> Any:
        """`values`, missing where the aggregate's last event is longer ago than `ttl_ms`."""
        if node.by.place == "member":
            kept = self.view.state.cells.get(node.state_key)
            cell = node.cell if node.keep is None else Keyed(node.cell, node.keep)
            last_at = None if kept is None else cell.last_at(kept)
            return values if last_at is not None and last_at > self.now - ttl_ms else np.full(np.shape(values), np.nan)
        last = self.table.columns.cell_times[self.rows, self.table.timed[node.state_key]]
        return np.where(last > self.now - ttl_ms, values, np.nan)

    def minutes_since(self, at: Any) -> Any:
        """Minutes from times (ms) to now; 0 for a time to come."""
        return np.maximum(self.now - at, 0.0) / MINUTE_MS

    # Texts.

    def same(self, left: Any, right: Any) -> Any:
        """1 where equal, 0 where not, NaN where either is missing."""
        if isinstance(left, Coded) or isinstance(right, Coded):
            coded, other = (left, right) if isinstance(left, Coded) else (right, left)
            if isinstance(other, Coded) and other.vocabulary == coded.vocabulary:
                code = other.codes
            elif isinstance(other, str | None):
                code = self.table.code(coded.vocabulary, other) or (-1 if key_of(other) else 0)  # -1: like no job
            else:
                return self._same_texts(self._texts(left), self._texts(right))
            found = (
                (coded.codes == code).astype(np.float64)
                if isinstance(coded.codes, np.ndarray)
                else np.float64(coded.codes == code)
            )
            return np.where((np.asarray(coded.codes) == 0) | (np.asarray(code) == 0), np.nan, found)
        return self._same_texts(self._texts(left), self._texts(right))

    def _same_texts(self, left: Texts, right: Texts) -> Floats:
        n = max(len(left), len(right))
        pairs = zip(
            left * (n // len(left)) if left else [None] * n,
            right * (n // len(right)) if right else [None] * n,
            strict=True,
        )
        return np.array([np.nan if not a or not b else float(a == b) for a, b in pairs], np.float64)

    def _texts(self, value: Any) -> Texts:
        """Texts as they are compared: of n jobs, or one of the member."""
        if isinstance(value, Coded):
            if not isinstance(value.codes, np.ndarray):
                return [self.table.text(value.vocabulary, value.codes)]
            return [key_of(getattr(each, value.vocabulary, None)) or None for each in self._postings]
        if isinstance(value, list):
            return value
        return [key_of(value) or None if isinstance(value, str) else None]

    def contains(self, texts: Any, text: Any) -> Any:
        """1 where a set has a text; NaN where the set is empty or the text missing."""
        if isinstance(texts, tuple) and isinstance(text, Coded):
            codes = [code for each in texts if (code := self.table.code(text.vocabulary, each))]
            if not codes:
                return _MISSING
            found = np.isin(text.codes, codes).astype(np.float64)
            return np.where(np.asarray(text.codes) == 0, np.nan, found)
        sets, words = self._sets(texts), self._texts(text)
        n = max(len(sets), len(words))
        pairs = zip(sets * n if len(sets) == 1 else sets, words * n if len(words) == 1 else words, strict=False)
        return np.array(
            [np.nan if not some or not word else float(word in some) for some, word in list(pairs)[:n]], np.float64
        )

    def _sets(self, value: Any) -> list[frozenset[str]]:
        if isinstance(value, CodedSets):
            value = [() if each is None else each.skills for each in self._postings]
        if isinstance(value, list):
            return [frozenset(map(key_of, each or ())) - {""} for each in value]
        return [frozenset(map(key_of, value)) - {""} if isinstance(value, tuple) else frozenset()]

    def overlap(self, texts: Any, others: Any) -> Any:
        """Share of each set that is among the others."""
        if isinstance(texts, CodedSets) and isinstance(others, tuple):
            mine = {code for each in others if (code := self.table.code(texts.vocabulary, each))}
            if not mine:
                return _MISSING
            asked, codes = texts.codes, list(mine)
            has = np.isin(asked, codes) if len(codes) > SKILLS else (asked[:, :, None] == codes).any(axis=2)
            count = (asked > 0).sum(axis=1).astype(np.float64)
            share: Floats = np.full(len(self.rows), np.nan)
            np.divide((has & (asked > 0)).sum(axis=1), count, out=share, where=count > 0.0)
            return share
        left, right = self._sets(texts), self._sets(others)
        n = max(len(left), len(right))
        pairs = zip(left * n if len(left) == 1 else left, right * n if len(right) == 1 else right, strict=False)
        return np.array([len(a & b) / len(a) if a and b else np.nan for a, b in list(pairs)[:n]], np.float64)

    def level(self, text: Any) -> Any:
        """Step of a career; NaN for words that name none."""
        if isinstance(text, Coded) and isinstance(text.codes, np.ndarray):
            codes, where = np.unique(text.codes, return_inverse=True)
            return _levels([self.table.text(text.vocabulary, code) for code in codes.tolist()])[where]
        levels = _levels(self._texts(text))
        return levels if isinstance(text, list) else levels[0]

    def place_in(self, text: Any, values: Sequence[str]) -> Floats:
        """Which of `values` each text is; NaN for none of them."""
        places = {value: float(place) for place, value in enumerate(values)}
        found = np.array([places.get(each or "", np.nan) for each in self._texts(text)], np.float64)
        return np.broadcast_to(found, len(self.rows)) if len(found) == 1 else found

    def hashed(self, left: Any, right: Any, buckets: int) -> Floats:
        """The bucket of each pair of texts; NaN where either is missing."""
        n = len(self.rows)
        one, two = (each * n if len(each) == 1 and n != 1 else each for each in (self._texts(left), self._texts(right)))
        return np.array([
            float(crc32(f"{a}{JOIN}{b}".encode()) % buckets) if a and b else np.nan for a, b in zip(one, two, strict=True)
        ], np.float64)  # fmt: skip

    # Ties.

    @cached_property
    def _covisits(self) -> tuple[Singles, npt.NDArray[np.int64]]:
        return self.view.covisits(self.rows)

    @property
    def covisit_scores(self) -> Singles:
        """How strongly each job is tied to the member's recent ones; 0 for none."""
        return self._covisits[0]

    @property
    def covisit_ranks(self) -> npt.NDArray[np.int64]:
        """The order of that: 0 is best, -1 is none."""
        return self._covisits[1]

    def share(self, name: str) -> Singles:
        """Share, by weight, of the member's recent jobs that have the job's code; NaN where either is unknown."""
        weights = self.view.recent_weights[:SOURCES]
        if not len(weights):
            return self._constant(np.nan)
        column = _COLUMN[name]
        recent = self.table.columns.codes[self.view.recent_rows[:SOURCES], column]
        # The sum is 0 where an unknown job came last and the known ones years before.
        shares = weights / (weights.sum() or np.float32(1.0))
        codes = self.codes[:, column]
        # Not `dot`: BLAS may sum a row in another order beside other rows, and equal jobs must have equal values.
        share: Singles = ((codes[:, None] == recent[None, :]) * shares).sum(axis=1)
        share[codes == 0] = np.nan
        return share

    def cosine(self, words: str) -> Singles:
        """Cosine of the title with words of the member; NaN where either has none."""
        return self._overlaps[:, _WORDS[words]]

    @cached_property
    def _overlaps(self) -> Singles:
        words = self.table.titles.words[self.rows]
        says = self.table.titles.idf(words)
        says *= says
        weights = self.view.words(self.table)
        dot = np.einsum("nw,nwk->nk", says, weights[words])
        length = np.sqrt(says.sum(axis=1))[:, None] * self.view.lengths(self.table)
        result: Singles = np.full(dot.shape, np.nan, np.float32)
        np.divide(dot, length, out=result, where=length > 0.0)
        return result

    def desired_coverage(self) -> Singles:
        """How much of one of the desired titles is in the job's title, words weighted by idf²: 1 for all; NaN without any."""
        titles = self.table.titles
        if not self.view.desired_titles:
            return self._constant(np.nan)
        words, best = titles.words[self.rows], self._constant(0.0)
        for codes in self.view.desired_titles:
            says = titles.idf(codes) ** 2
            has = (words[:, :, None] == codes).any(axis=1)
            np.maximum(best, (has * says).sum(axis=1) / says.sum(), out=best)
        return best

    @cached_property
    def _network(self) -> Singles:
        return self.view.network(self.rows)

    def connections_that(self, did: str) -> Singles:
        """How many connections did so much with each job lately."""
        return self._network[:, _DID[did]]

    def connections_at(self) -> Floats | np.float64:
        """How many connections work at the job's company; NaN without connections or company."""
        if not self.view.colleagues:
            return _MISSING
        codes = self.codes[:, _COLUMN["company"]]
        found: Floats = np.zeros(len(codes))
        for code, count in self.view.colleagues.items():
            found[codes == code] = count
        found[codes == 0] = np.nan
        return found

    def beside_best(self, name: str, counted: Aggregate) -> Singles:
        """A count beside that of the most popular job of the member's group; NaN outside the group."""
        result, code = self._constant(np.nan), getattr(self.view, name)
        if code:
            index = self.table.leading(counted)
            region, function = (code, 0) if name == "region" else (0, code)
            leader = self.table.top(index, 1, region=region, function=function)
            if len(leader):
                inside = self.codes[:, _COLUMN[name]] == code
                best = self.table.columns.scores[leader[0], index]
                scores = self.table.columns.scores[self.rows[inside], index]
                result[inside] = np.exp2(np.minimum(scores - best, 0.0))
        return result

    def _constant(self, value: float) -> Singles:
        return np.full(len(self.rows), value, np.float32)


def _times(times: Longs) -> Floats:
    found = times.astype(np.float64)
    found[times == 0] = np.nan
    return found


def _levels(texts: Texts) -> Floats:
    levels = np.array([level_of(each) for each in texts], np.float64)
    levels[levels < 0.0] = np.nan
    return levels
