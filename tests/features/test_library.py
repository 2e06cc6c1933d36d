"""Every shipped feature against a slow reading of it from the states of jobs and members, one job at a time."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.events import Action, JobPosting, MemberProfile
from streamrec.features import library
from streamrec.features.columns import tie_of
from streamrec.features.fold import NEIGHBOUR_HALF_LIFE_MS
from streamrec.features.language import Aggregate
from streamrec.features.language.feature import walk
from streamrec.features.library import JOB_COUNTS, MEMBER_COUNTS, POPULARITY
from streamrec.features.matrix import matrix
from streamrec.features.reading import Reading
from streamrec.features.seniority import level_of
from streamrec.features.state import JobState, MemberState, Neighbours, Recent
from streamrec.features.table import JobTable
from streamrec.features.text import tokens
from streamrec.features.view import MemberView, sources
from streamrec.features.windows import DAY_MS, HOUR_MS

LONG_AGO = math.log1p(30 * 24 * 60)
STRENGTH: dict[int, float] = {Action.VIEW: 1.0, Action.LIKE: 2.0, Action.SAVE: 3.0, Action.APPLY: 5.0}


def key(text: str | None) -> str:
    return (text or "").strip().casefold()


class Slow:
    """One member's features by their descriptions, in plain Python."""

    def __init__(self, world: Any, member_id: str) -> None:
        self.world, self.now, self.member_id = world, world.now, member_id
        self.state: MemberState = world.members[member_id]
        self.profile = self.state.profile or MemberProfile(member_id="", updated_at=0)
        recent = [touch for touch in self.state.recent if touch.action != Action.DISMISS]
        self.recent = [
            (t.job_id, STRENGTH[t.action] * 0.9**rank * 2.0 ** (-(recent[0].at - t.at) / (7 * DAY_MS)))
            for rank, t in enumerate(recent)
        ]
        titles = [set(tokens(job.posting.title)) for job in world.jobs.values() if job.posting]
        self.idf = {word: math.log1p(len(titles) / n) for word, n in Counter(w for t in titles for w in t).items()}
        self.covisits = self.covisit([job_id for job_id, _ in self.recent[:20]])
        self.last_covisits = self.covisit([job_id for job_id, _ in self.recent[:1]])

    def posting(self, job_id: str) -> JobPosting | None:
        job: JobState | None = self.world.jobs.get(job_id)
        return job.posting if job else None

    def text(self, job_id: str, name: str) -> str:
        posting = self.posting(job_id)
        return key(getattr(posting, name)) if posting else ""

    def words(self, job_id: str) -> tuple[str, ...]:
        posting = self.posting(job_id)
        return tokens(posting.title) if posting else ()

    def covisit(self, recent: list[str]) -> dict[str, float]:
        scores: dict[str, float] = defaultdict(float)
        for place, job_id in enumerate(recent):
            weight = 0.95**place
            row = self.world.neighbours.get(job_id, Neighbours())
            for other, tie in row.weights.items():
                if other in self.world.jobs:
                    scores[other] += weight * tie * 2.0 ** (-(self.now - row.at) / NEIGHBOUR_HALF_LIFE_MS)
        return scores

    @cache  # noqa: B019 - lives for one test
    def home(self, name: str) -> str:
        said = key(getattr(self.profile, name))
        if said and any(self.text(job_id, name) == said for job_id in self.world.jobs):
            return said
        shares = self.shares(name, self.recent)
        best = max(shares, key=lambda text: shares[text], default="")
        return best if best and shares[best] >= 0.5 * sum(shares.values()) else ""

    def shares(self, name: str, recent: list[tuple[str, float]]) -> dict[str, float]:
        sums: dict[str, float] = {}
        for job_id, weight in recent:
            text = self.text(job_id, name)
            sums[text] = sums.get(text, 0.0) + weight
        return sums

    @cached_property
    def interests(self) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for job_id, weight in self.recent:
            for word in self.words(job_id):
                sums[word] += weight
        for word in self.desired:
            sums[word] += 2
        for word in tokens(self.profile.headline or ""):
            sums[word] += 0.5
        return {word: weight for word, weight in sums.items() if word in self.idf}

    @cached_property
    def desired(self) -> dict[str, float]:
        return {word: 1.0 for title in self.profile.desired_titles for word in tokens(title) if word in self.idf}

    @cached_property
    def last(self) -> dict[str, float]:
        return dict.fromkeys(self.words(self.recent[0][0]), 1.0) if self.recent else {}

    def cosine(self, words: tuple[str, ...], weights: dict[str, float]) -> float:
        dot = sum(weights.get(word, 0.0) * self.idf[word] ** 2 for word in words)
        lengths = [sum(self.idf[w] ** 2 for w in words), sum((x * self.idf[w]) ** 2 for w, x in weights.items())]
        return dot / math.sqrt(lengths[0] * lengths[1]) if all(lengths) else 0.0

    def touchers(self, job_id: str) -> list[tuple[int, float]]:
        """Mark, and jobs touched, of each."""
        job = self.world.jobs.get(job_id, JobState())
        numbers = [int.from_bytes(job.touchers[place + 4 : place + 8]) for place in range(0, len(job.touchers), 8)]
        return [(number >> 8, 2.0 ** ((number & 255) / 24) - 1) for number in numbers]

    @cached_property
    def alike(self) -> tuple[dict[int, float], float]:
        shared: dict[int, float] = defaultdict(float)
        counted: dict[int, list[float]] = defaultdict(list)
        touched = {**self.state.viewed, **self.state.liked, **self.state.saved, **self.state.applied}
        for job_id in touched.keys() - self.state.dismissed.keys():
            for mark, count in self.touchers(job_id):
                if mark != self.state.mark:
                    shared[mark] += 1 / math.sqrt(len(self.touchers(job_id)))
                    counted[mark].append(count)
        return shared, max((shared[mark] / (5 + min(counts)) for mark, counts in counted.items()), default=0.0)

    def resemblance(self, job_id: str) -> float:
        shared, top = self.alike
        found = self.touchers(job_id)
        each = [shared[mark] / (5 + count) for mark, count in found if mark in shared]
        return sum(each) / (3 + len(found)) / top if top else 0.0

    def decayed(self, aggregate: Aggregate, cells: dict[str, Any], now: int) -> float:
        value, at, _ = cells.get(aggregate.state_key, (0.0, 0, 0))
        return float(max(0.0, value * 2.0 ** (min(0, at - now) / aggregate.window.span_ms)))

    def minutes(self, at: int) -> float:
        return math.log1p(max(0, self.now - at) / 60_000) if at else LONG_AGO

    @cache  # noqa: B019
    def group(self, name: str) -> tuple[dict[str, float], float]:
        home = self.home(name)
        values = {
            j: self.decayed(POPULARITY[2], job.cells, self.now)
            for j, job in self.world.jobs.items()
            if self.text(j, name) == home
        }
        rivals = [values[j] for j in values if not (posting := self.posting(j)) or not posting.closed]
        return values, max(rivals, default=0.0)

    def beside(self, job_id: str, name: str) -> float:
        if not self.home(name) or self.text(job_id, name) != self.home(name):
            return 0.0
        values, best = self.group(name)
        return min(1.0, values[job_id] / best) if best else 0.0

    def same(self, job_id: str, name: str, home: bool) -> float:
        mine = self.home(name) if home else key(getattr(self.profile, name))
        return float(bool(mine) and self.text(job_id, name) == mine)

    def share(self, job_id: str, name: str) -> float:
        known = [(job_id, weight) for job_id, weight in self.recent if job_id in self.world.jobs][:20]
        shares, text = self.shares(name, known), self.text(job_id, name)
        return shares.get(text, 0.0) / sum(shares.values()) if text and known else 0.0

    def company_popularity(self, job_id: str) -> float:
        company = self.text(job_id, "company")
        jobs = [job for j, job in self.world.jobs.items() if company and self.text(j, "company") == company]
        kept = [job.cells.get(POPULARITY[2].state_key, (0.0, 0, 0)) for job in jobs]
        return math.log1p(sum(max(0.0, value) * 2.0 ** ((at - self.now) / (10 * DAY_MS)) for value, at, _ in kept))

    def interest(self, name: str, job: JobState, text: str, half_life_days: int, now: int) -> float:
        [aggregate] = (part for part in walk(library.PLAN.find(name).expression) if isinstance(part, Aggregate))
        _, (value, at, _) = job.cells.get(aggregate.state_key, [{}])[0].get(text, (0, (0.0, 0, 0)))
        return float(value * 2.0 ** ((at - now) / (half_life_days * DAY_MS))) if text else 0.0

    def industry_interest(self, job_id: str) -> float:
        function, industry = self.text(job_id, "function"), key(self.profile.industry)
        jobs = [job for j, job in self.world.jobs.items() if function and self.text(j, "function") == function]
        return sum(self.interest("industry_interest", job, industry, 30, self.now) for job in jobs)

    def burst(self) -> float:
        [aggregate] = (
            part for part in walk(library.PLAN.find("member_burst").expression) if isinstance(part, Aggregate)
        )
        quarter = self.now // (HOUR_MS // 4)
        panes = self.state.cells.get(aggregate.state_key, [None, []])[1]
        return float(sum(parts[0] for pane, parts in panes if pane >= quarter - 4))

    @cache  # noqa: B019
    def standings(self, name: str) -> list[str]:
        """The best open jobs by a popularity, or the newest."""
        scores: dict[str, float] = {}
        for job_id, job in self.world.jobs.items():
            posting = job.posting
            if job.removed or (posting and (posting.closed or (posting.expires_at or math.inf) <= self.now)):
                continue
            if name == "new":
                scores[job_id] = (posting.posted_at if posting else 0) or job.first_at
            else:
                aggregate = POPULARITY[("hour", "day", "days").index(name)]
                value, at, _ = job.cells.get(aggregate.state_key, (0.0, 0, 0))
                scores[job_id] = math.log2(value) + at / aggregate.window.span_ms if value > 0.0 else -math.inf
        known = [job_id for job_id, score in scores.items() if score > (0 if name == "new" else -math.inf)]
        return sorted(known, key=lambda job_id: (-scores[job_id], tie_of(job_id)))

    def standing(self, job_id: str, name: str) -> float:
        best = self.standings(name)[:100]
        return math.log1p(best.index(job_id) if job_id in best else 100)

    def strength(self, by: str, cells: dict[str, Any], now: int, weight: float) -> float:
        counted = [part for part in walk(library.PLAN.find(f"{by}_strength").expression) if isinstance(part, Aggregate)]
        values = {str(each).split(",")[0]: self.decayed(each, cells, now) for each in counted}
        viewed = values.pop("count(views")
        return math.log((sum(values.values()) + weight / 7) / (viewed + weight))

    def desired_coverage(self, job_id: str) -> float:
        words, best = set(self.words(job_id)), 0.0
        for title in self.profile.desired_titles:
            wanted = {word: self.idf[word] ** 2 for word in tokens(title) if word in self.idf}
            if wanted:
                best = max(best, sum(says for word, says in wanted.items() if word in words) / sum(wanted.values()))
        return best

    def skill_overlap(self, posting: JobPosting | None) -> float:
        asked = {key(skill) for skill in posting.skills} if posting else set()
        known = {key(skill) for job in self.world.jobs.values() if job.posting for skill in job.posting.skills}
        mine = {key(skill) for skill in self.profile.skills} & known
        return len(asked & mine) / len(asked) if asked and mine else 0.0

    def level_gap(self, posting: JobPosting | None) -> float:
        steps = [level_of(posting.seniority if posting else None), level_of(self.profile.seniority)]
        return 1.0 if min(steps) < 0 else float(abs(steps[0] - steps[1]))

    def pay(self, posting: JobPosting | None) -> float:
        currencies = {key(posting.currency), key(self.profile.currency)} - {""} if posting else set()
        if not posting or len(currencies) > 1 or not self.profile.salary_floor:
            return 0.0
        offers = [offer for offer in (posting.salary_min, posting.salary_max) if offer]
        ratio = sum(offers) / len(offers) / self.profile.salary_floor if offers else 1.0
        return min(1.0, max(-1.0, math.log(ratio)))

    def network(self, job_id: str) -> dict[str, float]:
        network = self.world.networks[self.member_id]
        lately = [act for act in network.acts if act.job_id == job_id and act.at > self.now - 30 * DAY_MS]
        lately = lately if job_id in self.world.jobs else []
        counts = [
            math.log1p(sum(act.action >= least for act in lately)) for least in (Action.VIEW, Action.LIKE, Action.APPLY)
        ]
        company = self.text(job_id, "company")
        colleagues = sum(key(other) == company for other in network.companies.values()) if company else 0
        names = ("network_views", "network_likes", "network_applications")
        return {**dict(zip(names, counts, strict=True)), "network_at_company": math.log1p(colleagues)}

    def row(self, job_id: str) -> dict[str, float]:
        job = self.world.jobs.get(job_id, JobState())
        as_of = max(self.now, job.last_at)
        popularity = [self.decayed(each, job.cells, as_of) for each in POPULARITY]
        counts = [self.decayed(each, job.cells, as_of) for each in JOB_COUNTS]
        mine = [self.decayed(each, self.state.cells, self.now) for each in MEMBER_COUNTS]
        posting = job.posting
        ranked = sorted(self.covisits, key=lambda other: -self.covisits[other])
        remote, wish = posting.remote if posting else None, self.profile.open_to_remote
        return {
            "popularity_hour": math.log1p(popularity[0]),
            "popularity_day": math.log1p(popularity[1]),
            "popularity_days": math.log1p(popularity[2]),
            "job_views": math.log1p(counts[Action.VIEW]),
            "job_likes": math.log1p(counts[Action.LIKE]),
            "job_saves": math.log1p(counts[Action.SAVE]),
            "job_applications": math.log1p(counts[Action.APPLY]),
            "job_dismissals": math.log1p(counts[Action.DISMISS]),
            "save_rate": (counts[Action.SAVE] + 1.0) / (max(counts[Action.VIEW], counts[Action.SAVE]) + 20.0),
            "apply_rate": (counts[Action.APPLY] + 0.4) / (max(counts[Action.VIEW], counts[Action.APPLY]) + 20.0),
            "job_strength": self.strength("job", job.cells, as_of, 20.0),
            "company_popularity": self.company_popularity(job_id),
            "region_popularity": self.beside(job_id, "region"),
            "function_popularity": self.beside(job_id, "function"),
            **{f"standing_{name}": self.standing(job_id, name) for name in ("hour", "day", "days", "new")},
            "job_trend": math.log((popularity[0] + 1.0) / (popularity[1] / 24.0 + 1.0)),
            "region_interest": math.log1p(
                self.interest("region_interest", job, key(self.profile.region), 10, max(self.now, job.last_at))
            ),
            "industry_interest": math.log1p(self.industry_interest(job_id)),
            "posting_age": self.minutes((posting.posted_at if posting else None) or job.first_at),
            "job_idle": self.minutes(job.last_at),
            "covisit": math.log1p(self.covisits.get(job_id, 0.0)),
            "covisit_rank": math.log1p(ranked.index(job_id) if job_id in self.covisits else 100),
            "last_covisit": math.log1p(self.last_covisits.get(job_id, 0.0)),
            "resemblance": math.log(0.04 + self.resemblance(job_id)),
            "title_overlap": self.cosine(self.words(job_id), self.interests),
            "last_title_overlap": self.cosine(self.words(job_id), self.last),
            "company_share": self.share(job_id, "company"),
            "city_share": self.share(job_id, "city"),
            "region_share": self.share(job_id, "region"),
            "industry_share": self.share(job_id, "industry"),
            "function_share": self.share(job_id, "function"),
            "desired_overlap": self.cosine(self.words(job_id), self.desired),
            "desired_coverage": self.desired_coverage(job_id),
            "same_city": self.same(job_id, "city", home=True),
            "same_region": self.same(job_id, "region", home=True),
            "same_company": self.same(job_id, "company", home=False),
            "same_function": self.same(job_id, "function", home=True),
            "same_industry": self.same(job_id, "industry", home=False),
            "remote_match": 0.0 if remote is None or wish is None else float(remote) * (1.0 if wish else -1.0),
            "followed_company": float(
                self.text(job_id, "company") in {key(company) for company in self.profile.followed_companies} - {""}
            ),
            "skill_overlap": self.skill_overlap(posting),
            "level_gap": self.level_gap(posting),
            "pay": self.pay(posting),
            **self.network(job_id),
            "member_idle": self.minutes(self.state.last_at),
            "member_phase#0": float(0 < self.state.last_at > self.now - 30 * 60_000),
            "member_phase#1": float(0 < self.state.last_at <= self.now - 30 * 60_000),
            "member_views": math.log1p(mine[Action.VIEW]),
            "member_interest": math.log1p(mine[Action.LIKE] + mine[Action.SAVE]),
            "member_applications": math.log1p(mine[Action.APPLY]),
            "member_burst": math.log1p(self.burst()),
            "member_save_rate": (mine[Action.SAVE] + 1.0) / (max(mine[Action.VIEW], mine[Action.SAVE]) + 20.0),
            "member_strength": self.strength("member", self.state.cells, max(self.now, self.state.last_at), 5.0),
            "member_apply_rate": (mine[Action.APPLY] + 0.4) / (max(mine[Action.VIEW], mine[Action.APPLY]) + 20.0),
        }


@pytest.mark.parametrize("seed", range(5))
def test_the_matrix_is_what_a_slow_reading_gives(seed: int, make_world: Callable[..., Any]) -> None:
    world = make_world(seed)
    table = world.table()
    job_ids = [*world.jobs, "unknown"]
    for member_id, member in world.members.items():
        neighbours = {j: world.neighbours[j] for j in sources(member) if j in world.neighbours}
        view = MemberView.build(member, neighbours, table, world.now, world.networks[member_id])
        found = matrix(view, table, table.rows(job_ids), world.now)
        slow = Slow(world, member_id)
        for job_id, row in zip(job_ids, found.tolist(), strict=True):
            expected = slow.row(job_id)
            named = dict(zip(library.feature_names(), row, strict=True))
            assert named == pytest.approx(expected, rel=1e-5, abs=1e-5), (member_id, job_id)


@pytest.mark.parametrize("seed", range(3))
def test_rows_do_not_depend_on_their_company(seed: int, make_world: Callable[..., Any]) -> None:
    world = make_world(seed)
    table, member = world.table(), world.members["m0"]
    view = MemberView.build(member, world.neighbours, table, world.now, world.networks["m0"])
    rows = np.arange(len(table), dtype=np.int32)
    whole = matrix(view, table, rows, world.now)
    draw = np.random.default_rng(seed)
    for size in (*[1] * len(rows), *range(2, len(rows) + 1)):  # to the last bit: equal jobs must have equal scores
        some = draw.permutation(rows)[:size]
        assert np.array_equal(matrix(view, table, some, world.now), whole[some])


numbers = st.one_of(st.floats(-1e6, 1e15), st.just(0.0), st.just(5e-324), st.just(1e300))
times = st.one_of(st.just(0), st.integers(0, 4_000_000_000_000))
sums: st.SearchStrategy[list[Any]] = st.builds(list, st.tuples(numbers, times, st.integers(0, 9)))


def kept(aggregates: tuple[Aggregate, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={each.state_key: sums for each in aggregates})


pays = st.none() | st.floats()
words = st.lists(st.sampled_from(["", "a", "A", "b"]), max_size=20).map(tuple)
names = st.sampled_from([None, "", " ", "Bonn", "bonn", "x"])
postings = st.builds(
    JobPosting, job_id=st.just("j"), title=st.sampled_from(["", "!", "Night Nurse", "nurse"]), city=names, region=names,
    company=names, function=names, industry=names, remote=st.sampled_from([None, True, False]), skills=words,
    seniority=names, salary_min=pays, salary_max=pays, currency=names,
    posted_at=st.none() | times, expires_at=st.none() | times, closed=st.booleans(),
)  # fmt: skip
jobs = st.builds(
    JobState, posting=st.none() | postings, removed=st.booleans(), first_at=times, last_at=times,
    cells=kept((*POPULARITY, *JOB_COUNTS)),
)  # fmt: skip
profiles = st.builds(
    MemberProfile, member_id=st.just("m"), city=names, region=names, company=names, function=names, industry=names,
    headline=names, desired_titles=st.sampled_from([(), ("nurse",), ("!",)]),
    open_to_remote=st.sampled_from([None, True]), updated_at=times, skills=words, salary_floor=pays, currency=names,
)  # fmt: skip
touches = st.builds(Recent, st.sampled_from(["j0", "j1", "gone"]), times, st.integers(0, 4))
members = st.builds(
    MemberState, profile=st.none() | profiles, cells=kept(MEMBER_COUNTS), last_at=times,
    recent=st.lists(touches, max_size=3, unique_by=lambda t: t.job_id).map(lambda r: sorted(r, key=lambda t: -t.at)),
)  # fmt: skip
ties = st.dictionaries(st.sampled_from(["j0", "j1", "gone"]), st.floats(0.0, 1e30))


@given(st.lists(jobs, max_size=3), members, st.builds(Neighbours, times, ties), times)
def test_the_matrix_is_finite_whatever_is_stored(states, member, row, now) -> None:  # type: ignore[no-untyped-def]
    table = JobTable(capacity=2)
    for number, state in enumerate(states):
        table.upsert(f"j{number}", state)
    view = MemberView.build(member, {"j0": row, "gone": row}, table, now)
    rows = np.array([-1, *range(len(table))], np.int32)
    found = matrix(view, table, rows, now)
    assert found.shape == (len(rows), len(library.feature_names()))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.isfinite(found).all()


def test_a_stranger_and_an_unknown_job_give_the_defaults() -> None:
    table = JobTable()
    view = MemberView.build(MemberState(), {}, table, 1_700_000_000_000)
    found = matrix(view, table, np.array([-1], np.int32), view.now)
    defaults = [each.default for each in library.PLAN.members(library.JOB_CHECK) for _ in each.columns]
    assert found[0].tolist() == pytest.approx(defaults)


def test_no_rows_give_an_empty_matrix() -> None:
    table = JobTable()
    view = MemberView.build(MemberState(), {}, table, 1_700_000_000_000)
    assert matrix(view, table, np.zeros(0, np.int32), view.now).shape == (0, len(library.feature_names()))


def test_the_order_of_the_set_is_what_it_was() -> None:
    assert list(library.feature_names()) == [
        "popularity_hour", "popularity_day", "popularity_days", "job_views", "job_likes", "job_saves",
        "job_applications", "job_dismissals", "save_rate", "apply_rate", "job_strength", "company_popularity",
        "region_popularity", "function_popularity", "standing_hour", "standing_day", "standing_days", "standing_new",
        "job_trend", "region_interest", "industry_interest", "posting_age", "job_idle", "covisit", "covisit_rank",
        "last_covisit", "resemblance", "title_overlap", "last_title_overlap", "company_share", "city_share", "region_share",
        "industry_share", "function_share", "desired_overlap", "desired_coverage", "same_city", "same_region",
        "same_company", "same_function", "same_industry", "remote_match", "followed_company", "skill_overlap",
        "level_gap", "pay", "network_views", "network_likes", "network_applications", "network_at_company",
        "member_idle", "member_phase#0", "member_phase#1", "member_views", "member_interest", "member_applications",
        "member_burst", "member_save_rate", "member_apply_rate", "member_strength",
    ]  # fmt: skip


def test_words_that_came_after_the_view_was_built_are_read() -> None:
    table = JobTable()
    table.upsert("a", JobState(posting=JobPosting(job_id="a", title="Nurse")))
    view = MemberView.build(MemberState(), {}, table, 1)
    matrix(view, table, np.array([0], np.int32), 1)
    table.upsert("b", JobState(posting=JobPosting(job_id="b", title="Truck driver")))
    assert Reading(view, table, np.array([0, 1], np.int32), 1).ties.cosine("interests").shape == (2,)
