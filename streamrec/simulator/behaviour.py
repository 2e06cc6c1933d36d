"""What a member does with a job that it has examined: check it or not, and what follows from that.

Whether it checks the job is the truth's to say. The other actions follow by their own chances, logistic in the same log
odds z: the better a job fits, the likelier is the stronger action.
"""

from typing import Final, NamedTuple

import numpy as np

from streamrec.events import JobApplication, JobDismissal, JobLike, JobSave
from streamrec.simulator.arrays import Draw, Flags, Floats, Ints, logistic
from streamrec.simulator.scribe import FollowUp

_SECOND_MS: Final = 1000
_GLANCE_MS: Final = 1500  # for each place of the list, down to the job
_SLOPE: Final = 0.6
_USUAL: Final = -1.5  # the z of a job that is checked, about
_DISMISSES: Final = -5.5  # log odds for a job that was examined and not checked, at the usual z


class _Way(NamedTuple):
    """How one action follows a view: log odds at the usual z, and after how long (ms; the median, and the most)."""

    kind: type[FollowUp]
    odds: float
    median_ms: float
    most_ms: int


_WAYS: Final = (
    _Way(JobLike, -2.4, 15 * _SECOND_MS, 120 * _SECOND_MS),
    _Way(JobSave, -2.1, 25 * _SECOND_MS, 300 * _SECOND_MS),
    _Way(JobApplication, -2.7, 360 * _SECOND_MS, 2400 * _SECOND_MS),
)
LATEST_MS: Final = max(way.most_ms for way in _WAYS) + 60 * _SECOND_MS  # after a page nothing more comes of it


class Deeds(NamedTuple):
    """Actions of one kind: which of the examined jobs they are on, and when."""

    kind: type[FollowUp]
    which: Ints
    at: Ints


def checks(draw: Draw, z: Floats) -> Flags:
    """A throw of a coin for each job."""
    return draw.random(len(z)) < logistic(z)


def viewed_at(at: Ints, position: Ints) -> Ints:
    """When a job of a page is opened that was looked at from `at` on."""
    return at + (position + 1) * _GLANCE_MS


def dwell_ms(draw: Draw, z: Floats) -> Ints:
    """How long an opened job is read: longer if it fits."""
    seconds = np.exp(draw.normal(3.2, 0.8, size=len(z)) + 0.25 * (z - _USUAL).clip(-3, 3))
    return (seconds.clip(1, 900) * _SECOND_MS).astype(np.int64)


def follow_ups(draw: Draw, z: Floats, at: Ints) -> list[Deeds]:
    """What members do with jobs that they have opened at `at`, one entry an action."""
    found = []
    for way in _WAYS:
        which = np.flatnonzero(draw.random(len(z)) < logistic(way.odds + _SLOPE * (z - _USUAL)))
        after = np.exp(draw.normal(np.log(way.median_ms), 0.7, size=len(which))).clip(_SECOND_MS, way.most_ms)
        found.append(Deeds(way.kind, which, at[which] + after.astype(np.int64)))
    return found


def dismissals(draw: Draw, z: Floats, at: Ints, position: Ints, checked: Flags) -> Deeds:
    """Jobs that were examined, not checked, and sent away: sooner those that do not fit."""
    odds = np.where(np.isfinite(z), _DISMISSES - 0.3 * (z - _USUAL), -np.inf)
    which = np.flatnonzero(~checked & (draw.random(len(z)) < logistic(odds)))
    return Deeds(JobDismissal, which, viewed_at(at[which], position[which]))
