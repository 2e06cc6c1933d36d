from streamrec.features.library import PLAN
from streamrec.ranking.catalogue import catalogue, lineage, search
from streamrec.ranking.workflows import WORKFLOWS


def test_every_workflow_with_a_model_reads_its_features() -> None:
    asking = [each for each in WORKFLOWS if each.model is not None]
    assert {each.model for each in asking} <= {each.model for each in PLAN.sets}
    for each in asking:
        assert lineage().find(each.label).kind == "workflow"
        assert {entry.id for entry in catalogue().entries if each.label in entry.workflows} == {
            entry.id for entry in catalogue().select(model=each.model)
        }


def test_all_three_are_made_once_and_of_the_same_features() -> None:
    assert catalogue() is catalogue()
    assert lineage() is lineage()
    assert search() is search()
    assert {node.name for node in lineage().nodes if node.kind == "feature"} == {
        entry.id for entry in catalogue().entries
    }
    for entry in catalogue().entries:
        assert search().find(entry.id)[0].entry is entry
