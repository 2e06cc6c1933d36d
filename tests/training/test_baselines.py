"""Each baseline against its definition, in plain Python over all that happened."""

import math
from collections.abc import Callable
from random import Random

import pytest

from streamrec.training.baselines import BASELINES, Baseline, CoVisitation, Popularity, SessionKnn

HOUR, DAY = 3_600_000, 86_400_000
Log = list[tuple[str, int, int]]  # member, row, at
ROWS = 12


def some_log(seed: int, events: int = 300, members: int = 15) -> Log:
    draw = Random(seed)
    at, log = 1_700_000_000_000, []
    for _ in range(events):
        at += draw.choice((0, 1000, HOUR, 5 * HOUR))
        log.append((f"m{draw.randrange(members)}", min(draw.randrange(ROWS), draw.randrange(ROWS)), at))
    return log


def firsts(log: Log) -> list[bool]:
    return [pair not in {(m, r) for m, r, _ in log[:number]} for number, (*pair_, _) in enumerate(log)
            for pair in [tuple(pair_)]]  # fmt: skip


def told(baseline: Baseline, log: Log) -> Baseline:
    for (member, row, at), first in zip(log, firsts(log), strict=True):
        baseline.learn(member, row, at, first)
    return baseline


def popularity(log: Log, half_life: float, now: int) -> list[float]:
    sums = [0.0] * ROWS
    for (_, row, at), first in zip(log, firsts(log), strict=True):
        sums[row] += 2.0 ** (-(now - at) / half_life) if first else 0.0
    return sums


def sessions(log: Log, length: int) -> dict[str, list[tuple[int, int]]]:
    """Distinct rows of each member with the time of the last touch, newest first."""
    found: dict[str, list[tuple[int, int]]] = {}
    for member, row, at in log:
        rest = [touch for touch in found.get(member, []) if touch[0] != row]
        found[member] = [(row, at), *rest][:length]
    return found


def covisitation(log: Log, member: str, now: int) -> list[float]:
    scores = [0.0] * ROWS
    mine = sessions(log, 20).get(member, [])
    for number, ((who, row, at), first) in enumerate(zip(log, firsts(log), strict=True)):
        for other, then in sessions(log[:number], 20).get(who, []) if first else []:
            tie = 2.0 ** (-(at - then) / (3 * DAY)) * 2.0 ** (-(now - at) / (30 * DAY))
            for rank, (own, _) in enumerate(mine):
                scores[row] += tie * 0.8**rank * (own == other)
                scores[other] += tie * 0.8**rank * (own == row)
    return scores


def session_knn(log: Log, member: str, now: int) -> list[float]:
    scores = [0.0] * ROWS
    everybody = sessions(log, 30)
    mine = [row for row, _ in everybody.get(member, [])]
    for other, theirs in everybody.items():
        rows = [row for row, _ in theirs]
        shared = [row for row in rows if row in mine]
        if other == member or not shared:
            continue
        age = now - theirs[0][1]
        likeness = sum(math.exp(-mine.index(row) / 8) for row in shared) * math.exp(-age / (5 * DAY))
        for place, row in enumerate(rows):
            scores[row] += likeness * math.exp(-abs(place - rows.index(shared[0])) / 5)
    return scores


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("half_life", [math.inf, HOUR, 10 * DAY])
def test_popularity_is_a_fading_count_of_members(seed: int, half_life: float) -> None:
    log = some_log(seed)
    now = log[-1][2] + HOUR
    found = told(Popularity(half_life), log).scores("m0", now, ROWS)
    assert [2.0 ** (score - now / half_life) for score in found] == pytest.approx(popularity(log, half_life, now))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("make", "oracle"), [(CoVisitation, covisitation), (SessionKnn, session_knn)])
def test_scores_are_as_defined_and_popularity_comes_behind(
    seed: int, make: Callable[[], Baseline], oracle: Callable[[Log, str, int], list[float]]
) -> None:
    log = some_log(seed, events=60)
    now = log[-1][2] + HOUR
    baseline = told(make(), log)
    popular = popularity(log, 10 * DAY, now)
    for member in ("m0", "m1", "m2", "stranger"):
        found, expected = baseline.scores(member, now, ROWS).tolist(), oracle(log, member, now)
        own = [row for row in range(ROWS) if expected[row] > 0]
        scale = found[own[0]] / expected[own[0]] if own else 1.0  # all ties fade alike: they are kept as of the begin
        assert [found[row] for row in own] == pytest.approx([scale * expected[row] for row in own])
        behind = [row for row in range(ROWS) if expected[row] == 0]
        assert all(found[row] < 0 for row in behind)
        assert sorted(behind, key=lambda row: -found[row]) == sorted(behind, key=lambda row: -popular[row])


@pytest.mark.parametrize("name", BASELINES)
def test_nobody_and_nothing_has_scores_too(name: str) -> None:
    assert len(BASELINES[name]().scores("stranger", 0, 0)) == 0
    assert len(BASELINES[name]().scores("stranger", 0, 3)) == 3


def test_arrays_grow_with_the_log() -> None:
    for make in BASELINES.values():
        baseline = make()
        for number in range(3000):
            baseline.learn(f"m{number % 1500}", number, number, first=True)
        assert len(baseline.scores("m1", 3000, 3000)) == 3000
