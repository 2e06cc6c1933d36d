import pytest

from streamrec.ranking.default import default_workflow
from streamrec.settings import Settings, SettingsError


@pytest.mark.parametrize(("name", "label"), [("jobs", "jobs@2"), ("diverse", "diverse@2"), ("popular@1", "popular@1")])
def test_the_setting_names_a_workflow_or_one_version_of_it(name: str, label: str) -> None:
    assert default_workflow(Settings(workflow=name)).label == label


def test_a_name_that_does_not_exist_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(
        SettingsError, match=r"^workflow: there is no workflow 'jobs@9'; there are jobs \(jobs@1, jobs@2\), "
    ):
        default_workflow(Settings(workflow="jobs@9"))
