"""The plan: shared state, what travels, take-backs, time to live, versions, references; and what it refuses."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from streamrec.events import JobSave, JobView, MemberProfile
from streamrec.features.catalogue import Catalogue
from streamrec.features.language import (
    Feature,
    FeatureSet,
    actions,
    always,
    applications,
    below,
    bucketise,
    company,
    contains,
    context,
    count,
    decay,
    distinct,
    feature,
    job,
    latest,
    likes,
    log1p,
    mean,
    member,
    one_of,
    pair,
    posting,
    profile,
    rate,
    saves,
    session,
    sliding,
    total,
    views,
)
from streamrec.features.plan import Plan
from streamrec.features.state import JobState, MemberState, pack, unpack

T, HOUR, DAY, MISSING = 1_750_000_000_000, 3_600_000, 86_400_000, -77.0


def make(name: str, expression: Any, **more: Any) -> Feature:
    return Feature(name, expression, **{"description": "under test", "unit": "1", "default": MISSING, **more})


# Shared state.


def test_ten_features_over_one_counter_keep_one_counter(small: Any) -> None:
    seen = [count(views, by=job, window=decay("7d")) for _ in range(10)]
    site = small(**{f"seen_{place}": each * place for place, each in enumerate(seen)})
    assert len(site.plan.states) == 3 + 1  # those by which jobs are ordered
    assert site.plan.states[seen[0].state_key].features == tuple(f"seen_{place}@1" for place in range(10))
    site.view("a", T)
    assert list(site.jobs["a"].cells) == sorted(site.plan.states)
    assert site.read("a") == {f"seen_{place}": [place] for place in range(10)}


def test_a_changed_definition_fills_beside_the_old_one(small: Any) -> None:
    site = small(
        one=make("seen", count(views, by=job)),
        two=make("seen", count(views.where(surface="home"), by=job), version=2),
    )
    site.view("a", T, surface="home")
    site.view("a", T, surface="mail")
    assert len(site.jobs["a"].cells) == 3 + 2
    for wanted, column, expected in (("seen@1", "seen", 2), ("seen@2", "seen@2", 1), ("seen", "seen@2", 1)):
        [found] = site.plan.members(FeatureSet("model", (wanted,)))  # by its name alone, the newest
        site.features = [found]
        assert site.read("a") == {column: [expected]}
    names = [site.plan.name_of(FeatureSet("model", (wanted,))) for wanted in ("seen@1", "seen@2", "seen")]
    assert names[0] != names[1] == names[2]


def test_cells_that_nobody_knows_are_carried_along(small: Any) -> None:
    site = small(mine=count(views, by=member), seen=count(views, by=job))
    strange = {"ffffffff": [1, {"of": [b"another", "version", None, 2.5]}]}
    site.members["m"], site.jobs["a"] = MemberState(cells=dict(strange)), JobState(cells=dict(strange))
    site.view("a", T)
    for again, state in (
        (unpack(MemberState, pack(site.members["m"])), site.members["m"]),
        (unpack(JobState, pack(site.jobs["a"])), site.jobs["a"]),
    ):
        assert again.cells["ffffffff"] == strange["ffffffff"]
        assert len(again.cells) > 1
        assert pack(again) == pack(state)
    assert site.read("a") == {"mine": [1], "seen": [1]}


def test_equal_states_are_equal_bytes_whatever_came_first(small: Any) -> None:
    events = [("view", "home"), ("like", None), ("save", "mail"), ("apply", None)]
    packed = set()
    for order in (events, events[::-1]):
        site = small(
            a=count(views, by=member), b=count(likes, by=member), c=count(saves, by=(member, saves.surface), keep=3),
            d=count(applications, by=job), e=distinct(views.surface, by=job),
        )  # fmt: skip
        for name, surface in order:
            getattr(site, name)("a", T, surface=surface)
        packed.add((pack(MemberState(cells=site.members["m"].cells)), pack(JobState(cells=site.jobs["a"].cells))))
    assert len(packed) == 1


# What travels.


def test_only_what_is_needed_travels(small: Any) -> None:
    site = small(
        plain=count(likes, by=job),
        filtered=mean(views.where(position=below(3)).dwell_ms, by=job),
        region=count(saves, by=(profile.region, job), keep=3),
        surface=count(saves, by=(job, saves.surface), keep=3),
        mine=count(views.where(surface="home"), by=member),
    )
    site.profile("m", region="MD", city="Olney", company="Acme")
    for act in (site.view, site.like, site.save, site.apply, site.dismiss):
        act("a", T, session_id="secret", surface="home")
    site.view("a", T, position=2, dwell_ms=5)
    site.save("a", T, member_id="nobody")
    assert [each.said for each in site.entries if each.action is not None] == [
        None, None, {"surface": "home", "profile.region": "MD"}, None, None, {"position": 2, "dwell_ms": 5}, None,
    ]  # fmt: skip
    assert site.read("a") == {"plain": [1], "filtered": [5], "region": [1], "surface": [MISSING], "mine": [1]}


def test_the_member_is_counted_without_being_named(small: Any) -> None:
    site = small(people=distinct(views.member_id, by=job))
    for member_id in ("ann", "bob", "ann", "Ann", "\ud800"):
        site.view("a", T, member_id=member_id)
    assert site.read("a", "b") == {"people": [4, 0]}
    said = [each.said["member_id"] for each in site.entries if each.said]
    assert len(said) == 5
    assert not {"ann", "bob", "Ann"} & set(said)
    assert b"ann" not in pack(site.jobs["a"])


def test_what_is_taken_back_says_nothing(small: Any) -> None:
    site = small(by_surface=count(saves, by=(job, saves.surface), keep=3))
    site.save("a", T, surface="home")
    site.save("a", T + 1, saved=False, surface="home")
    assert [(each.sign, each.said) for each in site.entries] == [(1, {"surface": "home"}), (-1, None)]


# Taking back.


@pytest.mark.parametrize("window", [always, decay("1h"), decay("7d"), sliding("1d")])
@pytest.mark.parametrize("by", [member, job])
def test_taking_back_is_exact(window: Any, by: Any, small: Any) -> None:
    site, never = (
        small(saves=count(saves, by=by, window=window), all=count(actions, by=by, window=window)) for _ in "ab"
    )
    for one in (site, never):
        one.view("a", T)
        one.save("a", T + HOUR, member_id="other")
    site.save("a", T + 2 * HOUR)
    site.save("b", T + 2 * HOUR)
    site.save("a", T + 3 * HOUR, saved=False)
    site.save("b", T + 3 * HOUR, saved=False)
    site.save("a", T + 4 * HOUR, saved=False)  # there is nothing more to take back
    found, expected = (one.read("a", "b", now=T + 5 * HOUR) for one in (site, never))
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, abs=1e-9), name


def test_what_cannot_be_taken_back_stays(small: Any) -> None:
    site = small(
        filtered=count(saves.where(surface="home"), by=job), people=distinct(saves.member_id, by=job),
        session=count(saves, by=member, window=session("1h")), surface=count(saves, by=(member, saves.surface), keep=2),
        pair=count(saves, by=pair, keep=2),
    )  # fmt: skip
    site.save("a", T, surface="home")
    site.save("a", T, saved=False, surface="home")
    assert site.read("a", surface="home") == {
        name: [1] for name in ("filtered", "people", "session", "surface", "pair")
    }


# Time to live.


def test_a_time_to_live(small: Any) -> None:
    seen, mine = count(views, by=job), count(views, by=member)
    site = small(
        job=make("job", seen, ttl="1d"), member=make("member", mine, ttl="1d"),
        pair=make("pair", count(views, by=pair, keep=5), ttl="1d"), ever=seen,
    )  # fmt: skip
    site.view("a", T)
    site.view("a", T + HOUR)
    alive = {"job": [2, MISSING], "member": [2, 2], "pair": [2, 0], "ever": [2, 0]}
    assert site.read("a", "b", now=T + HOUR + DAY) == alive
    gone = {"job": [MISSING] * 2, "member": [MISSING] * 2, "pair": [MISSING] * 2, "ever": [2, 0]}
    assert site.read("a", "b", now=T + HOUR + DAY + 1) == gone
    site.view("a", T + 3 * DAY)  # it starts anew, whatever else shares its events
    site.view("a", T + HOUR)  # it had been dropped by then
    again = {"job": [1, MISSING], "member": [1, 1], "pair": [1, 0], "ever": [4, 0]}
    assert site.read("a", "b", now=T + 3 * DAY) == again


def test_lists_have_a_time_to_live(small: Any) -> None:
    site = small(has=make("has", contains(latest(views.surface, by=member, k=3), posting.city), ttl="1d"))
    site.post("a", city="home")
    site.view("a", T, surface="home")
    assert site.read("a", now=T) == {"has": [1]}
    assert site.read("a", now=T + DAY + 1) == {"has": [MISSING]}


# References and versions.


def test_features_build_on_each_other(small: Any) -> None:
    site = small(
        sum=make("sum", feature("first") + feature("second@1"), entity="pair"),
        first=make("first", count(views, by=job) * 10, version=2),
        old=make("first", count(views, by=job)),
        second=make("second", mean(views.dwell_ms, by=member), default=5.0),
    )
    assert site.plan.find("sum").entity == "pair"
    site.view("a", T)
    assert site.read("a", "b")["sum"] == [15, 5]  # the default of what is missing
    site.view("b", T, dwell_ms=7)
    assert site.read("a", "b")["sum"] == [17, 17]


def test_a_time_to_live_is_that_of_the_feature_that_counts(small: Any) -> None:
    site = small(
        inner=make("inner", count(views, by=company), default=0.0),
        outer=make("outer", count(views, by=job) + feature("inner"), ttl="1d"),
    )
    site.post("a", company="Acme")
    site.view("a", T)
    assert site.read("a", now=T)["outer"] == [2]
    assert site.read("a", now=T + 2 * DAY) == {"inner": [1], "outer": [MISSING]}


def test_kinds_are_counted() -> None:
    plan = Plan([make("a", log1p(count(views, by=job))), make("b", log1p(count(likes, by=job)))])
    kinds = Counter(kind for entry in Catalogue(plan, {}).entries for kind in entry.kinds)
    assert kinds == {"log1p": 2, "count over always": 2}


# What cannot be.


def test_two_of_one_name_are_refused(refused: Callable[..., None]) -> None:
    one = make("x", posting.salary_min)
    two = make("x", posting.salary_max)
    refused(
        lambda: Plan([one, two]), f"two features are x@1; the other one is at {one.site}",
        "give one another name or, if its meaning changes, another version", two.site.line,
    )  # fmt: skip
    assert list(Plan([one, make("x", posting.salary_max, version=2)]).features) == ["x@1", "x@2"]


def test_cycles_are_refused(refused: Callable[..., None]) -> None:
    remedy = "have one of them say its expression itself"
    a, b, c = make("a", feature("b") + 1), make("b", log1p(feature("c"))), make("c", feature("a") * 2)
    refused(lambda: Plan([a, b, c]), "a cycle: a@1 → b@1 → c@1 → a@1", remedy, a.site.line)
    itself = make("x", feature("x") + 1)
    refused(lambda: Plan([itself]), "a cycle: x@1 → x@1", remedy, itself.site.line)


def test_references_to_nothing_are_refused(refused: Callable[..., None]) -> None:
    seen = make("job_views", count(views, by=job))
    typo = make("x", feature("job_view") + 1)
    refused(
        lambda: Plan([seen, typo]),
        "x reads the feature 'job_view', which nobody declares", "declare it, or use job_views", typo.expression.site.line,
    )  # fmt: skip
    newer = make("x", feature("job_views@2") + 1)
    refused(
        lambda: Plan([seen, newer]),
        "x reads the feature 'job_views@2', which nobody declares", "there is job_views@1", newer.expression.site.line,
    )  # fmt: skip
    parts = make("parts", bucketise(posting.salary_min, 1), default=0.0)
    of_parts = make("x", feature("parts") + 1)
    refused(
        lambda: Plan([parts, of_parts]),
        "x reads parts@1, which is a category", "read what it is made of", of_parts.expression.site.line,
    )  # fmt: skip
    wrong = make("wrong", feature("job_views") + 1, entity="member")
    refused(
        lambda: Plan([seen, wrong]), "wrong says that it is about member, and its expression is about job",
        'say entity="job" or leave it out', wrong.site.line,
    )  # fmt: skip


def test_sets_that_cannot_be_are_refused(refused: Callable[..., None]) -> None:
    features = [make("x", posting.salary_min), make("x", posting.salary_max, version=2), make("hour", context.hour)]

    def wants(*names: str) -> FeatureSet:
        return FeatureSet("model", names)

    line = wants.__code__.co_firstlineno + 1
    refused(
        lambda: Plan(features, [wants("x@3")]),
        "the model model asks for x@3, and nobody computes it", "there is x@1, x@2", line,
    )  # fmt: skip
    refused(
        lambda: Plan(features, [wants("hours")]),
        "the model model asks for hours, and nobody computes it", "declare it, or use hour", line,
    )  # fmt: skip
    refused(
        lambda: Plan(features, [wants("unheard_of")]),
        "the model model asks for unheard_of, and nobody computes it", "declare it, or leave it out", line,
    )  # fmt: skip
    refused(
        lambda: Plan(features, [wants("x@2", "x")]),
        "the model model asks for x@2 twice", "leave one of them out", line,
    )  # fmt: skip


def test_a_missing_part_of_a_key_counts_nothing() -> None:
    plan = Plan([make("x", count(actions.where(surface=one_of("home", " ")), by=(profile.region, job), keep=3))])
    cells: dict[str, Any] = {}
    view = JobView(event_id="e", member_id="m", job_id="a", occurred_at=T, surface="home")
    for region in (None, " "):
        said = plan.travels(view, MemberProfile(member_id="m", updated_at=T, region=region))
        plan.fold_job(cells, 0, said, T)
    assert cells == {}
    assert plan.travels(JobSave(event_id="e", member_id="m", job_id="a", occurred_at=T), None) is None


def test_values_that_are_missing_make_no_cell() -> None:
    plan = Plan([make("x", total(views.dwell_ms, by=member)), make("y", rate(saves, views, member, always, 0.0, 1.0))])
    cells: dict[str, Any] = {}
    plan.fold_member(cells, JobView(event_id="e", member_id="m", job_id="a", occurred_at=T), T)
    assert len(cells) == 1
