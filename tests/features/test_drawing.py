import re

import pytest

from streamrec.features.drawing import dot, mermaid, tree
from streamrec.features.lineage import Lineage, Node
from streamrec.ranking.catalogue import lineage

from .test_catalogue import SEEN, made


def test_a_tree_of_a_feature_names_state_and_fields_by_topic() -> None:
    graph = Lineage(made())
    assert tree(graph, graph.find("mine")).splitlines() == [
        "feature mine@1",
        "comes from",
        f"└─ state {made().find('mine').state[0].key} count(views, by=member, window=decay(1d), ttl=2d)",
        "   └─ topic job-views: member_id, occurred_at",
        "nobody reads it",
    ]
    assert tree(graph, graph.find("seen_by_many")).splitlines() == [
        "feature seen_by_many@1",
        "comes from",
        "└─ feature seen@1",
        f"   └─ state {SEEN.state_key} count(views, by=job, window=decay(7d))",
        "      └─ topic job-views: job_id, occurred_at",
        "goes into",
        f"└─ model {graph.find('one').name}",
        "   ├─ workflow list",
        "   └─ workflow mail",
    ]


def test_a_tree_of_a_topic_ends_at_the_workflows() -> None:
    lines = tree(lineage(), lineage().find("member-profiles.salary_floor")).splitlines()
    assert lines[:4] == ["field member-profiles.salary_floor", "comes from", "└─ topic member-profiles", "goes into"]
    assert [line.split()[-2:] for line in lines[-1:]] == [["workflow", "jobs@2"]]


@pytest.mark.parametrize("node", lineage().nodes, ids=str)
def test_every_node_around_is_in_every_drawing(node: Node) -> None:
    graph = lineage()
    around = {*graph.upstream(node), node, *graph.downstream(node)}
    edges = graph.edges(around)
    drawn = dot(graph, node)
    assert set(re.findall(r'^  "([^"]+)" \[', drawn, re.MULTILINE)) == {f"{each.kind}:{each.name}" for each in around}
    assert len(re.findall(r'" -> "', drawn)) == len(edges)
    said = mermaid(graph, node).splitlines()
    assert len([line for line in said if "[" in line]) == len(around)
    assert len([line for line in said if "-->" in line]) == len(edges)
    text = tree(graph, node)
    for each in graph.downstream(node):
        assert f"{each.kind} {each.name}" in text


def test_what_was_shown_is_not_shown_again() -> None:
    text = tree(lineage(), lineage().find("job-views"))
    shown = [line for line in text.splitlines() if "model job_check" in line]
    assert len([line for line in shown if not line.endswith("…")]) == 1
    assert len(shown) > 10


def test_quotes_do_not_break_a_drawing() -> None:
    graph = Lineage(made())
    for line in dot(graph, graph.find("one")).splitlines():
        assert line.count('"') % 2 == 0
