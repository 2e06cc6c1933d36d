"""What happens on a job site, as frozen values.

Every time is an integer: milliseconds since the Unix epoch, UTC. Every identifier is a string. The field names are those of
the Avro records in ``avro/``; a test holds the two equal.
"""

from enum import IntEnum
from hashlib import blake2b
from typing import Final

import msgspec

PROBES: Final = "streamrec-probe-"  # how the ids of reserved members begin: see `is_probe`


class Action(IntEnum):
    """What a member did with a job. The number is stored, so it never changes its meaning."""

    VIEW = 0
    LIKE = 1
    SAVE = 2
    APPLY = 3
    DISMISS = 4


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A thing that a member did. Its `event_id` is unique over all topics: the same id again in its topic is a duplicate."""

    event_id: str
    member_id: str
    occurred_at: int


class JobEvent(Event, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A thing that a member did with one job; `request_id` names the answer in which the member saw the job."""

    job_id: str
    request_id: str | None = None
    session_id: str | None = None
    surface: str | None = None


class JobView(JobEvent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The member opened the job. `position` is 0-based in the list; `dwell_ms` is how long the page stayed open."""

    position: int | None = None
    dwell_ms: int | None = None


class JobSave(JobEvent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The member saved the job, or with ``saved=False`` took that back."""

    saved: bool = True


class JobLike(JobEvent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The member liked the job, or with ``liked=False`` took that back."""

    liked: bool = True


class JobApplication(JobEvent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The member applied for the job: it is never recommended to this member again."""


class JobDismissal(JobEvent, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The member does not want to see the job again."""

    reason: str | None = None


class Connection(Event, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Two members connected (or, with ``connected=False``, parted); it holds for both."""

    other_member_id: str
    connected: bool = True


class ImpressionSeen(Event, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which `positions` of the answer `request_id` the member really had before its eyes.

    Positions are those of the impression, 0-based in the whole ranking. Once a client has sent one for an answer, only
    positions that it named can be negatives; several for one answer add up.
    """

    request_id: str
    positions: tuple[int, ...]


class JobPosting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An open position. The newest record of a `job_id` replaces the ones before; a tombstone removes the job."""

    job_id: str
    title: str
    company: str | None = None
    description: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    industry: str | None = None
    function: str | None = None
    seniority: str | None = None
    employment_type: str | None = None
    remote: bool | None = None
    skills: tuple[str, ...] = ()
    salary_min: float | None = None
    salary_max: float | None = None
    currency: str | None = None
    posted_at: int | None = None
    expires_at: int | None = None
    closed: bool = False


class MemberProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a member says of itself. The newest record replaces the ones before; a tombstone erases the member."""

    member_id: str
    headline: str | None = None
    company: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    industry: str | None = None
    function: str | None = None
    seniority: str | None = None
    skills: tuple[str, ...] = ()
    desired_titles: tuple[str, ...] = ()
    open_to_remote: bool | None = None
    salary_floor: float | None = None
    currency: str | None = None
    followed_companies: tuple[str, ...] = ()
    blocked_companies: tuple[str, ...] = ()
    updated_at: int


class Tombstone(msgspec.Struct, frozen=True):
    """A null value on a compacted topic: the entity behind `key` is gone."""

    key: str


class ActivityEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One effect of a member's event on one job; part of a `JobActivity`.

    `offset` and `index` say which effect of which source record this is: what lies at or below the consumer's mark for that
    source has been applied before. `action` is None where only `neighbours` (co-visitation) are meant. `sign` is -1 where
    an earlier save or like is taken back. `said` is what features of the job need of the event and of its member: fields of
    the event by their names, of the profile as ``profile.region``; None for nothing. `toucher` is the member, where this is its
    first touch of the job: see `features.resemblance`. `repeats` says that it had done the same with the job before.
    """

    offset: int
    index: int
    job_id: str
    occurred_at: int
    action: int | None = None
    sign: int = 1
    first: bool = False
    neighbours: tuple[tuple[str, float], ...] = ()
    said: dict[str, str | int | float | bool] | None = None
    toucher: int = 0
    repeats: bool = False


class JobActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What one source batch means for the jobs of one partition (topic `job-activity`)."""

    source_topic: str
    source_topic_id: str
    source_partition: int
    entries: tuple[ActivityEntry, ...]


class NetworkEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a member did, for the connections among the members of one partition; part of a `MemberActivity`.

    Attributes
    ----------
    offset, index
        As of `ActivityEntry`.
    kind
        ``act`` (did something with a job), ``edge`` (connected or parted), ``work`` (works at a company now, or at none
        that is known), ``gone`` (was erased), ``full`` (has made room for a newer connection, and only counts this one now).
    member_id
        Who.
    told
        The members of the partition that are told.
    occurred_at
        When (ms).
    job_id, action, sign
        Of an act, as of `ActivityEntry`.
    connected
        Of an edge; False where they parted.
    company
        Of an edge or a work: where `member_id` works.
    """

    offset: int
    index: int
    kind: str
    member_id: str
    told: tuple[str, ...]
    occurred_at: int
    job_id: str = ""
    action: int = 0
    sign: int = 1
    connected: bool = True
    company: str | None = None


class MemberActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What one source batch means for the connections in one partition (topic `member-activity`)."""

    source_topic: str
    source_topic_id: str
    source_partition: int
    entries: tuple[NetworkEntry, ...]


class ImpressionItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One job of an answer, as it was served.

    Attributes
    ----------
    position
        0-based in the whole ranking, not in the page.
    score, p_check
        What it was ordered by, and P(job checked); `p_check` is None where no model had been learned.
    propensity
        Probability with which the policy put this job at this position, above 0 and at most 1.
    features
        Packed little-endian float32, in the order of the impression's `feature_set`.
    sources
        Names of the candidate sources that named the job.
    """

    job_id: str
    position: int
    score: float
    p_check: float | None
    propensity: float
    features: bytes
    sources: tuple[str, ...]


class Impression(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer showed to a member, why, and by which model (topic `impressions`); unique by `request_id`."""

    request_id: str
    member_id: str
    served_at: int
    surface: str | None = None
    workflow: str
    model_name: str
    model_version: int
    arm: str | None = None
    feature_set: str
    items: tuple[ImpressionItem, ...]


class TrainingExample(msgspec.Struct, frozen=True, kw_only=True):
    """A list of jobs with what the member did, and the feature values of that moment (topic `training-examples`).

    `features` is a packed little-endian float32 matrix of ``len(job_ids) x d`` in the order of `feature_set`; `labels` and
    `weights` have one number a row. `source_*` identify the event that produced it (see `ActivityEntry`).

    Attributes
    ----------
    kind
        ``sampled``: an action beside sampled negatives, with features of the moment of the action. The others are rows of
        an impression, with the features that were served: ``positive`` (checked), ``closed`` (not checked when the window
        closed), ``correction`` (checked after that: the negative is taken back by a row of weight -1).
    request_id
        The impression's; None where sampled.
    rows_shown
        Rows of the whole list that these rows belong to; 0 means ``len(job_ids)``. Its rows may come in several examples.
    score_weights
        Weights of the rows for the score (by action); empty means `weights`.
    positions, propensities, served_p
        Of each row as served; empty where unknown, `served_p` also where no model had been learned.
    model_version
        The one that served the list; 0 for none.
    hit
        Of a closed list: 1 if a job in its first ten positions was checked, 0 if none was; -1 where that is not asked.
    """

    event_id: str
    member_id: str
    occurred_at: int
    source_topic: str
    source_topic_id: str
    source_partition: int
    source_offset: int
    source_index: int
    surface: str | None = None
    feature_set: str
    job_ids: tuple[str, ...]
    labels: tuple[float, ...]
    weights: tuple[float, ...]
    features: bytes
    kind: str = "sampled"
    request_id: str | None = None
    rows_shown: int = 0
    score_weights: tuple[float, ...] = ()
    positions: tuple[int, ...] = ()
    propensities: tuple[float, ...] = ()
    served_p: tuple[float, ...] = ()
    model_version: int = 0
    hit: int = -1


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """A member, by `digest_of` its id, was erased: what it did until `erased_at` is forgotten (topic `erasures`)."""

    digest: str
    erased_at: int


def digest_of(member_id: str) -> str:
    """What the ledger of erasures knows a member by: it says nothing to whoever does not know the id.

    Examples
    --------
    >>> digest_of("ann")
    'd8963d899008cf8c05369be7b9042715'
    """
    return blake2b(member_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def is_probe(member_id: str) -> bool:
    """Whether the member is one of those that only watch how fresh answers are (see `streamrec.probe`), and is nobody.

    What it does is in its own answers, and nowhere else: no count, connection or training example holds anything of it. So it is
    in every replay of a log, since each reader of the log asks here: `features.fold`, `features.network`, `models.labels`,
    `ranking.examples`, `training.evaluate`.

    Examples
    --------
    >>> is_probe("streamrec-probe-7"), is_probe("ann")
    (True, False)
    """
    return member_id.startswith(PROBES)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be used, with all that is needed to mend and send it again (topic `dead-letters`)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    reason: str
    detail: str
    failed_at: int


class Rejected(msgspec.Struct, frozen=True):
    """Why a record cannot be used: `reason` is one of a few fixed words (a metric's label), `detail` is for people."""

    reason: str
    detail: str
