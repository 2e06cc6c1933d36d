import itertools
from pathlib import Path

import msgspec
import pytest

from streamrec.models.card import Card, as_json, as_markdown, card
from streamrec.models.job_check import JobCheck
from streamrec.models.planted import FEATURE_SET, FEATURES, planted_examples, planted_stream
from streamrec.models.snapshot import Snapshot, UnreadableSnapshotError, take, unpack

GOLDEN = Path(__file__).parent.parent / "golden" / "model"


def snapshot_of(sampled: int = 0, shown: int = 0) -> Snapshot:
    model = JobCheck(FEATURE_SET, FEATURES)
    for example in planted_examples(sampled):
        model.learn(example)
    for example in planted_stream(shown, window=5.0):
        model.learn(msgspec.structs.replace(example, surface="home"))
    return take(model, version=3, now=1_700_000_000_000, code_version="0.1.0")


def test_a_model_of_sampled_negatives_says_so() -> None:
    made = card(snapshot_of(sampled=40))
    assert (made.negatives, made.calibrated) == ("sampled", False)
    assert "**`p_check` is not calibrated.**" in as_markdown(made)
    assert "negatives were sampled" in as_markdown(made)
    assert made.kinds["sampled"].examples == made.examples == 40
    assert made.kinds["sampled"].positives + made.kinds["sampled"].negatives == 40 * 9


def test_a_model_of_shown_lists_says_so_with_its_counts_and_base_rates() -> None:
    made = card(snapshot_of(sampled=40, shown=60))
    assert (made.negatives, made.calibrated) == ("both", True)
    assert "`p_check` is calibrated" in as_markdown(made)
    assert list(made.kinds) == ["sampled", "positive", "closed", "correction"]
    assert [(each.data, each.surface) for each in made.figures] == [
        ("sampled", ""), ("sampled", "none"), ("shown", ""), ("shown", "home"),
    ]  # fmt: skip
    sampled, _, shown, _ = made.figures
    assert sampled.base_rate == pytest.approx(0.25, abs=0.06)
    assert shown.base_rate == pytest.approx(0.13, abs=0.03)
    assert [(each.surface, each.lists) for each in made.hits] == [("", 60), ("home", 60)]
    assert card(snapshot_of(shown=60)).negatives == "shown"


def test_features_that_matter_most_come_first_whatever_their_unit() -> None:
    weights = card(snapshot_of(sampled=400)).weights
    assert [weight.feature for weight in weights[:2]] == ["strong", "against"]
    weak = next(weight for weight in weights if weight.feature == "weak")
    assert weak.check == pytest.approx(30.0 * weak.unit, rel=0.1)
    assert weights[-1].feature == "constant"


def test_a_card_of_nothing_is_a_card() -> None:
    made = card(snapshot_of())
    assert made.negatives == "none"
    assert "Nothing has been learned yet." in as_markdown(made)


@pytest.mark.parametrize("version", [1, 2])
def test_every_snapshot_that_can_be_read_has_a_card(version: int) -> None:
    made = card(unpack((GOLDEN / f"snapshot-v{version}.bin").read_bytes()))
    assert made.calibrated == (version == 2)
    assert made.kinds["sampled"].examples == 3
    assert len(made.weights) == len(FEATURES)
    assert as_markdown(made).startswith("# job_check, version 7")


def test_json_says_the_same_and_null_where_nothing_is_known() -> None:
    made = card(snapshot_of(sampled=40, shown=60))
    assert msgspec.json.decode(as_json(made), type=Card) == made
    assert b"NaN" not in as_json(card(snapshot_of(sampled=1)))


def test_a_table_has_as_many_cells_in_every_line() -> None:
    lines = as_markdown(card(snapshot_of(sampled=40, shown=60))).splitlines()
    for before, line in itertools.pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert before.count("|") == line.count("|")


def test_figures_that_make_no_sense_are_unreadable() -> None:
    with pytest.raises(UnreadableSnapshotError, match="snapshot 3 of job_check"):
        card(msgspec.structs.replace(snapshot_of(sampled=1), measures=b"\x91\x01"))
