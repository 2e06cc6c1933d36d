from collections import Counter
from itertools import product

import pytest

from streamrec.features.catalogue import Catalogue
from streamrec.features.language import Feature, FeatureSet, count, decay, job, views
from streamrec.features.lineage import KINDS, Lineage, Node, UnknownNodeError
from streamrec.features.plan import Plan
from streamrec.ranking.catalogue import catalogue, lineage

from .test_catalogue import SEEN, made

GRAPHS = {"shipped": lineage(), "made": Lineage(made())}
NODES = [(name, node) for name, graph in GRAPHS.items() for node in graph.nodes]


def names(graph: Lineage, name: str, way: str) -> dict[str, list[str]]:
    """What lies one way from a node, by kind."""
    found: dict[str, list[str]] = {}
    for each in getattr(graph, way)(graph.find(name)):
        found.setdefault(each.kind, []).append(each.name)
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_the_two_ways_are_inverse_of_each_other_for_every_node(name: str) -> None:
    graph = GRAPHS[name]
    up = {(each, node) for node in graph.nodes for each in graph.upstream(node)}
    down = {(node, each) for node in graph.nodes for each in graph.downstream(node)}
    assert up == down
    assert len(up) > len(graph.nodes)
    for one, other in product(graph.nodes, repeat=2):
        assert (other in graph.readers(one)) == (one in graph.sources(other))


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_comes_from_itself_and_edges_go_one_way_along_the_kinds(name: str) -> None:
    graph = GRAPHS[name]
    assert Counter(node.kind for node in graph.nodes).keys() == set(KINDS)
    for node in graph.nodes:
        assert node not in graph.upstream(node)
        for reader in graph.readers(node):
            step = KINDS.index(reader.kind) - KINDS.index(node.kind)
            assert step > 0 or (node.kind == reader.kind == "feature")


def test_sources_of_an_entry_are_the_fields_upstream_of_its_feature() -> None:
    for graph, of in ((GRAPHS["shipped"], catalogue()), (GRAPHS["made"], made())):
        for entry in of.entries:
            assert tuple(names(graph, entry.id, "upstream")["field"]) == entry.sources, entry.id


@pytest.mark.parametrize(("name", "node"), NODES, ids=str)
def test_every_node_is_found_by_its_kind_and_name(name: str, node: Node) -> None:
    assert GRAPHS[name].find(f"{node.kind}:{node.name}") == node


def test_from_a_field_to_the_workflow() -> None:
    assert names(lineage(), "job-postings.salary_min", "downstream") == {
        "feature": ["pay@1"], "model": [lineage().find("job_check").name],
        "workflow": ["diverse@1", "diverse@2", "jobs@1", "jobs@2"],
    }  # fmt: skip
    assert names(lineage(), "job-postings.salary_min", "upstream") == {"topic": ["job-postings"]}


def test_from_a_workflow_back_to_the_topics() -> None:
    found = names(lineage(), "jobs", "upstream")
    assert found["topic"] == [
        "connections", "job-applications", "job-dismissals", "job-likes", "job-postings", "job-saves", "job-views",
        "member-profiles",
    ]  # fmt: skip
    assert "job_view_total@1" not in found["feature"]  # told by the API, and read by no model
    assert len(found["feature"]) == len(catalogue().select(model="job_check"))


def test_a_state_leads_to_all_who_share_it() -> None:
    graph = GRAPHS["made"]
    readers = ["saved_per_view@1", "seen@1", "seen@2", "seen_by_many@1"]
    assert names(graph, SEEN.state_key, "downstream")["feature"] == readers
    assert graph.find(str(SEEN)) == graph.find(SEEN.state_key)


def test_a_feature_that_builds_on_another_one_comes_from_it() -> None:
    graph = GRAPHS["made"]
    assert names(graph, "seen@1", "downstream")["feature"] == ["seen_by_many@1"]
    assert [node.name for node in graph.sources(graph.find("seen_by_many"))] == ["seen@1"]


def test_taking_back_and_times_are_part_of_it() -> None:
    assert "save_rate@1" in names(lineage(), "job-saves.saved", "downstream")["feature"]
    assert "member_idle@1" in names(lineage(), "connections.occurred_at", "downstream")["feature"]
    assert "job_idle@1" not in names(lineage(), "connections.occurred_at", "downstream")["feature"]


def test_what_ties_read_is_part_of_it() -> None:
    assert names(lineage(), "covisit", "upstream")["state"] == ["MemberState.recent", "Neighbours.weights"]
    assert names(lineage(), "network_at_company", "upstream")["field"] == [
        "connections.connected", "connections.member_id", "connections.other_member_id", "job-postings.company",
        "member-profiles.company",
    ]  # fmt: skip


def test_a_field_that_nobody_reads_is_known() -> None:
    assert names(lineage(), "job-views.dwell_ms", "downstream") == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jbo_views", "did you mean job_views"), ("job_chek", "did you mean job_check"), ("xyzzy", "name a topic, field"),
        ("topic:job_views", "knows nothing called"), ("job_views@2", "did you mean job_views@1"), ("", "knows nothing"),
        ("feature:", "knows nothing"),
    ],
)  # fmt: skip
def test_what_nothing_is_called(name: str, said: str) -> None:
    with pytest.raises(UnknownNodeError, match=said):
        lineage().find(name)


def test_a_workflow_without_its_version_is_the_newest() -> None:
    feature = Feature("fame", count(views, by=job, window=decay("1d")), "views", "events")
    plan = Plan([feature], [FeatureSet("m", ("fame",))])
    graph = Lineage(Catalogue(plan, {"a@9": "m", "a@10": "m", "a@2": "m"}))
    assert (graph.find("a").name, graph.find("a@2").name, graph.find("workflow:a").name) == ("a@10", "a@2", "a@10")


def test_a_name_that_several_have_is_told_apart() -> None:
    feature = Feature("jobs", count(views, by=job, window=decay("1d")), "views", "events")
    graph = Lineage(Catalogue(Plan([feature]), {}))
    assert graph.find("jobs").kind == "feature"
    several = Lineage(Catalogue(Plan([feature], [FeatureSet("jobs", ("jobs",))]), {"jobs": "jobs"}))
    with pytest.raises(UnknownNodeError, match=r"say feature:jobs@1 or model:.* or workflow:jobs"):
        several.find("jobs")
    assert [several.find(f"{kind}:jobs").kind for kind in ("feature", "model", "workflow")] == [
        "feature",
        "model",
        "workflow",
    ]


def test_edges_are_those_between_the_nodes() -> None:
    graph = lineage()
    node = graph.find("pay")
    edges = graph.edges((*graph.upstream(node), node))
    assert ("job-postings.salary_min", "pay@1") in {
        (each.source.partition(":")[2], each.reader.partition(":")[2]) for each in edges
    }
    assert all(each.reader.partition(":")[0] in ("field", "feature") for each in edges)
