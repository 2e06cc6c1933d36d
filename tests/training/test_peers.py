"""Peers: what they are trained on and when, that they never see what comes later, and that they find what is planted."""

import builtins
import sys
from random import Random
from typing import Any

import numpy as np
import pytest

from streamrec.training.baselines import BASELINES
from streamrec.training.peers import PEERS, MissingPeersError, Peer, baseline

HOUR, DAY = 3_600_000, 86_400_000
START = 1_700_000_000_000


def watched(name: str, every_ms: int) -> tuple[Peer, list[np.ndarray[Any, Any]]]:
    """A peer, and the matrices that it is trained on."""
    seen: list[np.ndarray[Any, Any]] = []
    kind: Any = PEERS[name]

    class Watched(kind):  # type: ignore[misc]
        def _trained(self, matrix: Any) -> Any:
            seen.append(matrix.toarray())
            return super()._trained(matrix)

    made: Peer = Watched(every_ms)
    return made, seen


def some_log(seed: int, events: int = 120) -> list[tuple[str, int, int]]:
    draw, at, log = Random(seed), START, []
    for _ in range(events):
        at += draw.choice((0, 1000, HOUR // 3, 5 * HOUR))
        log.append((f"m{draw.randrange(10)}", min(draw.randrange(30), draw.randrange(30)), at))
    return log


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("every_ms", [0, HOUR, DAY])
def test_what_is_trained_on_is_all_that_was_learned_before_the_query_when_training_was_due(
    name: str, every_ms: int
) -> None:
    peer, seen = watched(name, every_ms)
    expected: list[np.ndarray[Any, Any]] = []
    trained_at, fresh = -10 * DAY, False
    members: dict[str, int] = {}
    past: list[tuple[int, int]] = []
    for number, (member, row, at) in enumerate(some_log(1)):
        if number % 3:  # not every event is asked for
            peer.scores(member, at, 30)
            if member in members and fresh and at - trained_at >= every_ms:
                matrix = np.zeros((len(members), 1 + max(row for _, row in past)))
                for who, what in past:
                    matrix[who, what] += 1
                expected.append(matrix)
                trained_at, fresh = at, False
        peer.learn(member, row, at, first=True)
        past.append((members.setdefault(member, len(members)), row))
        fresh = True
    assert len(seen) == len(expected) == peer.trainings > 3
    for found, matrix in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize("name", PEERS)
def test_the_future_does_not_change_past_scores_and_all_repeats(name: str) -> None:
    def scores(log: list[tuple[str, int, int]]) -> list[list[float]]:
        peer, found = PEERS[name](HOUR), []
        for member, row, at in log:
            found.append(peer.scores(member, at, 30).tolist())
            peer.learn(member, row, at, first=True)
        return found

    log = some_log(2)
    other = [*log[:70], *((member, 29 - row, at) for member, row, at in log[70:])]
    assert scores(log) == scores(log)
    assert scores(log)[:71] == scores(other)[:71]
    assert scores(log) != scores(other)


@pytest.mark.parametrize("name", PEERS)
def test_trainings_are_bounded_by_the_intervals_of_the_log(name: str) -> None:
    peer = PEERS[name](DAY)
    for number in range(600):  # ten days, a query and an action every 24 minutes
        at = START + number * 24 * 60_000
        peer.scores(f"m{number % 7}", at, 40)
        peer.learn(f"m{number % 7}", number % 40, at, first=True)
    assert peer.trainings == 10
    assert 0.0 < peer.seconds < 60.0
    peer.scores("stranger", START + 30 * DAY, 40)  # whom no model could say anything of
    assert peer.trainings == 10
    peer.scores("m1", START + 30 * DAY, 40)
    peer.scores("m1", START + 60 * DAY, 40)  # nothing was learned in between
    assert peer.trainings == 11


@pytest.mark.parametrize("name", PEERS)
def test_jobs_of_the_same_group_come_first_and_what_is_unknown_last_by_popularity(name: str) -> None:
    peer = PEERS[name](0)
    for number in range(400):  # two groups of members, each with ten jobs of its own
        group = number % 2
        peer.learn(f"m{number % 20}", 10 * group + Random(number).randrange(10), START + number, first=True)
    for who, row in (("new", 3), ("other", 20), ("other", 21), ("third", 21)):
        peer.learn(who, row, START + 500, first=True)
    peer.learn("new", 4, START + 501, first=True)
    scores = peer.scores("new", START + 600, 23)
    unseen = [row for row in range(20) if row not in (3, 4)]
    best = sorted(unseen, key=lambda row: -scores[row])[:4]
    assert all(row < 10 for row in best), best
    assert scores[:10].mean() > scores[10:20].mean()
    assert scores[22] < 0.0  # nobody has touched it
    later = PEERS[name](DAY)
    later.learn("a", 0, START, first=True)
    later.scores("a", START, 1)
    for row in (1, 2, 2):
        later.learn(f"b{row}", row, START + 1, first=True)
    scores = later.scores("a", START + 2, 4)
    assert scores[0] > 0.0 > scores[2] > scores[1] > scores[3]  # not trained yet: by popularity, behind
    stranger = later.scores("stranger", START + 2, 4)
    assert stranger[2] == stranger.max()


@pytest.mark.parametrize("name", PEERS)
def test_nobody_and_nothing_has_scores_too(name: str) -> None:
    assert len(baseline(name).scores("stranger", 0, 0)) == 0
    assert len(baseline(name).scores("stranger", 0, 3)) == 3
    peer = baseline(name)
    peer.learn("a", 0, START, first=True)
    assert len(peer.scores("a", START + 1, 1)) == 1  # one member, one job


def test_the_others_are_there_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "implicit":
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **options)

    for name in [name for name in sys.modules if name.partition(".")[0] == "implicit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    for name in BASELINES:
        assert baseline(name) is not None
    for name in PEERS:
        with pytest.raises(MissingPeersError, match=r"pip install 'streamrec\[peers\]'"):
            baseline(name)
