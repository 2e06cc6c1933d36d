"""Each source gives what it says, best first."""

from typing import Any

import pytest

from streamrec.events import JobPosting, MemberProfile
from streamrec.features.library import POPULARITY
from streamrec.features.state import JobState, MemberState, Neighbours, Network, NetworkAct, Recent
from streamrec.features.table import JobTable
from streamrec.features.view import NETWORK_HORIZON_MS, MemberView
from streamrec.ranking.candidates import SOURCES, Ask, explain
from streamrec.ranking.workflows import WORKFLOWS

NOW = 1_700_000_000_000
HOUR = 3_600_000


def table_of(**jobs: JobState) -> JobTable:
    table = JobTable()
    for job_id, state in jobs.items():
        table.upsert(job_id, state)
    return table


def job(title: str = "Cook", hours_old: int = 10, actions: tuple[float, int] | None = None, **fields: Any) -> JobState:
    """A job; `actions` is how many there were, and how many hours ago."""
    state = JobState(posting=JobPosting(job_id="", title=title, posted_at=NOW - hours_old * HOUR, **fields))
    if actions is not None:
        state.cells = {each.state_key: [actions[0], NOW - actions[1] * HOUR, 1] for each in POPULARITY}
    return state


def given_by(name: str, table: JobTable, limit: int = 9, **asked: Any) -> list[str]:
    member = asked.pop("member", MemberState())
    view = MemberView.build(member, asked.pop("neighbours", {}), table, NOW, asked.pop("network", None))
    codes = {column: table.code(column, text) for column, text in asked.items()}
    (source,) = [source for source in SOURCES if source.name == name]
    return [table.ids[row] for row in source.read(Ask(view, table, NOW, limit, **codes)).tolist()]


def living_in(region: str | None = None, **fields: Any) -> MemberState:
    return MemberState(profile=MemberProfile(member_id="m", region=region, updated_at=1, **fields))


def test_the_bits_of_stored_lists_keep_their_meaning() -> None:
    names = [
        "covisited",
        "popular_hour",
        "popular_days",
        "popular_region",
        "popular_function",
        "newest",
        "title",
        "place",
        "network",
        "content",
    ]
    assert [source.name for source in SOURCES] == names
    assert explain(0b1111111111) == names
    assert explain(0) == []
    assert explain(1 << 15 | 1) == ["covisited"]


def test_the_declared_sizes_make_some_three_hundred_candidates() -> None:
    assert 300 <= sum(source.size for source in WORKFLOWS.find("jobs").sources) <= 450


def test_covisited_are_the_neighbours_of_recent_jobs() -> None:
    table = table_of(seen=job(), near=job(), nearer=job(), far=job())
    member = MemberState(recent=[Recent("seen", NOW, 0)])
    row = Neighbours(at=NOW, weights={"near": 1.0, "nearer": 2.0, "gone": 5.0})
    assert given_by("covisited", table, member=member, neighbours={"seen": row}) == ["nearer", "near"]
    assert given_by("covisited", table, 1, member=member, neighbours={"seen": row}) == ["nearer"]


def test_content_asks_for_the_place_first_and_then_for_the_words() -> None:
    table = table_of(
        seen=job("Night Nurse", city="Bonn", region="NRW"), near=job("Night Nurse", city="Bonn", region="NRW"),
        words=job("Night Nurse", city="Kiel", region="SH"), place=job("Cook", city="Bonn", region="NRW"),
        region=job("Cook", city="Köln", region="NRW"), nothing=job("Cook", city="Kiel", region="SH"),
    )  # fmt: skip
    member = MemberState(recent=[Recent("seen", NOW, 0)])
    found = given_by("content", table, member=member)
    assert set(found[:2]) == {"seen", "near"}
    assert set(found[2:]) == {"place", "words", "region"}
    assert found[2] == "place"
    assert given_by("content", table, 2, member=member) == found[:2]


def test_what_connections_liked_comes_by_how_many_they_are() -> None:
    table = table_of(one=job(), two=job(), viewed=job(), old=job())
    done = [("ann", "two", 2), ("bob", "two", 3), ("bob", "one", 1), ("bob", "viewed", 0), ("bob", "gone", 2)]
    acts = [NetworkAct(other, job_id, action, NOW - 1) for other, job_id, action in done]
    acts.append(NetworkAct("ann", "old", 2, NOW - NETWORK_HORIZON_MS))
    network = Network(edges={"ann": 1, "bob": 1}, acts=acts)
    assert given_by("network", table, network=network) == ["two", "one"]
    assert given_by("network", table, 1, network=network) == ["two"]
    assert given_by("network", table) == []


def test_the_short_half_life_prefers_what_is_popular_now() -> None:
    table = table_of(lately=job(actions=(90, 24)), now=job(actions=(5, 0)), never=job())
    assert given_by("popular_hour", table) == ["now", "lately"]
    assert given_by("popular_days", table) == ["lately", "now"]


def test_closed_and_expired_jobs_are_not_popular() -> None:
    table = table_of(
        shut=job(actions=(9, 0), closed=True), over=job(actions=(8, 0), expires_at=NOW), on=job(actions=(1, 0))
    )
    assert given_by("popular_hour", table) == ["on"]


@pytest.mark.parametrize("column", ["region", "function"])
def test_popular_in_the_members_group_takes_both_half_lives_in_turn(column: str) -> None:
    group: dict[str, Any] = {column: "here"}
    table = table_of(
        lately=job(actions=(90, 24), **group), now=job(actions=(5, 0), **group), other=job(actions=(99, 0))
    )
    member = MemberState(profile=MemberProfile(member_id="m", updated_at=1, **{column: "HERE"}))  # type: ignore[arg-type]
    assert given_by(f"popular_{column}", table, 2, member=member) == ["now", "lately"]
    assert given_by(f"popular_{column}", table, 4, member=member) == ["now", "lately", "lately", "now"]
    assert given_by(f"popular_{column}", table) == []


def test_a_filter_by_region_and_function_is_asked_of_the_popular_lists() -> None:
    table = table_of(
        a=job(actions=(9, 0), region="MD", function="f"), b=job(actions=(5, 0), region="MD"), c=job(actions=(7, 0))
    )
    assert given_by("popular_days", table, region="MD") == ["a", "b"]
    assert given_by("popular_hour", table, region="MD", function="f") == ["a"]


def test_the_newest_come_first_wherever_or_in_a_region() -> None:
    table = table_of(old=job(hours_old=9, region="MD"), new=job(hours_old=1), mid=job(hours_old=5, region="MD"))
    assert given_by("newest", table) == ["new", "mid", "old"]
    assert given_by("newest", table, region="MD") == ["mid", "old"]


def test_titles_match_what_was_viewed_and_what_is_desired() -> None:
    table = table_of(seen=job("Night Nurse"), like=job("Nurse"), wish=job("Java Engineer"), none=job("Cook"))
    member = living_in(desired_titles=("java engineer",))
    member.recent = [Recent("seen", NOW, 0)]
    assert set(given_by("title", table, member=member)) == {"seen", "like", "wish"}
    assert given_by("title", table) == []


def test_places_are_the_members_city_then_its_region() -> None:
    table = table_of(
        far=job(hours_old=1, region="NY", city="x"),
        near=job(hours_old=2, region="MD", city="y"),
        home=job(hours_old=3, region="MD", city="x"),
    )
    assert given_by("place", table, member=living_in("md", city="X")) == ["home", "near"]
    assert given_by("place", table) == []
