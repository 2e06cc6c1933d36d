import json
from collections.abc import Callable

import pytest
from click.testing import Result

from streamrec.features import drawing
from streamrec.ranking.catalogue import lineage

Run = Callable[..., Result]


@pytest.mark.parametrize("name", ["job_views", "job-postings.title", "job-views", "job_check", "jobs"])
def test_a_tree_and_drawings(run: Run, name: str) -> None:
    node = lineage().find(name)
    for options, made in (
        ((), drawing.tree),
        (("--format", "dot"), drawing.dot),
        (("--format", "mermaid"), drawing.mermaid),
    ):
        answer = run({}, "features", "lineage", name, *options)
        assert (answer.exit_code, answer.stdout) == (0, made(lineage(), node) + "\n")


def test_json_has_both_ways_and_the_edges(run: Run) -> None:
    found = json.loads(run({}, "features", "lineage", "pay", "--json").stdout)
    assert found["node"]["name"] == "pay@1"
    assert {each["name"] for each in found["upstream"] if each["kind"] == "topic"} == {
        "job-postings",
        "member-profiles",
    }
    assert [each["name"] for each in found["downstream"] if each["kind"] == "workflow"] == [
        "diverse@1",
        "diverse@2",
        "jobs@1",
        "jobs@2",
    ]
    assert {"source": "field:job-postings.salary_min", "reader": "feature:pay@1"} in found["edges"]


def test_what_nothing_is_called_is_exit_code_1(run: Run) -> None:
    answer = run({}, "features", "lineage", "jbo_views")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith("Error: the lineage knows nothing called 'jbo_views'; did you mean job_views")
    assert run({}, "features", "lineage", "pay", "--format", "svg").exit_code == 2
