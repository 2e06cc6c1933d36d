"""Labels from impressions and actions: examples by hand, and any order of arrival against a slow and obvious oracle."""

from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamrec.events import (
    Action,
    Impression,
    ImpressionItem,
    ImpressionSeen,
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobSave,
    JobView,
    TrainingExample,
)
from streamrec.models import labels
from streamrec.models.labels import Rules, Source
from streamrec.models.shown import Shown, pack, unpack

AT = 1_700_000_000_000
MINUTE = 60_000
RULES = Rules(window_ms=30 * MINUTE)
SOURCE = Source("job-views#labels", "id", 1, 7)
EVENTS = {Action.VIEW: JobView, Action.LIKE: JobLike, Action.SAVE: JobSave, Action.APPLY: JobApplication}


def impression(request: str = "r1", jobs: str = "abc", at: int = AT, **changes: Any) -> Impression:
    items = tuple(
        ImpressionItem(
            job_id=job, position=place, score=1.0, p_check=0.25, propensity=0.5, features=job.encode() * 8, sources=()
        )
        for place, job in enumerate(jobs)
    )
    made = Impression(
        request_id=request, member_id="m", served_at=at, surface="home", workflow="jobs", model_name="job_check",
        model_version=3, feature_set="f/1", items=items,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def event(job: str, action: Action = Action.VIEW, at: int = AT + MINUTE, request: str | None = None) -> JobEvent:
    made: JobEvent = EVENTS[action](
        event_id=f"{job}-{action}-{at}", member_id="m", job_id=job, occurred_at=at, request_id=request
    )
    return made


def show(shown: Shown, *args: Any, **kwargs: Any) -> list[TrainingExample]:
    return labels.show(shown, impression(*args, **kwargs), SOURCE, RULES).examples


def act(shown: Shown, job: str, action: Action = Action.VIEW, **kwargs: Any) -> list[TrainingExample]:
    return labels.act(shown, event(job, action, **kwargs), action, SOURCE, RULES).examples


def close(shown: Shown, request: str = "r1") -> TrainingExample | None:
    return labels.close(shown, "m", request, AT + 30 * MINUTE, SOURCE)


def rows(examples: list[TrainingExample]) -> list[tuple[str, str, float, float, float]]:
    """Kind, job, label, weight and weight for the score of every row."""
    return [
        (example.kind, *row)
        for example in examples
        for row in zip(example.job_ids, example.labels, example.weights, example.score_weights, strict=True)
    ]


def test_a_check_is_a_positive_when_it_arrives_and_the_rest_negatives_at_the_closing() -> None:
    shown = Shown()
    assert show(shown) == []
    [positive] = act(shown, "b")
    assert positive == TrainingExample(
        event_id=f"b-0-{AT + MINUTE}", member_id="m", occurred_at=AT + MINUTE, source_topic="job-views#labels",
        source_topic_id="id", source_partition=1, source_offset=7, source_index=0, surface="home", feature_set="f/1",
        job_ids=("b",), labels=(1.0,), weights=(1.0,), features=b"b" * 8, kind="positive", request_id="r1", rows_shown=3,
        score_weights=(1.0,), positions=(1,), propensities=(0.5,), served_p=(0.25,), model_version=3,
    )  # fmt: skip
    closed = close(shown)
    assert closed is not None
    # The whole list; what has been learned already weighs nothing.
    assert rows([closed]) == [
        ("closed", "a", 0.0, 1.0, 1.0), ("closed", "b", 1.0, 0.0, 0.0), ("closed", "c", 0.0, 1.0, 1.0),
    ]  # fmt: skip
    assert (closed.hit, closed.rows_shown, closed.features) == (1, 3, b"a" * 8 + b"b" * 8 + b"c" * 8)
    assert close(shown) is None


def test_a_stronger_action_adds_what_the_weights_differ_by_and_a_weaker_one_nothing() -> None:
    shown = Shown()
    show(shown)
    made = [row for action in (Action.SAVE, Action.VIEW, Action.APPLY, Action.LIKE) for row in act(shown, "a", action)]
    assert rows(made) == [("positive", "a", 1.0, 1.0, 3.0), ("positive", "a", 1.0, 0.0, 2.0)]


def test_a_late_check_takes_the_negative_back() -> None:
    shown = Shown()
    show(shown)
    assert close(shown) is not None
    late = act(shown, "a", Action.SAVE, request="r1", at=AT + 45 * MINUTE)
    assert rows(late) == [("correction", "a", 1.0, 1.0, 3.0), ("correction", "a", 0.0, -1.0, -1.0)]
    assert rows(act(shown, "a", Action.APPLY, request="r1", at=AT + 46 * MINUTE)) == [("positive", "a", 1.0, 0.0, 2.0)]


def test_an_action_without_a_request_belongs_to_the_newest_list_before_it_within_the_window() -> None:
    shown = Shown()
    show(shown, "r1", "ab", AT)
    show(shown, "r2", "ab", AT + 5 * MINUTE)
    show(shown, "r3", "ab", AT + 9 * MINUTE)
    [example] = act(shown, "a", at=AT + 7 * MINUTE)
    assert example.request_id == "r2"
    [example] = act(shown, "a", at=AT + 8 * MINUTE, request="r1")
    assert example.request_id == "r1"
    assert not labels.act(shown, event("a", at=AT + 40 * MINUTE), Action.VIEW, SOURCE, RULES).matched
    assert not labels.act(shown, event("z"), Action.VIEW, SOURCE, RULES).matched
    assert not labels.act(shown, event("z", request="r1"), Action.VIEW, SOURCE, RULES).matched
    assert not labels.act(shown, event("a", request="r9"), Action.VIEW, SOURCE, RULES).matched


def test_an_impression_that_comes_after_the_action_learns_it_then() -> None:
    shown = Shown()
    assert act(shown, "a") == act(shown, "b", Action.SAVE, request="r1") == act(shown, "c", request="r0") == []
    examples = show(shown)
    assert rows(examples) == [("positive", "a", 1.0, 1.0, 1.0), ("positive", "b", 1.0, 1.0, 3.0)]
    assert [example.source_index for example in examples] == [0, 1]


def test_a_late_impression_that_fits_better_takes_the_check_over() -> None:
    shown = Shown()
    show(shown, "r1", "ab", AT)
    act(shown, "a", at=AT + 5 * MINUTE)
    assert close(shown, "r1") is not None
    moved = show(shown, "r2", "ab", AT + 4 * MINUTE)
    assert [(row[1], example.request_id) for example in moved for row in rows([example])] == [
        ("a", "r2"), ("a", "r1"), ("a", "r1"),
    ]  # fmt: skip
    assert rows(moved) == [
        ("positive", "a", 1.0, 1.0, 1.0),
        ("correction", "a", 1.0, -1.0, -1.0),
        ("correction", "a", 0.0, 1.0, 1.0),
    ]


def test_what_was_not_seen_is_never_a_negative_and_can_be_a_positive() -> None:
    for early in (True, False):
        shown = Shown()
        report = ImpressionSeen(event_id="s", member_id="m", request_id="r1", positions=(1,), occurred_at=AT)
        for step in (report, impression()) if early else (impression(), report):
            if isinstance(step, Impression):
                labels.show(shown, step, SOURCE, RULES)
            else:
                assert labels.see(shown, step)
        assert rows(act(shown, "c")) == [("positive", "c", 1.0, 1.0, 1.0)]
        closed = close(shown)
        assert closed is not None
        assert rows([closed]) == [("closed", "b", 0.0, 1.0, 1.0), ("closed", "c", 1.0, 0.0, 0.0)]
        assert closed.rows_shown == 3
        assert not labels.see(shown, report)
        assert rows(act(shown, "a", at=AT + 29 * MINUTE)) == [("positive", "a", 1.0, 1.0, 1.0)]


def test_reports_of_what_was_seen_add_up_and_none_seen_means_no_negative() -> None:
    shown = Shown()
    show(shown)
    for positions in ((), (0,), (2, 0)):
        labels.see(
            shown, ImpressionSeen(event_id="s", member_id="m", request_id="r1", positions=positions, occurred_at=AT)
        )
        assert shown.lists[0].seen == sorted(positions)
    nothing = Shown()
    show(nothing)
    labels.see(nothing, ImpressionSeen(event_id="s", member_id="m", request_id="r1", positions=(), occurred_at=AT))
    assert close(nothing) is None
    assert nothing.lists[0].closed


def test_an_impression_is_taken_once() -> None:
    shown = Shown()
    show(shown)
    act(shown, "a")
    again = labels.show(shown, impression(), SOURCE, RULES)
    assert again == labels.Entered([], kept=True, duplicate=True)
    assert not labels.show(shown, impression("r2", ""), SOURCE, RULES).kept


def test_closed_impressions_make_room_first_and_an_open_one_that_has_to_go_is_counted() -> None:
    rules = Rules(window_ms=RULES.window_ms, kept=2)
    shown = Shown()
    for number in range(2):
        labels.show(shown, impression(f"r{number}", at=AT + number), SOURCE, rules)
    labels.close(shown, "m", "r1", AT, SOURCE)
    assert labels.show(shown, impression("r2", at=AT + 2), SOURCE, rules).dropped == 0
    assert [known.request_id for known in shown.lists] == ["r2", "r0"]
    assert labels.show(shown, impression("r3", at=AT + 3), SOURCE, rules).dropped == 1
    assert [known.request_id for known in shown.lists] == ["r3", "r2"]
    assert labels.show(shown, impression("old", at=AT - 3), SOURCE, rules) == labels.Entered([], kept=False)
    labels.close(shown, "m", "r2", AT, SOURCE)
    labels.show(shown, impression("r4", at=AT + 3 * RULES.window_ms), SOURCE, rules)
    assert [known.request_id for known in shown.lists] == ["r4", "r3"]


def test_a_list_is_a_hit_by_its_first_ten_positions_only() -> None:
    for job, hit in (("a", 1), ("k", 0), (None, 0)):
        shown = Shown()
        show(shown, jobs="abcdefghijkl")
        if job:
            act(shown, job)
        closed = close(shown)
        assert closed is not None
        assert closed.hit == hit
    deep = Shown()
    items = tuple(msgspec.structs.replace(item, position=item.position + 10) for item in impression().items)
    labels.show(deep, impression(items=items), SOURCE, RULES)
    closed = close(deep)
    assert closed is not None
    assert closed.hit == -1


def test_without_a_model_there_is_no_probability_as_served() -> None:
    shown = Shown()
    items = tuple(msgspec.structs.replace(item, p_check=None) for item in impression().items)
    labels.show(shown, impression(items=items), SOURCE, RULES)
    assert act(shown, "a")[0].served_p == ()


@pytest.mark.parametrize(
    "undone",
    [
        JobSave(event_id="e", member_id="m", job_id="a", occurred_at=AT, saved=False),
        JobLike(event_id="e", member_id="m", job_id="a", occurred_at=AT, liked=False),
        JobDismissal(event_id="e", member_id="m", job_id="a", occurred_at=AT),
    ],
)
def test_what_is_taken_back_or_dismissed_is_no_check(undone: JobEvent) -> None:
    assert labels.check_of(undone) is None


def test_every_positive_action_is_a_check() -> None:
    assert [labels.check_of(event("a", action)) for action in EVENTS] == list(EVENTS)


# Any order of arrival.

JOBS = "abcd"
_lists = st.lists(
    st.tuples(st.integers(0, 50), st.lists(st.sampled_from(JOBS), min_size=1, unique=True)), min_size=1, max_size=4
)
_actions = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(JOBS), st.sampled_from(list(EVENTS)), st.none() | st.integers(0, 3)),
    max_size=8,
)


def expected(shows: list[Impression], actions: list[JobEvent], reports: dict[str, set[int]]) -> dict[Any, Any]:
    """By (request, job) the label, its weight and its weight for the score: every action looks at every list."""
    strongest: dict[tuple[str, str], float] = {}
    for action in actions:
        fitting = [
            made
            for made in shows
            if action.job_id in {item.job_id for item in made.items}
            and (
                made.request_id == action.request_id
                if action.request_id is not None
                else made.served_at <= action.occurred_at <= made.served_at + RULES.window_ms
            )
        ]
        if fitting:
            owner = min(fitting, key=lambda made: (-made.served_at, made.request_id))
            kind = labels.check_of(action)
            assert kind is not None
            row = (owner.request_id, action.job_id)
            strongest[row] = max(strongest.get(row, 0.0), RULES.weights[kind])
    learned = {}
    for made in shows:
        for item in made.items:
            row = (made.request_id, item.job_id)
            if row in strongest:
                learned[row] = (1.0, 1.0, strongest[row])
            elif item.position in reports.get(made.request_id, {item.position}):
                learned[row] = (0.0, 1.0, 1.0)
    return learned


def net(examples: list[TrainingExample]) -> dict[Any, Any]:
    """What is learned of each row once everything is added up."""
    sums: dict[tuple[str | None, str, float], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for example in examples:
        for _, job, label, weight, score_weight in rows([example]):
            assert example.kind == "correction" or (weight >= 0 and score_weight >= 0)
            total = sums[example.request_id, job, label]
            total[0] += weight
            total[1] += score_weight
    left = {key: total for key, total in sums.items() if total != [0.0, 0.0]}
    found = {(request, job): (label, *total) for (request, job, label), total in left.items()}
    assert len(found) == len(left), "a row is both a positive and a negative"
    return found


@pytest.mark.slow
@settings(max_examples=400)
@given(_lists, _actions, st.dictionaries(st.integers(0, 3), st.sets(st.integers(0, 3)), max_size=2), st.data())
def test_any_order_of_arrival_learns_the_same(
    shows: list[Any], acts: list[Any], seen: dict[int, set[int]], data: st.DataObject
) -> None:
    made = [impression(f"r{number}", "".join(jobs), AT + at * MINUTE) for number, (at, jobs) in enumerate(shows)]
    actions = [
        msgspec.structs.replace(
            event(job, action, AT + at * MINUTE, None if named is None else f"r{named}"), event_id=f"e{number}"
        )
        for number, (at, job, action, named) in enumerate(acts)
    ]
    reports = {f"r{number}": positions for number, positions in seen.items()}
    arriving: list[Any] = [*made, *actions]
    for request, positions in reports.items():
        arriving.append(
            ImpressionSeen(
                event_id=request, member_id="m", request_id=request, positions=tuple(positions), occurred_at=AT
            )
        )
    steps = data.draw(st.permutations(arriving))
    for one in made:  # each is closed at any time after it arrived and was reported on
        first = 1 + max(
            place for place, step in enumerate(steps)
            if not isinstance(step, JobEvent | str) and step.request_id == one.request_id
        )  # fmt: skip
        steps.insert(data.draw(st.integers(first, len(steps))), one.request_id)
    shown, examples = Shown(), []
    for step in steps:
        shown = unpack(pack(shown))
        if isinstance(step, str):
            closed = close(shown, step)
            examples += [closed] if closed else []
        elif isinstance(step, Impression):
            examples += labels.show(shown, step, SOURCE, RULES).examples
        elif isinstance(step, ImpressionSeen):
            assert labels.see(shown, step)
        else:
            kind = labels.check_of(step)
            assert kind is not None
            examples += labels.act(shown, step, kind, SOURCE, RULES).examples
    assert net(examples) == expected(made, actions, reports)
