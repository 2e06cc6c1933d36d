"""One member as a ranking sees it: the packed state, joined with the jobs of the table, at one moment."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streamrec.events import Action, MemberProfile
from streamrec.features.columns import CODED, Columns, Floats, Ints, Longs, Rows
from streamrec.features.fold import NEIGHBOUR_HALF_LIFE_MS
from streamrec.features.network import deeds
from streamrec.features.order import descending
from streamrec.features.resemblance import Resemblance, history
from streamrec.features.state import MemberState, Neighbours, Network, Recent
from streamrec.features.table import JobTable
from streamrec.features.text import tokens
from streamrec.features.windows import DAY_MS, fade

Singles = npt.NDArray[np.float32]

SOURCES: Final = 20  # newest recent jobs whose neighbours count
INTEREST_HALF_LIFE_MS: Final = 7 * DAY_MS  # counted from the newest touch, so that a pause changes no proportions
_RANK_FADE: Final = 0.9  # and the 5th job back counts less than the 4th, however quickly they followed each other
_TIE_FADE: Final = 0.95  # what others touched together with the 5th job back counts a little less than with the 4th
# As plain numbers: a member of an enum is looked up anew each time, and numpy asks it for what it is not.
_DISMISS: Final = int(Action.DISMISS)
_STRENGTH: Final[dict[int, float]] = {Action.VIEW: 1.0, Action.LIKE: 2.0, Action.SAVE: 3.0, Action.APPLY: 5.0}
_WORDS: Final = 40  # of a member's profile are kept: those that say most
_TITLES: Final = 8  # desired titles that are looked for
_DESIRED, _HEADLINE = 2.0, 0.5  # weight of a word there; a word of the newest viewed title has 1
_MOST: Final = 1e30  # of a co-visitation score: no job comes near, and float32 holds it whatever is stored
_HOME_SHARE: Final = 0.5  # of the recent jobs must lie in a place before it is taken for the member's
RECENT, DESIRED, LAST = range(3)  # columns of `MemberView.words`
NETWORK_HORIZON_MS: Final = 30 * DAY_MS  # what connections did before that counts no more
CHECKED, LIKED, APPLIED = range(3)  # columns of `MemberView.network_counts`
_LEAST: Final = ((CHECKED, int(Action.VIEW)), (LIKED, int(Action.LIKE)), (APPLIED, int(Action.APPLY)))


class Covisits(NamedTuple):
    """Jobs touched by members who touched the same jobs as this one did lately.

    Attributes
    ----------
    rows
        int32 ``(m,)``.
    scores
        float32 ``(m,)``: how strongly each is tied to the recent jobs.
    ranks
        int64 ``(m,)``: the order of that, 0 is best.
    last
        float32 ``(m,)``: how strongly each is tied to the newest of them.
    """

    rows: Rows
    scores: Singles
    ranks: Longs
    last: Singles


@dataclass(slots=True)
class MemberView:
    """What every reader needs of one member; make it with `build`.

    Attributes
    ----------
    state
        The member's state.
    now
        The moment (ms).
    recent_rows, recent_weights
        Jobs touched last, newest first, without dismissed and unknown ones: int32 and float32 ``(k,)``. A view that
        came last weighs 1; stronger actions weigh more, earlier touches less.
    token_weights
        Weight of each word (by code) in the titles of these jobs, in the desired titles and in the headline.
    desired_weights, last_weights
        The same of the desired titles alone, and of the newest job alone.
    desired_titles
        Codes of the words of each desired title, int32, as far as some title has them; at most `_TITLES`, none empty.
    covisit_rows, covisit_scores
        Jobs touched by members who touched the same jobs: int32 and float32 ``(m,)``, best first.
    city, region, function
        Codes from the profile or, where it does not say, those of at least half of the recent jobs (by weight); 0 where
        unknown.
    network_rows, network_counts
        Jobs that connections did something with lately, ascending, int32 ``(f,)``; and how many of them viewed it or did
        more (`CHECKED`), liked or saved it or applied (`LIKED`), applied (`APPLIED`): float32 ``(f, 3)``.
    colleagues
        How many connections work at a company, by its code.
    context
        What is known of the request.
    """

    state: MemberState
    now: int
    recent_rows: Rows
    recent_weights: Singles
    token_weights: dict[int, float]
    desired_weights: dict[int, float]
    last_weights: dict[int, float]
    desired_titles: list[Ints]
    covisit_rows: Rows
    covisit_scores: Singles
    city: int
    region: int
    function: int
    network_rows: Rows
    network_counts: Singles
    colleagues: dict[int, int]
    context: Mapping[str, str | None]
    _covisits: "Covisits" = field(repr=False)
    _resemblance: Resemblance | None = field(default=None, repr=False)
    _overlap: Floats | None = field(default=None, repr=False)
    _words: Singles | None = field(default=None, repr=False)
    _lengths: Singles | None = field(default=None, repr=False)

    @classmethod
    def build(
        cls, state: MemberState, neighbours: Mapping[str, Neighbours], table: JobTable, now: int,
        network: Network | None = None, context: Mapping[str, str | None] | None = None,
    ) -> "MemberView":  # fmt: skip
        """Join a member's state with the neighbours of its newest jobs, with its network and with the table.

        Parameters
        ----------
        state
            The member; a fresh one for an unknown member.
        neighbours
            Rows of the jobs that `sources` names, as far as there are any.
        table
            All jobs.
        now
            The moment (ms).
        network
            The member's connections; None for none.
        context
            What is known of the request: its ``surface``; None for nothing.
        """
        recent = [touch for touch in state.recent if touch.action != _DISMISS]
        rows = table.rows([touch.job_id for touch in recent])
        weights = _weights(recent)
        tied, order = _covisits(recent, neighbours, table, now)
        known = rows >= 0
        rows, weights = rows[known], weights[known]
        profile = state.profile or _NOBODY
        codes = {
            name: table.code(name, getattr(profile, name)) or _usual(table.columns, name, rows, weights)
            for name in ("city", "region", "function")
        }
        interests, desired, last = _words(profile, rows, weights, table)
        network = network or Network()
        network_rows, network_counts = _network(network, table, now)
        return cls(
            state=state,
            now=now,
            recent_rows=rows,
            recent_weights=weights,
            token_weights=interests,
            desired_weights=desired,
            last_weights=last,
            desired_titles=_titles(profile, table),
            covisit_rows=tied.rows[order],
            covisit_scores=tied.scores[order],
            network_rows=network_rows,
            network_counts=network_counts,
            colleagues=_colleagues(network, table),
            context=context or {},
            _covisits=tied,
            city=codes["city"],
            region=codes["region"],
            function=codes["function"],
        )

    def covisits(self, rows: Rows) -> "Covisits":
        """What ties each of `rows` to the member's recent jobs: scores of 0 and a rank of -1 where nothing does."""
        known = self._covisits
        if not len(known.rows):
            none = np.zeros(len(rows), np.float32)
            return Covisits(rows, none, np.full(len(rows), -1), none)
        place = np.searchsorted(known.rows, rows)
        found = known.rows.take(place, mode="clip") == rows
        scores, last = known.scores.take(place, mode="clip"), known.last.take(place, mode="clip")
        scores *= found
        last *= found
        return Covisits(rows, scores, np.where(found, known.ranks.take(place, mode="clip"), -1), last)

    def network(self, rows: Rows) -> Singles:
        """float32 ``(n, 3)``: the row of `network_counts` of each of `rows`; 0 where connections did nothing."""
        known = self.network_rows
        if not len(known):
            return np.zeros((len(rows), 3), np.float32)
        place = np.searchsorted(known, rows)
        counts = self.network_counts.take(place, axis=0, mode="clip")
        counts *= (known.take(place, mode="clip") == rows)[:, None]
        return counts

    def resemblance(self, table: JobTable) -> Resemblance:
        """Who resembles the member."""
        if self._resemblance is None:
            rows = table.rows(history(self.state))
            self._resemblance = Resemblance(self.state.mark, table.columns.touchers.take(rows[rows >= 0], axis=0))
        return self._resemblance

    def words(self, table: JobTable) -> Singles:
        """float32 ``(len(table.titles), 3)``: weight of each word in `RECENT`, `DESIRED` and `LAST`."""
        if self._words is None or len(self._words) < len(table.titles):
            self._words = np.zeros((len(table.titles), 3), np.float32)
            for column, weights in enumerate(self._profiles()):
                self._words[list(weights), column] = list(weights.values())
        return self._words

    def overlap(self, table: JobTable) -> Floats:
        """float64 ``(len(table),)``: how much each title has in common with `token_weights`, see `Titles.overlap`."""
        if self._overlap is None or len(self._overlap) != len(table):
            self._overlap = table.titles.overlap(self.token_weights, len(table))
        return self._overlap

    def lengths(self, table: JobTable) -> Singles:
        """float32 ``(3,)``: length of the vectors in `words`, each word multiplied by its idf."""
        if self._lengths is None:
            lengths = []
            for weights in self._profiles():
                parts = np.array(list(weights.values()), np.float32) * table.idf(np.array(list(weights), np.int32))
                lengths.append(math.sqrt(float(parts @ parts)))
            self._lengths = np.array(lengths, np.float32)
        return self._lengths

    def _profiles(self) -> tuple[dict[int, float], ...]:
        return self.token_weights, self.desired_weights, self.last_weights


_NOBODY: Final = MemberProfile(member_id="", updated_at=0)


def sources(state: MemberState) -> list[str]:
    """Jobs whose neighbours `MemberView.build` wants, newest first; at most `SOURCES`."""
    return [touch.job_id for touch in state.recent if touch.action != _DISMISS][:SOURCES]


def _weights(recent: list[Recent]) -> Singles:
    weights = [
        _STRENGTH.get(touch.action, 1.0) * _RANK_FADE**rank * fade(recent[0].at - touch.at, INTEREST_HALF_LIFE_MS)
        for rank, touch in enumerate(recent)
    ]
    return np.array(weights, np.float32)


def _covisits(
    recent: list[Recent], neighbours: Mapping[str, Neighbours], table: JobTable, now: int
) -> tuple[Covisits, Longs]:
    """Tied rows in ascending order, and the order of their ranks."""
    names: list[str] = []
    amounts: list[float] = []
    shares: list[float] = []
    sizes: list[int] = []
    newest = 0
    for place, touch in enumerate(recent[:SOURCES]):
        row = neighbours.get(touch.job_id)
        if row is not None and row.weights:
            names += row.weights
            amounts += row.weights.values()
            shares.append(_TIE_FADE**place * fade(max(0, now - row.at), NEIGHBOUR_HALF_LIFE_MS))
            sizes.append(len(row.weights))
            newest = newest or (len(names) if place == 0 else 0)
    rows = table.rows(names)
    known = rows >= 0
    found, place_of = np.unique(rows[known], return_inverse=True)
    weighed: Floats = np.array(amounts, np.float64) * np.repeat(shares, sizes)
    scores = _sums(place_of, weighed[known], len(found))
    weighed[newest:] = 0.0
    last = _sums(place_of, weighed[known], len(found))
    order = descending(scores, table.columns.ties[found])
    ranks = np.empty(len(found), np.int64)
    ranks[order] = np.arange(len(found))
    return Covisits(found, _bounded(scores), ranks, _bounded(last)), order


def _sums(places: npt.NDArray[np.intp], amounts: Floats, count: int) -> Floats:
    return np.bincount(places, weights=amounts, minlength=count).astype(np.float64)


def _bounded(scores: Floats) -> Singles:
    return np.minimum(scores, _MOST).astype(np.float32)


def _network(network: Network, table: JobTable, now: int) -> tuple[Rows, Singles]:
    acts = list(deeds(network, now, NETWORK_HORIZON_MS))
    rows = table.rows(act.job_id for act in acts)
    known = rows >= 0
    found, place = np.unique(rows[known], return_inverse=True)
    actions = np.array([act.action for act in acts], np.int64)[known]
    counts = np.zeros((len(found), 3), np.float32)
    for column, least in _LEAST:
        counts[:, column] = np.bincount(place[actions >= least], minlength=len(found))
    return found, counts


def _colleagues(network: Network, table: JobTable) -> dict[int, int]:
    found: dict[int, int] = {}
    for company in network.companies.values():
        if code := table.code("company", company):
            found[code] = found.get(code, 0) + 1
    return found


def _usual(columns: Columns, name: str, rows: Rows, weights: Singles) -> int:
    """Code that at least `_HOME_SHARE` of the rows have, by weight; 0 if none."""
    codes: Ints = columns.codes[rows, CODED.index(name)]
    sums: dict[int, float] = {}
    for code, weight in zip(codes.tolist(), weights.tolist(), strict=True):
        sums[code] = sums.get(code, 0.0) + weight
    best = max(sums, key=sums.__getitem__, default=0)  # of equal ones that of the newest job
    return best if best and sums[best] >= _HOME_SHARE * sum(sums.values()) else 0


def _words(
    profile: MemberProfile, rows: Rows, weights: Singles, table: JobTable
) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    titles = table.titles
    interests: dict[int, float] = {}
    recent = titles.words[rows].tolist()
    for words, weight in zip(recent, weights.tolist(), strict=True):
        for word in words:
            if not word:
                break  # the filler: the rest is empty
            interests[word] = interests.get(word, 0.0) + weight
    last = {word: 1.0 for word in recent[0] if word} if recent else {}
    desired = {word: 1.0 for title in profile.desired_titles for word in titles.codes_of(tokens(title))}
    for word in desired:
        interests[word] = interests.get(word, 0.0) + _DESIRED
    for word in titles.codes_of(tokens(profile.headline or "")):
        interests[word] = interests.get(word, 0.0) + _HEADLINE
    if len(interests) > _WORDS:
        idf = titles.idf(np.array(list(interests), np.int32))
        says = np.array(list(interests.values())) * idf * idf
        keep = np.argsort(-says, kind="stable")[:_WORDS]
        words = list(interests)
        interests = {words[index]: interests[words[index]] for index in keep.tolist()}
    return interests, desired, last


def _titles(profile: MemberProfile, table: JobTable) -> list[Ints]:
    found = [np.array(table.titles.codes_of(tokens(title)), np.int32) for title in profile.desired_titles[:_TITLES]]
    return [codes for codes in found if len(codes)]
