from streamrec.features.library import PLAN
from streamrec.ranking.catalogue import WORKFLOWS, catalogue, lineage, search


def test_every_workflow_reads_the_features_of_a_model_that_there_is() -> None:
    assert set(WORKFLOWS.values()) <= {each.model for each in PLAN.sets}
    for name in WORKFLOWS:
        assert any(name in entry.workflows for entry in catalogue().entries)
        assert lineage().find(f"workflow:{name}")


def test_all_three_are_made_once_and_of_the_same_features() -> None:
    assert catalogue() is catalogue()
    assert lineage() is lineage()
    assert search() is search()
    assert {node.name for node in lineage().nodes if node.kind == "feature"} == {
        entry.id for entry in catalogue().entries
    }
    for entry in catalogue().entries:
        assert search().find(entry.id)[0].entry is entry
