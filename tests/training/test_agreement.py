"""What is compared, when and for whom; that a running system agrees is in ``tests/e2e/test_live.py``."""

from collections.abc import Callable
from typing import Any

from streamrec.events import JobEvent, JobView, MemberProfile
from streamrec.settings import Settings
from streamrec.training.agreement import Agreement
from streamrec.training.evaluate import OFFLINE, SYSTEM, Evaluator, protocol_settings
from streamrec.training.offline import Offline
from streamrec.training.replay import Due
from streamrec.training.system import Listed, Record

Make = Callable[..., Any]


class Forgetful(Offline):
    """Loses one event."""

    def __init__(self, settings: Settings, lost: int | None) -> None:
        super().__init__(settings)
        self._left = lost

    def take(self, record: Record) -> None:
        if self._left is not None and isinstance(record, JobEvent):
            self._left -= 1
            if self._left == -1:
                return
        super().take(record)


def run(log: list[Due], lost: int | None = None, points: int = 5, compared: int = 100) -> tuple[Evaluator, Any]:
    settings = Settings()
    live = Forgetful(protocol_settings(settings, "seen"), lost)
    evaluator = Evaluator("seen", ("popularity",), settings, live, points, compared)
    return evaluator, evaluator.run(log, lambda *_: None, lambda: False).to_json()


def test_two_that_took_the_same_agree_and_measure_the_same(some_log: Make) -> None:
    evaluator, figures = run(some_log(1))
    found = figures["live"]
    assert found["first_difference"] is None
    assert found["differences"] == []
    assert (found["points"], found["members"], found["lists"], found["equal"]) == (5, 8, 40, 40)
    assert found["equal_scores"] == 40
    assert found["queries"]["lists"] == found["queries"]["equal"] == len(evaluator.queries)
    assert evaluator.ranks[SYSTEM] == evaluator.ranks[OFFLINE]
    assert found[OFFLINE]["all"] == figures["all"]
    assert list(figures["baselines"]) == ["popularity"]
    alone = Evaluator("seen", ("popularity",), Settings())
    without = alone.run(some_log(1), lambda *_: None, lambda: False).to_json()
    assert "live" not in without
    assert without["all"] == figures["all"]


def test_a_lost_event_is_told_by_member_point_and_lists(some_log: Make) -> None:
    _, figures = run(some_log(1), lost=30)
    found = figures["live"]
    assert found["equal"] < found["lists"]
    first = found["first_difference"]
    assert first == found["differences"][0]
    assert first["live"] != first["offline"]
    assert first["events"] > 30
    assert len(found["differences"]) == 5


def test_a_difference_says_where_it_begins(posted: Make) -> None:
    live, offline = Offline(Settings()), Offline(Settings())
    for world, jobs in ((live, "ab"), (offline, "abc")):
        for job in jobs:
            world.take(posted(job).event)
    held = Agreement(live, offline, 1, 3)
    held.begin([posted("a")])
    assert held.query(live.answer("ann", 5, 10), "ann", 7, 5, 10) == offline.answer("ann", 5, 10)
    (found,) = held.differences
    assert "member ann, a query (after 7 events, at 5), from rank 3 on" in str(found)
    assert not held.agrees


def test_points_are_spread_over_the_events_and_ask_those_who_acted_last(due: Make, posted: Make) -> None:
    profile = MemberProfile(member_id="silent", updated_at=1)
    log = [posted(f"p{number}") for number in range(50)] + [Due(0, "member-profiles", "silent", profile)]
    log += [due(number, f"m{number % 4}", f"j{number}") for number in range(20)]
    evaluator, figures = run(log, points=4, compared=3)
    held = evaluator.agreement
    assert held is not None
    assert held.members() == ["m3", "m2", "m1"]
    assert [point.lists for point in held.at_points] == [3, 3, 3, 3]
    assert (figures["live"]["points"], figures["live"]["members"]) == (4, 3)
    _, figures = run(log, points=4, compared=100)
    assert figures["live"]["members"] == 5  # with the one who only said something


def test_points_of_the_same_second_are_one(due: Make) -> None:
    _, figures = run([due(0, "ann", "a"), due(0.2, "bob", "b"), due(0.4, "cid", "c")], points=3)
    assert figures["live"]["points"] == 1


def test_equal_orders_with_other_scores_are_told_apart(due: Make) -> None:
    class Louder(Offline):
        def answer(self, member_id: str, now: int, size: int) -> Listed:
            found = super().answer(member_id, now, size)
            return Listed(found.job_ids, [2 * score for score in found.scores])

    evaluator = Evaluator("seen", (), Settings(), Louder(protocol_settings(Settings(), "seen")), 2, 10)
    log = [due(n, f"m{n}", f"j{n}", JobView) for n in range(6)]
    found = evaluator.run(log, lambda *_: None, lambda: False).to_json()["live"]
    assert found["equal"] == found["lists"] > 0
    assert found["equal_scores"] == found["empty"]
