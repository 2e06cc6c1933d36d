"""What probes do is nobody's doing: no reader of the log finds anything of it, but in the probes' own states."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from streamrec.building.builder import Builder, Past
from streamrec.building.folding import Fold
from streamrec.building.part import Folded
from streamrec.events import (
    Action,
    Connection,
    Impression,
    ImpressionItem,
    ImpressionSeen,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
    Tombstone,
    is_probe,
)
from streamrec.features.fold import fold_member, is_duplicate, remember
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.network import fold_own
from streamrec.features.state import MemberState, Network, pack
from streamrec.models import labels
from streamrec.models.labels import Rules, Source
from streamrec.models.shown import Shown
from streamrec.ranking.examples import is_positive
from streamrec.settings import Settings
from streamrec.topics import topic_of
from streamrec.training.evaluate import SYSTEM, Evaluator
from streamrec.training.offline import Offline
from streamrec.training.replay import Due
from tests.features.parity_log import PLAN, START, some_log
from tests.features.test_parity import streamed

PROBE = "streamrec-probe-0"
SEEDS = range(3)
KINDS = (JobView, JobSave, JobLike, JobApplication, JobDismissal)


def made_by_a_probe(random: Random, number: int, at: int, jobs: list[str]) -> Any:
    """Anything that a member can do."""
    probe = f"streamrec-probe-{random.randrange(3)}"
    place = random.randrange(8)
    said: dict[str, Any] = {"event_id": f"probe-{number}", "member_id": probe, "occurred_at": at}
    if place == 5:
        return Connection(**said, other_member_id=random.choice(("m1", "m2", "streamrec-probe-9")))
    if place == 6:
        return MemberProfile(member_id=probe, company="c1", region="r1", updated_at=at)
    return KINDS[place % 5](**said, job_id=random.choice(jobs))


def watched(log: list[Any], seed: int) -> list[Any]:
    """`log` with two records of probes after each of its own."""
    random, jobs = Random(seed), [record.job_id for record in log if isinstance(record, JobPosting)] or ["j1"]
    with_probes = []
    for number, record in enumerate(log):
        at = getattr(record, "occurred_at", START)
        with_probes += [record, *(made_by_a_probe(random, 2 * number + each, at, jobs) for each in (0, 1))]
    return with_probes


def folded(log: Iterable[Any]) -> Folded:
    with Fold(PLAN) as fold:
        for record in log:
            fold.take(record)
        return fold.finish()


def of_others(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if not is_probe(key)}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_is_as_without_them(seed: int) -> None:
    log = some_log(seed, 150)
    plain, found = folded(log), folded(watched(log, seed))
    assert of_others(found.members) == plain.members
    assert (found.jobs, found.neighbours, found.networks) == (plain.jobs, plain.neighbours, plain.networks)
    assert any(map(is_probe, found.members))


@pytest.mark.parametrize("seed", SEEDS)
def test_stream_and_replay_agree_on_the_probes_themselves(seed: int) -> None:
    log = watched(some_log(seed, 150), seed)
    members, _ = streamed(log, Random(seed))
    live = {key: value for key, value in members.items() if is_probe(key)}
    assert live == {key: value for key, value in folded(log).members.items() if is_probe(key)}
    assert len(live) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_system_in_memory_counts_and_learns_as_without_them(seed: int) -> None:
    log = some_log(seed, 150)
    plain, found = Offline(Settings()), Offline(Settings())
    for records, world in ((log, plain), (watched(log, seed), found)):
        for record in records:
            world.take(record)
    assert plain.model.examples > 0
    assert found.model.state() == plain.model.state()
    assert (of_others(found.members), found.jobs, found.neighbours) == (plain.members, plain.jobs, plain.neighbours)
    assert of_others({key: each for key, each in found.networks.items() if each.version}) == plain.networks


def shown_to(member_id: str, number: int, at: int) -> list[Any]:
    row = b"\x00" * 4 * len(feature_names())
    items = tuple(
        ImpressionItem(job_id=f"j{place}", position=place, score=0.1, p_check=0.1, propensity=1.0, features=row, sources=())
        for place in range(3)
    )  # fmt: skip
    request = f"r{number}"
    impression = Impression(
        request_id=request, member_id=member_id, served_at=at, workflow="jobs", model_name="job_check", model_version=1,
        feature_set=FEATURE_SET, items=items,
    )  # fmt: skip
    seen = ImpressionSeen(
        event_id=f"s{number}", member_id=member_id, occurred_at=at, request_id=request, positions=(0, 1)
    )
    view = JobView(event_id=f"v{number}", member_id=member_id, job_id="j1", occurred_at=at + 1, request_id=request)
    return [impression, seen, view]


def test_a_build_learns_nothing_of_what_probes_are_shown() -> None:
    past: list[Any] = [JobPosting(job_id=f"j{place}", title=f"Nurse {place}") for place in range(6)]
    past += [record for number in range(30) for record in shown_to(f"m{number % 5}", number, START + number * 60_000)]
    probes = [record for number in range(30, 60) for record in shown_to(PROBE, number, START + number * 1000)]
    last = [JobView(event_id="last", member_id="m9", job_id="j2", occurred_at=START + 10**8)]  # closes what is open

    def built(records: list[Any]) -> Builder:
        topics = {topic_of(type(each).__name__).name for each in records}
        builder = Builder(Settings(), {name: f"id-{name}" for name in topics}, {})
        for number, each in enumerate(records):
            at = getattr(each, "occurred_at", getattr(each, "served_at", START))
            builder.take(Past(at, topic_of(type(each).__name__).name, each, 0, number))
        return builder

    plain, found = built(past + last), built(past + probes + last)
    assert plain.learned > 30
    assert found.learned == plain.learned
    assert found.model.state() == plain.model.state()
    assert (found.jobs, of_others(found.passed)) == (plain.jobs, plain.passed)
    assert not found.passed.keys() - plain.passed.keys()


def test_an_evaluation_asks_nothing_on_their_behalf() -> None:
    log = [record for record in some_log(1, 200) if not isinstance(record, Tombstone)]

    def evaluated(records: list[Any], each: int) -> Evaluator:
        dues = [Due(number // each * 1000, "", "", record) for number, record in enumerate(records)]
        evaluator = Evaluator("seen", ["popularity"], Settings())
        evaluator.run(dues, lambda *_: None, lambda: False)
        return evaluator

    plain, found = evaluated(log, 1), evaluated(watched(log, 1), 3)
    assert len(plain.ranks[SYSTEM]) > 10
    assert (found.ranks, found.queries, found.events) == (plain.ranks, plain.queries, plain.events)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_probe_does_is_no_check_and_no_choice(kind: Callable[..., Any]) -> None:
    event = kind(event_id="e", member_id=PROBE, job_id="j1", occurred_at=START)
    other = msgspec.structs.replace(event, member_id="m1")
    assert (labels.check_of(event), is_positive(event)) == (None, False)
    assert (labels.check_of(other) is not None) == is_positive(other) == (kind is not JobDismissal)
    assert fold_member(MemberState(), event) == []
    assert fold_member(MemberState(), other) != []


def test_what_it_is_shown_is_not_kept() -> None:
    impression, seen, _ = shown_to(PROBE, 1, START)
    shown = Shown()
    assert not labels.show(shown, impression, Source("impressions", "id", 0, 1), Rules()).kept
    assert not labels.see(shown, seen)
    assert shown == Shown()


@pytest.mark.parametrize(("one", "other"), [(PROBE, "m1"), ("m1", PROBE)])
def test_nobody_is_connected_with_it(one: str, other: str) -> None:
    network = Network()
    event = Connection(event_id="c", member_id=one, other_member_id=other, occurred_at=START)
    assert fold_own(network, None, event, []) == []
    assert network == Network()


def test_its_state_does_not_grow_and_shows_what_it_dismissed_last() -> None:
    state, sizes = MemberState(), []
    for number in range(400):
        event = JobDismissal(
            event_id=f"e{number}", member_id=PROBE, job_id=f"job-{number:05}", occurred_at=START + number
        )
        assert not is_duplicate(state, event)
        remember(state, event)
        assert fold_member(state, event) == []
        assert state.dismissed == {f"job-{number:05}": START + number}
        assert (state.version, state.last_at) == (number + 1, START + number)
        sizes.append(len(pack(state)))
    assert sizes[-1] == sizes[300] < 700
    fold_member(state, Tombstone(PROBE))
    assert state.dismissed == {}
    assert Action.DISMISS not in [touch.action for touch in state.recent]
