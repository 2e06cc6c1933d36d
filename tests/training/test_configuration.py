"""A configuration leaves out what it says, and nothing else."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from streamrec.events import TrainingExample
from streamrec.features.library import FEATURE_SET, JOB_CHECK, PLAN, feature_names
from streamrec.models.job_check import JobCheck
from streamrec.ranking.workflows import WORKFLOWS
from streamrec.settings import Settings
from streamrec.training.configuration import ConfigurationError, made
from streamrec.training.evaluate import Evaluator
from streamrec.training.offline import Offline

Make = Callable[..., Any]
JOBS, POPULAR = WORKFLOWS.find("jobs"), WORKFLOWS.find("popular")


def examples(some_log: Make) -> list[TrainingExample]:
    world = Offline(Settings(serve_without_posting="yes"))
    found = []
    for item in some_log(5, events=200):
        made_ = world.learn(item.event) if item.topic == "job-views" else None
        found += [] if made_ is None else [made_]
        world.fold(item.event)
    return found


def test_a_model_without_columns_is_one_that_never_had_them(some_log: Make) -> None:
    configured = made(JOBS, ["tag:popularity", "posting_age"])
    kept = [place for place in range(len(feature_names())) if place not in configured.columns]
    assert 0 < len(configured.columns) < len(kept)
    blind, narrow = configured.model(), JobCheck("narrow", tuple(feature_names()[place] for place in kept))
    learned = examples(some_log)
    assert len(learned) > 30
    for each in learned:
        matrix = np.frombuffer(each.features, "<f4").reshape(-1, len(feature_names()))
        less = np.ascontiguousarray(matrix[:, kept]).tobytes()
        blind.learn(each)
        narrow.learn(msgspec.structs.replace(each, feature_set="narrow", features=less))
    weights, bias = blind.folded_score()
    assert not weights[list(configured.columns)].any()
    assert weights[kept] == pytest.approx(narrow.folded_score()[0], abs=1e-9)
    assert bias == pytest.approx(narrow.folded_score()[1], abs=1e-9)
    some = np.random.default_rng(1).random((20, len(feature_names())))
    other = some.copy()
    other[:, list(configured.columns)] += 3.0
    scorer = blind.scorer(1, 0)
    assert scorer.scores(some).tolist() == scorer.scores(other).tolist() != scorer.scores(some[::-1]).tolist()
    assert scorer.probabilities(some).tolist() == scorer.probabilities(other).tolist()
    assert blind.predict(some) == pytest.approx(narrow.predict(some[:, kept]))


def test_what_is_not_read_changes_nothing(some_log: Make) -> None:
    whole = JobCheck(FEATURE_SET, feature_names())
    one, two = made(JOBS, ["job_idle"]).model(), made(JOBS, ["job_idle"]).model()
    for each in examples(some_log):
        other = np.frombuffer(each.features, "<f4").reshape(-1, len(feature_names())).copy()
        other[:, feature_names().index("job_idle")] += 7.0
        whole.learn(each)
        one.learn(each)
        two.learn(msgspec.structs.replace(each, features=other.tobytes()))
    assert one.state() == two.state() != whole.state()


def test_a_tag_is_all_features_that_have_it_and_a_category_all_its_columns() -> None:
    tagged = {name for each in PLAN.members(JOB_CHECK) if "popularity" in each.tags for name in each.columns}
    assert {feature_names()[place] for place in made(JOBS, ["tag:popularity"]).columns} == tagged
    assert made(JOBS, ["popularity"]).columns == made(JOBS, ["tag:popularity"]).columns  # no source has that name
    assert made(JOBS, ["covisit"]).columns == (feature_names().index("covisit"),)


def test_a_source_that_is_left_out_is_not_asked(some_log: Make) -> None:
    configured = made(JOBS, ["source:network", "popular_days", "newest"])
    names = [source.name for source in configured.workflow.sources]
    assert names == [each.name for each in JOBS.sources if each.name not in ("network", "popular_days", "newest")]
    assert len(names) == len(JOBS.sources) - 3
    assert (configured.columns, configured.label) == ((), f"{JOBS.label} without source:network, popular_days, newest")
    evaluator = Evaluator("seen", (), Settings(), configured=configured)
    found = evaluator.run(some_log(3), lambda *_: None, lambda: False)
    assert list(found.recall["all"]["whole"]["sources"]) == names
    assert found.configuration == configured.label


@pytest.mark.parametrize(
    ("workflow", "without", "words"),
    [
        (JOBS, ["network"], "network is a source and a tag: say source:network or tag:network"),
        (JOBS, ["titel"], "there is no source, feature or tag 'titel'; did you mean title"),
        (JOBS, ["tag:titel"], "there is no tag 'titel'; the sources are covisited"),
        (JOBS, ["source:job_views"], "there is no source 'job_views'"),
        (JOBS, ["person:ann"], "there is no source, feature or tag 'person:ann'"),
        (JOBS, ["member_view_count"], "the model does not read the feature member_view_count"),  # the API tells it
        (JOBS, [""], "there is no source, feature or tag ''"),
        (POPULAR, ["source:title"], "has no source title: it has popular_hour, popular_days, newest"),
        (
            POPULAR,
            ["newest", "popular_hour", "popular_days"],
            "without newest, popular_hour, popular_days has no source left",
        ),
    ],
)
def test_mistakes_are_told(workflow: Any, without: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        made(workflow, without)
    assert words in str(error.value)
