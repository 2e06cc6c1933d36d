import pytest

from streamrec.features.holding import HELD_ANYWAY, cell_of, holdings_of, read_by
from streamrec.features.language import (
    Feature,
    company,
    connections_at,
    connections_that,
    cooccurrence,
    cosine,
    count,
    decay,
    home,
    interests,
    job,
    member,
    one_hot,
    posting,
    profile,
    rank,
    resemblance,
    same,
    saves,
    views,
)
from streamrec.features.language.fields import FIELDS
from streamrec.features.language.streams import TOPIC_OF
from streamrec.features.language.types import types_of
from streamrec.features.library import PLAN
from streamrec.features.plan import Plan

FIELDS_OF = {
    **{topic: set(types_of(record)) for record, topic in TOPIC_OF.items()},
    "job-postings": {"job_id", *FIELDS["posting"]}, "member-profiles": {"member_id", *FIELDS["profile"]},
    "request": set(FIELDS["context"]),
}  # fmt: skip


def test_every_source_is_a_field_of_a_record() -> None:
    for holding in holdings_of(PLAN).values():
        for source in holding.sources:
            topic, _, name = source.partition(".")
            assert name in FIELDS_OF[topic], source
    for feature in PLAN.features.values():
        for source in read_by(feature.expression).fields:
            topic, _, name = source.partition(".")
            assert name in FIELDS_OF[topic], source


@pytest.mark.parametrize(
    ("expression", "holdings", "fields"),
    [
        (posting.title, (), ("job-postings.title",)),
        (cosine(posting.title, interests), ("MemberState.recent",),
         ("job-postings.title", "member-profiles.desired_titles", "member-profiles.headline")),
        (cosine(posting.title, profile.desired_titles), (), ("job-postings.title", "member-profiles.desired_titles")),
        (rank(cooccurrence()), ("MemberState.recent", "Neighbours.weights"), ()),
        (resemblance(), ("JobState.touchers", "MemberState.viewed"), ()),
        (connections_that("applied"), ("Network.acts",), ()),
        (connections_at(posting.company), ("Network.companies",), ("job-postings.company",)),
        (same(posting.city, home(profile.city)), ("MemberState.recent",), ("job-postings.city", "member-profiles.city")),
        (one_hot(posting.function, "it"), (), ("job-postings.function",)),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_read_of_the_state_and_what_straight(
    expression: object, holdings: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    found = read_by(expression)  # type: ignore[arg-type]
    assert (found.holdings, found.fields) == (holdings, fields)


def test_cells_added_up_by_company_are_those_of_the_jobs() -> None:
    by_company, by_job = (count(views, by=by, window=decay("7d")) for by in (company, job))
    plan = Plan([Feature("one", by_company, "views", "events"), Feature("two", by_job, "views", "events")])
    [holding] = holdings_of(plan).values()
    assert holding.keeps == str(by_job)
    assert holding.sources == ("job-views.job_id", "job-views.occurred_at")
    assert read_by(by_company).fields == ("job-postings.company",)


def test_fields_of_conditions_keys_and_taking_back_are_sources() -> None:
    plan = Plan([
        Feature("one", count(saves.where(surface="home"), by=member), "saves", "events"),
        Feature("two", count(views, by=(job, profile.region), keep=9), "views", "events", ttl="3d"),
    ])  # fmt: skip
    one, two = holdings_of(plan).values()
    assert one.sources == ("job-saves.member_id", "job-saves.occurred_at", "job-saves.saved", "job-saves.surface")
    assert two.sources == ("job-views.job_id", "job-views.occurred_at", "member-profiles.region")
    assert (two.keep, two.ttl, two.owner) == (9, "3d", "job")


def test_every_state_of_the_plan_and_all_that_is_held_anyway_is_there() -> None:
    assert list(holdings_of(PLAN)) == [*PLAN.states, *(each.key for each in HELD_ANYWAY)]
    assert [cell_of(each).key for each in PLAN.states.values()] == list(PLAN.states)
