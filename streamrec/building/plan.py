"""What is to be built, how far it is, and what came of it."""

from typing import Literal

import msgspec

from streamrec.building.sources import Files


class BuildError(Exception):
    """It cannot be built as things are; the message says what to do. Nothing has been switched."""


class InterruptedBuildError(Exception):
    """Stopped by the user; what was done is kept on disk."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to build.

    Attributes
    ----------
    files
        A log in files, taken before the topics.
    topics
        Whether what is in the topics is taken; if not, the live agents read it from its beginning.
    partitions
        Of the member- and job-keyed topics from then on.
    learn
        Share of the actions that the model learns from, of those that it has not learned before.
    restart
        Begin anew, whatever an interrupted run has left.
    replace
        Whether there may be state already.
    accept_gap
        Go on though the log does not hold all that the present state was made of.
    keep_old_s
        How long the old generation stays.
    checkpoint_s
        How often the work is kept on disk.
    settle_s
        How long producers may take to see new partitions; until then they put keys where the old number has them.
    """

    command: Literal["bootstrap", "rebuild"]
    files: Files | None = None
    topics: bool = True
    partitions: int
    learn: float = 1.0
    restart: bool = False
    replace: bool = False
    accept_gap: bool = False
    keep_old_s: int = 60
    checkpoint_s: float = 30.0
    settle_s: float = 300.0


class Progress(msgspec.Struct):
    """How far it is: `share` of the present phase, 0 to 1; `seconds` over all runs."""

    phase: str
    share: float
    records: int
    learned: int
    seconds: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds if self.seconds else 0.0


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    generation: str
    partitions: int
    records: int
    duplicates: int
    unusable: dict[str, int]
    members: int
    jobs: int
    learned: int
    examples: int
    seconds: float
    handed_over: dict[str, int]  # by topic, the sum of the offsets at which the live agents go on
    written: int
    retired: int
    orphans: int
