"""What is evaluated, if it is not what is shipped: another workflow, or one without some of its sources or features."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamrec.events import TrainingExample
from streamrec.features.library import FEATURE_SET, JOB_CHECK, PLAN, feature_names
from streamrec.features.near import near
from streamrec.models.base import Scorer
from streamrec.models.job_check import JobCheck
from streamrec.models.rows import Floats, Rows
from streamrec.ranking.candidates import SOURCES
from streamrec.ranking.declaration import WorkflowError
from streamrec.ranking.workflow import Workflow

_KINDS: Final = ("source", "feature", "tag")

Number = TypeVar("Number", bound=np.floating)


class ConfigurationError(ValueError):
    """There is nothing of that name to be left out, or nothing would be left; the message says what to write instead."""


class Configuration(msgspec.Struct, frozen=True):
    """A workflow and a model, both maybe without something. `made` checks what it is made of.

    Attributes
    ----------
    workflow
        Without the sources that are left out; the negatives of training examples are drawn from the candidates of the others,
        as they would be live. Workflows that it falls back on are as they are declared.
    without
        What is left out, as it was named.
    columns
        Of the features that the model does not read: places in `library.feature_names`, ascending.
    """

    workflow: Workflow
    without: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """How tables name it."""
        return f"{self.workflow.label}{' without ' if self.without else ''}{', '.join(self.without)}"

    def model(self) -> JobCheck:
        """A new model for it."""
        if not self.columns:
            return JobCheck(FEATURE_SET, feature_names())
        return Blind(FEATURE_SET, feature_names(), self.columns)


class BlindScorer(Scorer, frozen=True, eq=False):
    """A scorer to which the columns `blind` are all 0, so that nothing hangs on them, whatever the model is like."""

    blind: tuple[int, ...] = ()

    def logits(self, matrix: NDArray[np.floating]) -> Floats:
        """See `Scorer.logits`."""
        return Scorer.logits(self, _without(matrix, self.blind))

    def scores(self, matrix: NDArray[np.floating]) -> Floats:
        """See `Scorer.scores`."""
        return Scorer.scores(self, _without(matrix, self.blind))


class Blind(JobCheck):
    """The model, but it never sees some columns: they are all 0 when it learns, and when it scores.

    Parameters
    ----------
    columns
        Their places.
    """

    def __init__(self, feature_set: str, names: tuple[str, ...], columns: tuple[int, ...]) -> None:
        super().__init__(feature_set, names)
        self._columns = columns

    def _rows(self, example: TrainingExample) -> Rows:
        rows = super()._rows(example)
        return msgspec.structs.replace(rows, matrix=_without(rows.matrix, self._columns))

    def scorer(self, version: int, now: int) -> Scorer:
        """See `Model.scorer`."""
        return BlindScorer(**msgspec.structs.asdict(super().scorer(version, now)), blind=self._columns)


def _without(matrix: NDArray[Number], columns: Sequence[int]) -> NDArray[Number]:
    """A copy in which `columns` are 0."""
    copied = matrix.copy()
    copied[:, list(columns)] = 0
    return copied


def made(workflow: Workflow, without: Sequence[str] = ()) -> Configuration:
    """`workflow` without sources of candidates and features of the model.

    Parameters
    ----------
    without
        Names of sources, of features, or of tags, which stand for all features that have them. A name that is of several
        kinds is told apart as ``source:network`` or ``tag:network``.

    Raises
    ------
    ConfigurationError
        A name means nothing or too much, or no source is left.

    Examples
    --------
    >>> from streamrec.ranking.workflows import WORKFLOWS
    >>> configured = made(WORKFLOWS.find("popular"), ["newest", "job_trend"])
    >>> configured.label, [source.name for source in configured.workflow.sources], len(configured.columns)
    ('popular@1 without newest, job_trend', ['popular_hour', 'popular_days'], 1)
    >>> made(WORKFLOWS.find("jobs"), ["popularty"])
    Traceback (most recent call last):
        ...
    streamrec.training.configuration.ConfigurationError: there is no source, feature or tag 'popularty'; did you mean popularity?
    """
    columns: dict[str, tuple[str, ...]] = {}
    tagged: dict[str, tuple[str, ...]] = {}
    for feature in PLAN.members(JOB_CHECK):
        columns[feature.name] = feature.columns
        for tag in feature.tags:
            tagged[tag] = (*tagged.get(tag, ()), *feature.columns)
    sources: dict[str, tuple[str, ...]] = {source.name: () for source in SOURCES}
    known = {"source": sources, "feature": columns, "tag": tagged}
    left, blind = {source.name: source for source in workflow.sources}, set[str]()
    for text in dict.fromkeys(without):
        kind, name = _found(text, {kind: list(names) for kind, names in known.items()})
        blind.update(known[kind][name])
        if kind == "source" and left.pop(name, None) is None:
            raise ConfigurationError(f"{workflow.label} has no source {name}: it has {_listed(workflow)}")
    try:
        workflow = msgspec.structs.replace(workflow, sources=tuple(left.values()))
    except WorkflowError:
        raise ConfigurationError(f"{workflow.label} without {', '.join(without)} has no source left") from None
    places = tuple(place for place, name in enumerate(feature_names()) if name in blind)
    return Configuration(workflow, tuple(dict.fromkeys(without)), places)


def _listed(workflow: Workflow) -> str:
    return ", ".join(source.name for source in workflow.sources)


def _found(text: str, known: dict[str, list[str]]) -> tuple[str, str]:
    """Kind and name of what `text` means."""
    kind, colon, name = text.rpartition(":")
    kinds = [each for each in _KINDS if (not colon or each == kind) and name in known[each]]
    if len(kinds) > 1:
        ways = " or ".join(f"{each}:{name}" for each in kinds)
        raise ConfigurationError(f"{name} is a {' and a '.join(kinds)}: say {ways}")
    if kinds:
        return kinds[0], name
    if kind in ("", "feature") and any(feature.name == name for feature in PLAN.features.values()):
        raise ConfigurationError(f"the model does not read the feature {name}: there is nothing to leave out")
    searched = [kind] if kind in _KINDS else list(_KINDS)
    likely = near(name, dict.fromkeys(word for each in searched for word in known[each]))
    what = "source, feature or tag" if len(searched) > 1 else searched[0]
    remedy = f"did you mean {' or '.join(likely)}?" if likely else f"the sources are {', '.join(known['source'])}"
    raise ConfigurationError(f"there is no {what} {(name if kind in _KINDS else text)[:80]!r}; {remedy}")
