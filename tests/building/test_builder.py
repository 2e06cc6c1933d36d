"""The builder beside the agents' own rules: what is folded, what is learned, and what is left to the live agents."""

from streamrec.building.builder import LAST_INDEX, Builder, Past
from streamrec.events import (
    Connection,
    Impression,
    ImpressionItem,
    ImpressionSeen,
    JobPosting,
    JobView,
    MemberProfile,
    Tombstone,
    digest_of,
)
from streamrec.features.library import FEATURE_SET, JOB_TOTALS, feature_names
from streamrec.models.passed import Passed, Showings
from streamrec.settings import Settings
from streamrec.stores.positions import Mark
from streamrec.training.offline import Offline

IDS = {
    name: f"id-{name}" for name in ("job-views", "impressions", "impressions-seen", "job-postings", "member-profiles")
}
START = 1_700_000_000_000
WINDOW = 1_800_000
JOBS = [f"job-{number}" for number in range(30)]


def view(number: int, member: str, job: str, at: int, request: str | None = None) -> JobView:
    return JobView(event_id=f"e{number}", member_id=member, job_id=job, occurred_at=at, request_id=request)


def history(count: int = 200) -> list[Past]:
    postings = [Past(START, "job-postings", JobPosting(job_id=job, title=job, posted_at=START), 0, number)
                for number, job in enumerate(JOBS)]  # fmt: skip
    views = [Past(START + 1000 * number, "job-views",
                  view(number, f"m{number % 7}", JOBS[number * 11 % 30], START + 1000 * number), number % 2, number // 2)
             for number in range(count)]  # fmt: skip
    return postings + views


def impression(request: str, at: int) -> Impression:
    row = b"\x00" * 4 * len(feature_names())
    items = tuple(
        ImpressionItem(job_id=job, position=place, score=0.1, p_check=0.1, propensity=1.0, features=row, sources=())
        for place, job in enumerate(JOBS[:3])
    )
    return Impression(
        request_id=request, member_id="ann", served_at=at, workflow="main", model_name="job_check", model_version=1,
        feature_set=FEATURE_SET, items=items,
    )  # fmt: skip


def built(past: list[Past], marks: dict[str, Mark] | None = None, learn: float = 1.0) -> Builder:
    builder = Builder(Settings(), IDS, marks or {}, learn)
    for item in past:
        builder.take(item)
    return builder


def test_it_folds_and_learns_as_the_system_in_memory_does() -> None:
    builder, offline = built(history()), Offline(Settings())
    for item in history():
        offline.take(item.event)  # type: ignore[arg-type]
    assert (builder.members, builder.jobs, builder.neighbours) == (offline.members, offline.jobs, offline.neighbours)
    assert builder.model.state() == offline.model.state()
    assert builder.learned == builder.model.examples > 50


def test_the_table_that_is_made_late_is_the_same() -> None:
    """Jobs are put into the table only when something is learned: that must not be seen in what is learned."""
    marks = {f"job-views/{partition}": Mark(IDS["job-views"], 49, 0) for partition in (0, 1)}
    late = built(history(), marks)
    twice = built([*history(), *history()])
    assert late.jobs == built(history()).jobs
    assert 0 < late.learned < built(history()).learned
    assert twice.duplicates == 200
    assert twice.learned == built(history()).learned


def test_nothing_is_learned_if_not_wanted_and_about_half_if_so() -> None:
    assert built(history(), learn=0.0).model.examples == 0
    assert built(history(), learn=0.0).members == built(history()).members
    assert 0.3 < built(history(), learn=0.5).learned / built(history()).learned < 0.7


def test_what_the_model_has_learned_is_not_learned_again() -> None:
    whole = built(history())
    marks = whole.marks({("job-views", 0): 100, ("job-views", 1): 100, ("job-postings", 0): 30})
    assert marks["job-views/1"] == Mark("id-job-views", 99, LAST_INDEX)
    assert built(history(), marks).learned == 0
    anew = {name: Mark("another topic", 99, LAST_INDEX) for name in marks}
    assert built(history(), anew).learned == whole.learned


def test_shown_lists_are_labelled_and_closed_in_the_order_of_their_log() -> None:
    later = START + WINDOW + 60_000
    past = [
        *history(0),
        Past(START + 10, "impressions", impression("r1", START + 10), 1, 5),
        Past(START + 20, "impressions-seen", ImpressionSeen(
            event_id="s1", member_id="ann", request_id="r1", positions=(0, 1), occurred_at=START + 20), 1, 0),
        Past(START + 30, "job-views", view(1, "ann", JOBS[0], START + 30, "r1"), 1, 0),
        Past(later - 1000, "impressions", impression("r2", later - 1000), 1, 6),
        Past(later, "job-views", view(2, "bob", JOBS[5], later), 0, 0),
    ]  # fmt: skip
    builder = built(past)
    assert {kind: (got.positives, got.negatives) for kind, got in builder.model.learned.items() if kind != "sampled"} == {
        "positive": (1, 0), "closed": (0, 1),  # of three jobs two were seen, one of them was checked
    }  # fmt: skip
    assert [(due.offset, due.request_id) for due in builder.due[1]] == [(6, "r2")]
    assert builder.passed == {"ann": Passed(1, {JOBS[1]: Showings(1.0, START + 10)})}
    past.append(Past(later + 1, "job-views", view(3, "ann", JOBS[1], later + 1), 1, 1))
    assert built(past).passed == {}
    past[-1] = Past(later + 2, "member-profiles", Tombstone("ann"), 0, 1)
    assert built(past).passed == {}
    del past[-1:]
    marks = builder.marks({("impressions", 1): 7, ("job-views", 1): 1})
    assert marks["impressions#closed/1"].offset == 5, "the second one is closed by the live agents"
    again = built(past, marks)
    assert set(again.model.learned) <= {"sampled"}
    assert [due.offset for due in again.due[1]] == [6]


def test_an_erased_member_and_a_removed_job_leave_nothing() -> None:
    profile = MemberProfile(member_id="ann", headline="cook", updated_at=START)
    past = [
        *history(0),
        Past(START, "member-profiles", profile, 0, 0),
        Past(START + 10, "impressions", impression("r1", START + 10), 1, 5),
        Past(START + 11, "job-views", view(1, "ann", JOBS[0], START + 11, "r1"), 1, 0),
        Past(START + 12, "member-profiles", Tombstone("ann"), 0, 1),
        Past(START + 13, "job-postings", Tombstone(JOBS[0]), 0, 31),
    ]
    builder = built(past)
    assert "ann" not in builder.members
    assert "ann" not in builder.shown
    assert builder.jobs[JOBS[0]].removed
    assert JOB_TOTALS[0].value_in(builder.jobs[JOBS[0]].cells, 0) == 1


def connected(number: int, a: str, b: str, at: int) -> Past:
    event = Connection(event_id=f"c{number}", member_id=a, other_member_id=b, occurred_at=at)
    return Past(at, "connections", event, 0, number)


def seen_by(number: int, member: str, job: str, at: int) -> Past:
    return Past(at, "job-views", view(number, member, job, at), 0, number)


def test_connections_are_told_what_each_other_does_as_live() -> None:
    builder = built([connected(0, "ann", "bob", START), seen_by(1, "bob", "job-1", START + 1)])
    assert [(act.member_id, act.job_id) for act in builder.networks["ann"].acts] == [("bob", "job-1")]


def test_a_tombstone_erases_with_connections_and_what_is_older_stays_away() -> None:
    gone = Past(START + 10, "member-profiles", Tombstone("bob"), 0, 0)
    builder = built([
        connected(0, "ann", "bob", START), seen_by(1, "bob", "job-1", START + 1), gone,
        seen_by(2, "bob", "job-2", START + 10), connected(1, "eve", "bob", START + 9), seen_by(3, "bob", "job-3", START + 11),
    ])  # fmt: skip
    assert builder.networks["ann"].acts == []
    assert builder.networks["ann"].edges == {}
    assert "eve" not in builder.members
    assert [touch.job_id for touch in builder.members["bob"].recent] == ["job-3"]
    assert builder.erased == {digest_of("bob"): START + 10}


def test_the_ledger_keeps_members_away_whose_tombstone_is_compacted_away() -> None:
    builder = Builder(Settings(), IDS, {}, 1.0, {digest_of("bob"): START + 10})
    for item in (
        seen_by(1, "bob", "job-1", START + 10),
        seen_by(2, "ann", "job-1", START),
        seen_by(3, "bob", "job-2", START + 11),
    ):
        builder.take(item)
    assert [touch.job_id for touch in builder.members["bob"].recent] == ["job-2"]
    assert builder.members["ann"].recent[0].job_id == "job-1"
