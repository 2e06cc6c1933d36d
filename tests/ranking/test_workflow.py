"""What cannot work is refused in the line that declares it, with what to write instead."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamrec.ranking.candidates import SOURCES, Ask, Source
from streamrec.ranking.declaration import WorkflowError
from streamrec.ranking.rerankers import at_most_per, discount, explore, vary
from streamrec.ranking.rules import NOT_BLOCKED, NOT_SEEN, OPEN, RULES, Rule
from streamrec.ranking.workflow import BLEND, Budget, Fallback, Limits, Workflow, source


def declare(**changes: Any) -> Workflow:
    declared: dict[str, Any] = {
        "name": "mine", "version": 1, "description": "For tests.", "sources": (source("title"), source("newest")),
        "model": "job_check", "fallback": Fallback(no_model=BLEND),
    }  # fmt: skip
    return Workflow(**(declared | changes))


def nothing(ask: Ask) -> Any:
    return ask


IN_TIME = Budget(whole_ms=10)
OWN = Source("own", 3, 1.0, nothing)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "My jobs"}, "its name cannot be used in a URL; a small letter, then"),
    "name of the order": ({"name": "blend"}, "'blend' means an order in fallbacks; another name"),
    "version": ({"version": 0}, "its version is 0; a whole number from 1"),
    "version by a flag": ({"version": True}, "its version is True; a whole number from 1"),
    "no description": ({"description": " "}, "it has no description; one sentence"),
    "no source": ({"sources": ()}, 'it has no source of candidates; name one: source("newest")'),
    "source by name": ({"sources": ("title",)}, "no such source of candidates: 'title'; declare it by source(NAME)"),
    "unknown source": ({"sources": (OWN,)}, "no such source of candidates: 'own'; declare it by source(NAME)"),
    "another function": ({"sources": (SOURCES[0]._replace(read=nothing),)}, "no such source of candidates: 'covisited'"),
    "source twice": ({"sources": (source("title"), source("title", size=3))}, "source 'title' is declared twice; once"),
    "features": ({"feature_set": "job_check/0"}, "nobody computes the feature set 'job_check/0'; this version has 'job_ch"),
    "model": ({"model": "other"}, "no model is named 'other'; one of job_check, or None"),
    "re-ranker": ({"rerankers": ("explore",)}, "no such re-ranker: 'explore'; there are discount(PER_SHOWING), vary("),
    "re-ranker twice": ({"rerankers": (explore(), explore())}, "explore() is not the last re-ranker"),
    "the same twice": (
        {"rerankers": (at_most_per("city", 1, within=2), at_most_per("city", 1, within=2))},
        "re-ranker at_most_per(city, 1, within=2) is declared twice; once",
    ),
    "exploring first": (
        {"rerankers": (explore(), at_most_per("company", 3, within=10))}, "explore() is not the last re-ranker; last: what",
    ),
    "discounting late": (
        {"rerankers": (vary(0.3), discount(0.8))}, "discount() is not the first re-ranker; first: the others reorder what it",
    ),
    "filter": ({"filters": (*RULES, Rule("cheap", "costs little"))}, "no such filter: Rule(name='cheap'"),
    "filter twice": ({"filters": (*RULES, OPEN)}, "filter open is declared twice; once"),
    "what every list promises": (
        {"filters": (NOT_SEEN, NOT_BLOCKED)},
        "it lacks filters that every list must pass: open, not_applied, not_dismissed, asked_for; add them",
    ),
    "no candidates": ({"limits": Limits(candidates=0)}, "its limits are 0 candidates, length None; whole numbers from 1"),
    "no list": ({"limits": Limits(length=-1)}, "its limits are 500 candidates, length -1; whole numbers from 1"),
    "list beyond candidates": (
        {"limits": Limits(candidates=90, length=100)},
        "a list of 100 jobs cannot come out of 90 candidates; limits of at least 100 candidates, or a shorter list",
    ),
    "source beyond candidates": (
        {"limits": Limits(candidates=50)}, "source 'title' alone gives more than the 50 candidates; source('title', size=50)",
    ),
    "budget": ({"budget": Budget(whole_ms=0)}, "its budget has whole_ms=0; a number of milliseconds above 0"),
    "endless budget": ({"budget": Budget(features_ms=float("inf"))}, "its budget has features_ms=inf; a number of milli"),
    "stage beyond the whole": (
        {"budget": Budget(whole_ms=10, candidates_ms=11)}, "a stage has candidates_ms=11, the whole 10 ms; give the stage less",
    ),
    "no model to miss": ({"model": None}, "it has no model, so nothing can be missing and no stage be saved; leave budget"),
    "no model, in a hurry": ({"model": None, "fallback": Fallback(), "budget": IN_TIME}, "it has no model, so nothing can"),
    "no fallback for the model": ({"fallback": Fallback()}, "it does not say what answers while there is no model; fallback="),
    "no fallback for the budget": (
        {"budget": IN_TIME}, "it has a budget and does not say what answers when that is spent; fallback=Fallback(budget=",
    ),
    "fallback without a budget": (
        {"fallback": Fallback(no_model=BLEND, budget="popular")}, "its fallback for a spent budget never answers; declare a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_work_is_refused_with_the_remedy(wrong: str) -> None:
    changes, said = WRONG[wrong]
    with pytest.raises(WorkflowError, match=re.escape(said)) as caught:
        declare(**changes)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(f"{Path(__file__)}:") or str(caught.value).startswith("tests/ranking/")


def line_of(part: str) -> int:
    """The line of this file that is the first to hold `part`."""
    lines = Path(__file__).read_text().splitlines()
    return min(number for number, line in enumerate(lines, 1) if part in line)


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(WorkflowError) as caught:
        make()
    return str(caught.value.site)


def test_the_error_names_the_line_that_declares() -> None:
    def whole() -> Workflow:
        return Workflow(  # here the workflow begins
            name="mine",
            version=1,
            description="For tests.",
            sources=(source("newest"),),
            model="job_check",
        )

    def of_a_source() -> Source:
        return source("newset", size=3)  # misspelt

    def of_a_reranker() -> object:
        return at_most_per("salary", 3, within=10)  # no such column

    def of_a_share() -> object:
        return explore(1.5)  # too much

    def of_a_discount() -> object:
        return discount(2.0)  # no discount

    def of_variety() -> object:
        return vary(-0.5)  # too little

    file = Path(__file__).as_posix().split("tests/ranking/")[-1]
    for make, mark in (
        (whole, "# here the workflow begins"), (of_a_source, "# misspelt"), (of_a_reranker, "# no such column"),
        (of_a_share, "# too much"), (of_variety, "# too little"), (of_a_discount, "# no discount"),
    ):  # fmt: skip
        place = refused(make)
        assert place.endswith(f"{file}:{line_of(mark)}"), inspect.getsource(make)
    assert str(declare().declared_at).endswith(f"{file}:{line_of('return Workflow(**(declared')}")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: source("jobs"), "no source of candidates is named 'jobs'; one of covisited, popular_hour,"),
        (lambda: source("title", size=0), "source 'title': its size is 0; a whole number from 1"),
        (lambda: source("title", size=2.5), "source 'title': its size is 2.5; a whole number from 1"),  # type: ignore[arg-type]
        (lambda: source("title", weight=0), "source 'title': its weight is 0; a number above 0"),
        (lambda: source("title", weight=float("nan")), "source 'title': its weight is nan; a number above 0"),
        (lambda: at_most_per("title", 3, within=10), "no column 'title'; one of company, city, region,"),
        (
            lambda: at_most_per("company", 0, within=10),
            "most is 0, within is 10; whole numbers, with 1 <= most < within",
        ),
        (lambda: at_most_per("company", 3, within=3), "most is 3, within is 3; whole numbers"),
        (lambda: at_most_per("company", True, within=3), "most is True, within is 3; whole numbers"),
        (lambda: discount(1.0), "discount: the factor is 1.0; above 0 and below 1; leave discount() out for none"),
        (lambda: discount(0), "discount: the factor is 0; above 0"),
        (lambda: discount(float("nan")), "discount: the factor is nan; above 0"),
        (lambda: vary(1.1), "vary: the share is 1.1; from 0 (the order by score) to 1 (variety alone)"),
        (lambda: vary(float("nan")), "vary: the share is nan; from 0"),
        (lambda: vary(True), "vary: the share is True; from 0"),
        (lambda: explore(0.0), "explore: the share is 0.0; above 0 and at most 1"),
    ],
)
def test_a_part_that_cannot_work_is_refused_with_the_remedy(make: Callable[[], object], said: str) -> None:
    with pytest.raises(WorkflowError, match=re.escape(said)):
        make()


def test_a_declaration_never_changes() -> None:
    workflow = declare()
    with pytest.raises(AttributeError):
        workflow.version = 2  # type: ignore[misc]
    assert hash(workflow) == hash(declare())
    assert msgspec.structs.replace(workflow, version=2).label == "mine@2"


def test_exploration_is_declared_and_its_share_is_the_installations_unless_said() -> None:
    assert declare().explored(0.1) == 0.0
    assert declare(rerankers=(explore(),)).explored(0.1) == 0.1
    assert declare(rerankers=(at_most_per("company", 3, within=10), explore(0.3))).explored(0.1) == 0.3
