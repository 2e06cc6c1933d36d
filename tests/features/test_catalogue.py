"""What the catalogue says; the golden file holds all of it.

When a feature changes, write the file anew and look at its diff, which says what the change means:

    python -m tests.features.test_catalogue
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamrec.features.catalogue import Catalogue, UnknownFeatureError
from streamrec.features.language import (
    Feature,
    FeatureSet,
    count,
    decay,
    feature,
    job,
    log1p,
    member,
    one_hot,
    posting,
    profile,
    rate,
    same,
    saves,
    views,
)
from streamrec.features.library import PLAN
from streamrec.features.plan import Plan
from streamrec.ranking.catalogue import catalogue

GOLDEN = Path(__file__).parents[1] / "golden" / "catalogue.json"
REMEDY = "if that was meant: python -m tests.features.test_catalogue, and look at the diff"

SEEN = count(views, by=job, window=decay("7d"))


def a_plan() -> Plan:
    """One feature of each kind: versions, a reference, a ttl, a category, a count by a combined key."""
    features = (
        Feature("seen", SEEN, "views lately", "events"),
        Feature("seen", log1p(SEEN), "views lately, on a log scale", "log1p", version=2, owner="jobs team"),
        Feature("seen_by_many", feature("seen@1") > 9.0, "more than nine views", "0, 1", tags=("popularity",)),
        Feature("saved_per_view", rate(saves, views, by=job, window=decay("7d"), prior=0.1, weight=9), "rate", "ratio"),
        Feature("mine", count(views, by=member, window=decay("1d")), "the member's views", "events", ttl="2d"),
        Feature("field_of_work", one_hot(posting.function, "Nursing", "IT"), "of the job", "0, 1"),
        Feature("home", same(posting.city, profile.city), "in the member's city", "0, 1"),
        Feature("seen_there", count(views, by=(job, profile.region), keep=5), "views of the member's region", "events"),
        Feature("at_company", count(views, by=posting.company), "views of all jobs of the company", "events"),
    )
    return Plan(
        features, [FeatureSet("one", ("seen@1", "field_of_work", "seen_by_many")), FeatureSet("two", ("seen",))]
    )


def made() -> Catalogue:
    return Catalogue(a_plan(), {"list": "one", "mail": "one", "page": "two"})


def shown() -> list[dict[str, Any]]:
    """The shipped catalogue without the lines of declarations, which move."""
    entries: list[dict[str, Any]] = json.loads(msgspec.json.encode(catalogue().entries))
    return [{**entry, "site": entry["site"].partition(":")[0]} for entry in entries]


def test_the_shipped_catalogue_is_the_golden_one() -> None:
    golden = {entry["id"]: entry for entry in json.loads(GOLDEN.read_text())}
    found = {entry["id"]: entry for entry in shown()}
    assert list(found) == list(golden), REMEDY
    for name, entry in found.items():
        assert entry == golden[name], f"{name} means something else now; {REMEDY}"


def test_every_feature_of_the_plan_has_an_entry_with_all_that_people_ask_for() -> None:
    assert [entry.id for entry in catalogue().entries] == list(PLAN.features)
    for entry in catalogue().entries:
        assert entry.description, entry.id
        assert entry.expression, entry.id
        assert entry.kinds, entry.id
        assert entry.sources, entry.id
        assert entry.owner, entry.id
        assert entry.site.startswith("streamrec/features/library.py:"), entry.id
    assert {entry.id for entry in catalogue().select(model="job_check")} == {
        feature.id for wanted in PLAN.sets for feature in PLAN.members(wanted)
    }


def test_a_name_is_its_newest_version_and_each_version_is_known() -> None:
    found = made()
    assert (found.find("seen").id, found.find("seen").newest) == ("seen@2", True)
    assert (found.find("seen@1").id, found.find("seen@1").newest) == ("seen@1", False)
    assert (found.find("seen").owner, found.find("seen@1").owner) == ("jobs team", "platform")


def test_models_and_workflows_that_read_a_feature() -> None:
    found = made()
    assert [use.model for use in found.find("seen@1").models] == ["one"]
    assert found.find("seen@1").workflows == ("list", "mail")
    assert found.find("seen@2").workflows == ("page",)
    assert (found.find("mine").models, found.find("mine").workflows) == ((), ())
    [use] = found.find("seen").models
    assert use.feature_set == found.plan.name_of(found.plan.sets[1])


def test_state_is_told_with_whoever_shares_it() -> None:
    found = made()
    [state] = found.find("seen").state
    assert (state.key, state.owner, state.window) == (SEEN.state_key, "job", "decay(7d)")
    assert state.shared_with == ("seen@1", "seen_by_many@1", "saved_per_view@1")
    [mine] = found.find("mine").state
    assert (mine.owner, mine.ttl, mine.shared_with) == ("member", "2d", ())
    [there] = found.find("seen_there").state
    assert there.keeps == "count(views, by=(job, profile.region), window=always, keep=5)"
    assert found.holdings[there.key].keep == 5


def test_what_a_feature_builds_on_is_told_as_declared() -> None:
    entry = made().find("seen_by_many")
    assert entry.features == ("seen@1",)
    assert "feature('seen@1')" in entry.expression
    assert entry.sources == ("job-views.job_id", "job-views.occurred_at")


def test_a_category_has_its_columns() -> None:
    entry = made().find("field_of_work")
    assert (entry.type, entry.columns) == ("category", ("field_of_work=nursing", "field_of_work=it"))


def test_a_posting_that_cells_are_added_up_by_is_a_source_of_the_feature_and_not_of_the_state() -> None:
    found = made()
    entry = found.find("at_company")
    assert "job-postings.company" in entry.sources
    assert "job-postings.company" not in found.holdings[entry.state[0].key].sources


def test_selecting_by_all_of_what_is_given() -> None:
    found = made()
    assert [each.id for each in found.select(owner="jobs team")] == ["seen@2"]
    assert [each.id for each in found.select(tag="popularity", model="one")] == ["seen_by_many@1"]
    assert found.select(tag="popularity", model="two") == ()
    assert found.select() == found.entries
    assert [each.id for each in found.select(entity="pair")] == ["home@1", "seen_there@1"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("sene", ("seen",)), ("seen@3", ("seen@1", "seen@2")), ("seen_by", ("seen_by_many",)), ("xyzzy", ()),
        ("", ()), ("@", ()), ("seen@", ("seen@1", "seen@2")),
    ],
)  # fmt: skip
def test_an_unknown_feature_is_told_with_those_like_it(name: str, near: tuple[str, ...]) -> None:
    with pytest.raises(UnknownFeatureError, match="there is no feature") as caught:
        made().find(name)
    assert caught.value.near == near


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(shown(), indent=1, ensure_ascii=False) + "\n")
