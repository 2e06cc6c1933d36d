"""What every model has to hold, as one list of checks: a new model passes it before it has tests of its own.

Each check makes fresh models, feeds them planted examples, and raises AssertionError with the figure that was wrong.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Literal

import msgspec
import numpy as np

from streamrec.events import TrainingExample
from streamrec.models.base import InvalidExampleError, Model
from streamrec.models.planted import (
    FEATURE_SET,
    FEATURES,
    NOW,
    SHOWN_BIAS,
    correction_of,
    example_of,
    matrix_of,
    planted_examples,
    planted_lists,
    planted_stream,
    positive_of,
    truth_of,
)
from streamrec.models.prequential import Prequential
from streamrec.models.rows import CLOSED, LARGEST_FEATURE, LARGEST_WEIGHT, Floats
from streamrec.models.snapshot import pack, restore, scorer_of, take, unpack

__all__ = ["FEATURES", "FEATURE_SET", "Check", "ModelFactory", "checks_for", "example_of", "planted_examples"]

_GROUPS: Final = 10

ModelFactory = Callable[[str, tuple[str, ...]], Model]
Check = Callable[[], None]


def checks_for(factory: ModelFactory) -> Iterator[tuple[str, Check]]:
    """Named checks of the models that ``factory(feature_set, feature_names)`` makes.

    Examples
    --------
    >>> from streamrec.models.job_check import JobCheck
    >>> checks = dict(checks_for(JobCheck))
    >>> checks["predicts before it learns"]()
    """
    for check in (
        learns_a_separable_problem,
        beats_the_best_constant,
        is_calibrated_on_what_was_shown,
        stays_calibrated_while_checks_run_ahead_of_closing,
        learns_a_list_in_parts_as_one_step,
        takes_a_negative_back,
        scores_by_what_members_did,
        predicts_before_it_learns,
        predicts_probabilities_of_extreme_rows,
        is_not_thrown_off_by_extreme_examples,
        is_not_moved_by_a_constant_that_changes,
        has_a_scorer_equal_to_itself,
        leaves_its_scorers_alone,
        comes_back_from_a_snapshot,
        goes_on_from_a_snapshot_as_if_never_stopped,
        is_deterministic,
        does_not_mind_the_order_within_a_list,
        refuses_what_is_invalid_and_stays_the_same,
    ):
        yield check.__name__.replace("_", " "), partial(check, factory)


def learns_a_separable_problem(factory: ModelFactory) -> None:
    """Ranks nearly every positive row above every negative one."""
    model = _learned(factory, planted_examples(1500, certain=True))
    _expect(model.prequential.auc > 0.98, f"area under the curve {model.prequential.auc}")


def beats_the_best_constant(factory: ModelFactory) -> None:
    """Closes at least 80 % of the gap between the best constant and the planted truth, from the first row on."""
    examples = planted_examples(3000)
    measured = _learned(factory, examples).prequential
    truth = Prequential()
    for example in examples:
        labels = np.array(example.labels)
        truth.add(truth_of(matrix_of(example)), labels, np.ones(len(labels)))
    constant, best, ours = measured.total_constant_log_loss, truth.total_log_loss, measured.total_log_loss
    _expect((constant - ours) / (constant - best) > 0.8, f"log loss {ours}; constant {constant}, truth {best}")
    _expect(measured.calibration_error < 0.02, f"calibration error {measured.calibration_error}")


def is_calibrated_on_what_was_shown(factory: ModelFactory) -> None:
    """P(checked if shown) fits the truth, though checks are learned before their lists close, and other lists are sampled.

    In ten groups by prediction of lists never learned, the mean prediction is within two points of the true mean, or five
    where closed lists do not say which rows were checked before; the log loss is within one per cent of the truth's. The
    sampled lists beside them have another base rate.
    """
    for whole in (True, False):
        model = factory(FEATURE_SET, FEATURES)
        sampled = iter(planted_examples(4000, seed=8))
        for example in planted_stream(4000, seed=9, whole=whole):
            model.learn(example)
            if example.kind == CLOSED:
                model.learn(next(sampled))
        worst, ours, best = _against_truth(model)
        _expect(model.calibrated, "not calibrated")
        _expect(worst < (0.02 if whole else 0.05), f"closed lists whole: {whole}; a group is off by {worst}")
        _expect(ours < 1.01 * best, f"closed lists whole: {whole}; log loss {ours}, truth {best}")


def stays_calibrated_while_checks_run_ahead_of_closing(factory: ModelFactory) -> None:
    """Traffic four times as high as a window ago brings more checks than negatives, and p is not moved by that."""
    gaps = np.concatenate([np.ones(3000), np.full(1500, 0.25)])
    stream = planted_stream(4500, seed=2, window=500.0, gaps=gaps)
    model = factory(FEATURE_SET, FEATURES)
    for example in stream:
        if example.kind == CLOSED and example.source_offset == 3000:
            break  # the first list of the many: its checks and those of a thousand others are known by now
        model.learn(example)
    worst, ours, best = _against_truth(model)
    _expect(worst < 0.03, f"a group is off by {worst}")
    _expect(ours < 1.01 * best, f"log loss {ours}, truth {best}")


def learns_a_list_in_parts_as_one_step(factory: ModelFactory) -> None:
    """A positive on its arrival and the rest at closing move the model as one step on the list would have, to a tenth."""
    matrix, labels = next(lists for lists in planted_lists(50, seed=4) if lists[1].sum() == 2)
    first, second = np.flatnonzero(labels).tolist()
    rest = msgspec.structs.replace(
        example_of(matrix, labels, weights=1.0 - labels), kind=CLOSED, rows_shown=len(labels), hit=1
    )
    whole = msgspec.structs.replace(rest, weights=(1.0,) * len(labels))
    before, at_once, in_parts = (_learned(factory, _mixed(1500)) for _ in range(3))
    at_once.learn(whole)
    for part in (positive_of(matrix, first, 0), positive_of(matrix, second, 0), rest):
        in_parts.learn(part)
    _expect_same_step(before, at_once, in_parts)
    _expect_same_step(before, at_once, in_parts, data="sampled")  # what is served may be an average, which hides much


def takes_a_negative_back(factory: ModelFactory) -> None:
    """A row learned as a negative and then corrected leaves the model where a positive would have, to a tenth of the way."""
    matrix, _ = next(planted_lists(1, seed=5))
    before, right, corrected = (_learned(factory, _mixed(1500)) for _ in range(3))
    right.learn(positive_of(matrix, 0, 0))
    negative = msgspec.structs.replace(example_of(matrix[:1], np.zeros(1)), kind=CLOSED, rows_shown=len(matrix))
    corrected.learn(negative)
    corrected.learn(correction_of(matrix, 0, 0))
    _expect_same_step(before, right, corrected, data="score")


def scores_by_what_members_did(factory: ModelFactory) -> None:
    """Of jobs that are checked equally often, those that are applied for score higher; P(checked) does not know of it."""
    random = np.random.default_rng(6)
    model = factory(FEATURE_SET, FEATURES)
    probe = np.zeros((2, len(FEATURES)))
    probe[1, 3] = 1.0
    for number in range(1500):
        matrix = random.normal(size=(10, len(FEATURES))) * 0.1
        matrix[:, 3] = random.random(10) < 0.5
        labels = (random.random(10) < 0.2).astype(np.float64)
        parts = [
            positive_of(matrix, row, number, score_weight=5.0 if matrix[row, 3] else 1.0)
            for row in np.flatnonzero(labels).tolist()
        ]
        closed = example_of(matrix, labels, number, np.subtract(1.0, labels))
        for part in (*parts, msgspec.structs.replace(closed, kind=CLOSED, rows_shown=10)):
            model.learn(part)
    scorer = model.scorer(version=1, now=NOW)
    (low, high), (plain, applied) = scorer.scores(probe).tolist(), scorer.probabilities(probe).tolist()
    _expect(abs(plain - 0.2) < 0.04 and abs(applied - 0.2) < 0.04, f"P(checked) {plain} and {applied}, truth 0.2")
    odds = (high / (1.0 - high)) / (low / (1.0 - low))
    _expect(3.5 < odds < 7.0, f"odds of the scores are {odds} to one, want about 5")


def predicts_before_it_learns(factory: ModelFactory) -> None:
    """`learn` returns the predictions of the model as it was, for all rows of the list."""
    model = _learned(factory, planted_examples(50))
    example = planted_examples(51)[-1]
    before = model.predict(matrix_of(example))
    scored = model.learn(example)
    _expect(np.array_equal(scored.probabilities, before), f"{scored.probabilities} is not {before}")
    _expect(not np.array_equal(model.predict(matrix_of(example)), before), "nothing was learned")


def predicts_probabilities_of_extreme_rows(factory: ModelFactory) -> None:
    """Every prediction lies in [0, 1], untrained, trained, and for rows far from all that was learned."""
    far = np.vstack([np.full(len(FEATURES), value) for value in (-LARGEST_FEATURE, 0.0, LARGEST_FEATURE)])
    for model in (factory(FEATURE_SET, FEATURES), _learned(factory, planted_examples(300))):
        predicted = model.predict(far)
        _expect(bool(((predicted >= 0.0) & (predicted <= 1.0)).all()), f"{predicted}")


def is_not_thrown_off_by_extreme_examples(factory: ModelFactory) -> None:
    """Features and weights at the limit of what is valid leave it finite, and the heaviest rows leave it useful."""
    rows = 4
    extreme = np.full((rows, len(FEATURES)), LARGEST_FEATURE) * np.array([1.0, -1.0, 1.0, -1.0])[:, None]
    model = factory(FEATURE_SET, FEATURES)
    model.learn(example_of(extreme, np.array([1.0, 0.0, 0.0, 1.0]), weights=np.full(rows, LARGEST_WEIGHT)))
    weights, bias = model.folded()
    _expect(bool(np.isfinite(weights).all() and np.isfinite(bias)), f"weights {weights}, bias {bias}")
    model = _learned(factory, planted_examples(300))
    heavy = planted_examples(1, seed=5)[0]
    model.learn(msgspec.structs.replace(heavy, weights=(LARGEST_WEIGHT,) * len(heavy.weights)))
    after = Prequential()
    for example in planted_examples(300, seed=6):
        scored = model.learn(example)
        after.add(scored.probabilities, scored.labels, scored.weights)
    _expect(after.log_loss < after.constant_log_loss, f"log loss {after.log_loss}, constant {after.constant_log_loss}")


def is_not_moved_by_a_constant_that_changes(factory: ModelFactory) -> None:
    """A feature that never varied has no say, not even when it is another value for once."""
    model = _learned(factory, planted_examples(300))
    matrix = matrix_of(planted_examples(1, seed=1)[0])
    before = model.predict(matrix)
    matrix[:, FEATURES.index("constant")] = 5.0
    _expect(np.allclose(model.predict(matrix), before, rtol=0.0, atol=1e-9), "a constant feature had been learned")


def has_a_scorer_equal_to_itself(factory: ModelFactory) -> None:
    """The scorer, and the one read from a snapshot, predict what the model predicts, row by row, to 1e-9."""
    for examples in (planted_examples(300), _mixed(300)):
        model = _learned(factory, examples)
        direct = model.scorer(version=3, now=NOW)
        stored = scorer_of(unpack(pack(take(model, version=3, now=NOW, code_version="check"))))
        score_weights, score_bias = model.folded_score()
        for scorer in (direct, stored):
            facts = (scorer.name, scorer.version, scorer.feature_set, scorer.learned_at, scorer.examples)
            _expect(facts == (model.name, 3, FEATURE_SET, NOW, 300), f"{facts}")
            _expect(scorer.calibrated == model.calibrated, "calibrated or not")
            for example in planted_examples(20, seed=1):
                matrix = matrix_of(example)
                gap = np.abs(scorer.probabilities(matrix.astype(np.float32)) - model.predict(matrix)).max()
                scores = 1.0 / (1.0 + np.exp(-(matrix @ score_weights + score_bias)))
                apart = np.abs(scorer.scores(matrix.astype(np.float32)) - scores).max()
                _expect(float(max(gap, apart)) <= 1e-9, f"apart by {gap} and {apart}")


def leaves_its_scorers_alone(factory: ModelFactory) -> None:
    """A scorer stays what it was while the model learns on."""
    model = _learned(factory, planted_examples(100))
    scorer, matrix = model.scorer(version=1, now=NOW), matrix_of(planted_examples(1, seed=1)[0])
    before = scorer.probabilities(matrix)
    for example in planted_examples(100, seed=2):
        model.learn(example)
    _expect(np.array_equal(scorer.probabilities(matrix), before), "the scorer changed")


def comes_back_from_a_snapshot(factory: ModelFactory) -> None:
    """A restored model, fresh or learned, gives the same snapshot again, byte for byte."""
    for count in (0, 100):
        model = _learned(factory, _mixed(count))
        first = _bytes(model)
        _expect(_bytes(_restored(factory, first)) == first, f"another snapshot after {count} examples")


def goes_on_from_a_snapshot_as_if_never_stopped(factory: ModelFactory) -> None:
    """Half, snapshot, restore and the rest leaves the same bytes as everything in one go."""
    examples = _mixed(200)
    for cut in (0, 1, 77, 199):
        model = _restored(factory, _bytes(_learned(factory, examples[:cut])))
        for example in examples[cut:]:
            model.learn(example)
        _expect(_bytes(model) == _bytes(_learned(factory, examples)), f"cut after {cut}")


def is_deterministic(factory: ModelFactory) -> None:
    """Equal sequences of examples give equal bytes; another sequence gives others."""
    first, second = (_bytes(_learned(factory, _mixed(200))) for _ in range(2))
    _expect(first == second, "two runs differ")
    _expect(first != _bytes(_learned(factory, _mixed(200, seed=1))), "the examples make no difference")


def does_not_mind_the_order_within_a_list(factory: ModelFactory) -> None:
    """A list is a set: its rows may come in any order."""
    straight, turned = factory(FEATURE_SET, FEATURES), factory(FEATURE_SET, FEATURES)
    for example in planted_examples(200):
        straight.learn(example)
        turned.learn(example_of(matrix_of(example)[::-1], np.array(example.labels)[::-1]))
    matrix = matrix_of(planted_examples(1, seed=1)[0])
    gap = float(np.abs(straight.predict(matrix) - turned.predict(matrix)).max())
    _expect(gap <= 1e-9, f"apart by {gap}")


def refuses_what_is_invalid_and_stays_the_same(factory: ModelFactory) -> None:
    """Each kind of bad example is refused with its reason, and leaves no trace."""
    model = _learned(factory, planted_examples(20))
    before = _bytes(model)
    good = planted_examples(1)[0]
    bad: list[tuple[str, TrainingExample]] = [("feature_set", msgspec.structs.replace(good, feature_set="planted/2"))]
    bad.append(("shape", msgspec.structs.replace(good, features=good.features[:-1])))
    bad.append(("shape", msgspec.structs.replace(good, labels=good.labels[:-1])))
    bad.append(("shape", msgspec.structs.replace(good, job_ids=(), labels=(), weights=(), features=b"")))
    for value in (np.nan, np.inf, -np.inf, LARGEST_FEATURE * 2):
        matrix = matrix_of(good)
        matrix[-1, -1] = value
        bad.append(("features", example_of(matrix, np.array(good.labels))))
    for label in (np.nan, 0.5, 2.0, -1.0):
        bad.append(("labels", msgspec.structs.replace(good, labels=(*good.labels[:-1], label))))  # noqa: PERF401
    for weight in (np.nan, np.inf, -1.0, LARGEST_WEIGHT * 2):
        bad.append(("weights", msgspec.structs.replace(good, weights=(*good.weights[:-1], weight))))  # noqa: PERF401
    bad.append(("weights", msgspec.structs.replace(good, score_weights=(*good.weights[:-1], -1.0))))
    bad.append(("shape", msgspec.structs.replace(good, score_weights=(1.0,))))
    bad.append(("shape", msgspec.structs.replace(good, rows_shown=len(good.labels) - 1)))
    bad.append(("kind", msgspec.structs.replace(good, kind="guessed")))
    for reason, example in bad:
        try:
            model.learn(example)
        except InvalidExampleError as error:
            _expect(error.reason == reason, f"refused for {error.reason}, not {reason}")
        else:
            raise AssertionError(f"learned an example with bad {reason}")
    _expect(_bytes(model) == before, "a refused example changed the model")


def _learned(factory: ModelFactory, examples: list[TrainingExample]) -> Model:
    model = factory(FEATURE_SET, FEATURES)
    for example in examples:
        model.learn(example)
    return model


def _restored(factory: ModelFactory, value: bytes) -> Model:
    model = factory(FEATURE_SET, FEATURES)
    restore(model, unpack(value))
    return model


def _bytes(model: Model) -> bytes:
    return pack(take(model, version=1, now=NOW, code_version="check"))


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _mixed(count: int, seed: int = 0) -> list[TrainingExample]:
    """Examples of every kind, sampled and shown by turns, corrections among them."""
    shown = planted_stream(count, seed, rows=8, window=5.0, late=0.2)
    sampled = planted_examples(count, seed)
    return [example for pair in zip(shown, sampled, strict=False) for example in pair][:count]


def _against_truth(model: Model) -> tuple[float, float, float]:
    """Of 2,000 fresh lists: by how much the worst of ten groups is off, the model's expected log loss, and the truth's."""
    lists = [matrix for matrix, _ in planted_lists(2000, seed=77)]
    said = np.concatenate([model.predict(matrix) for matrix in lists])
    truth = np.concatenate([truth_of(matrix, SHOWN_BIAS) for matrix in lists])
    groups = np.array_split(np.argsort(said), _GROUPS)
    worst = max(abs(float(said[group].mean() - truth[group].mean())) for group in groups)
    ours, best = (float(-(truth * np.log(p) + (1.0 - truth) * np.log(1.0 - p)).mean()) for p in (said, truth))
    return worst, ours, best


def _expect_same_step(
    before: Model, first: Model, second: Model, data: Literal["shown", "sampled", "score"] = "shown"
) -> None:
    """`first` and `second` are apart by no more than a tenth of what they moved, in log odds of fresh rows."""
    matrix = matrix_of(planted_examples(1, seed=3, rows=200)[0])

    def logits(model: Model) -> Floats:
        weights, bias = model.folded_score() if data == "score" else model.folded(data)
        logits: Floats = (matrix * weights).sum(axis=1) + bias
        return logits

    moved, apart = np.abs(logits(first) - logits(before)).max(), np.abs(logits(first) - logits(second)).max()
    _expect(float(apart) < 0.1 * float(moved), f"moved by {moved}, apart by {apart}")
