"""A second configuration in one pass is the same as a pass of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings
from streamrec.training.configuration import made
from streamrec.training.evaluate import SECOND, SYSTEM, Evaluator

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("workflow", "without"), [("jobs", ["tag:popularity", "popular_days"]), ("popular", []), ("jobs", ["posting_age"])]
)
def test_it_ranks_as_if_it_were_alone(some_log: Make, workflow: str, without: list[str]) -> None:
    log, second = some_log(4, events=150, jobs=40), made(WORKFLOWS.find(workflow), without)
    both = Evaluator("seen", ("popularity",), Settings(), second=second)
    first = Evaluator("seen", (), Settings())
    alone = Evaluator("seen", (), Settings(), configured=second)
    results = [each.run(log, lambda *_: None, lambda: False) for each in (both, first, alone)]
    assert both.ranks[SYSTEM] == first.ranks[SYSTEM]
    assert both.ranks[SECOND] == alone.ranks[SYSTEM] != first.ranks[SYSTEM]
    assert results[0].recall == results[1].recall
    told = results[0].to_json()
    assert told["comparison"]["candidate_recall"] == results[2].recall
    assert told["comparison"][SECOND]["all"] == results[2].results[SYSTEM]["all"]
    assert list(told["baselines"]) == ["popularity"]
    difference = told["comparison"]["differences"]["all"]["whole"]["mrr"]["difference"]
    assert difference == pytest.approx(
        results[2].results[SYSTEM]["all"]["whole"]["mrr"] - results[1].results[SYSTEM]["all"]["whole"]["mrr"], abs=2e-6
    )
    assert (results[0].configuration, told["comparison"]["configuration"]) == (
        WORKFLOWS.find("jobs").label,
        second.label,
    )
