"""A log folded by key: the same calls as the agents', in parts that may run anywhere, with one result.

What a value is
---------------
A value is a function of the log with its offsets, and of nothing else. The log is the records in one order: that in which they
were written, or that of a file. Every record has its number there, and every effect has (number, index).

1. *Members*: each member's records, by number. No member's state depends on another's, so that members may be folded apart.
2. *Jobs*: each job's postings and effects, by (number, index). No job's state depends on another's.
3. *Networks*: what connections tell each other, by number, in one place: what a member is told depends on whom it knew then.
   This stage is not by key, and is not split.

So the result does not depend on how many parts there are, nor on how the log was cut into batches. Live agents take the
partitions of a log in another order. Then counts are the same, decayed sums the same to 1e-9; ``ops/features.md`` says what is
not.

Late events
-----------
An event is late if its member has had a newer one. It counts as if it had come in time: faded by its age, in the pane of its
time, at its place among the last ones. It is left out where the window has forgotten that time: beyond the panes of a sliding
window, beyond the `k` of the last, and by more than the time to live before the newest event of an aggregate that has one.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from streamrec.events import (
    Connection,
    Event,
    JobEvent,
    JobPosting,
    MemberProfile,
    Tombstone,
)
from streamrec.features.fold import (
    Effect,
    fold_entry,
    fold_event,
    fold_neighbours,
    fold_posting,
    fold_ties,
    is_duplicate,
    remember,
)
from streamrec.features.forgetting import NEVER, begin_anew, is_idle
from streamrec.features.library import PLAN
from streamrec.features.network import fold_own, is_told, spread
from streamrec.features.plan import Plan
from streamrec.features.state import JobState, MemberState, Neighbours, Network

MemberRecord = JobEvent | Connection | MemberProfile | Tombstone
DUPLICATE: Final = Effect("", None, 0, False, (), 0)  # what is given for an event that was there before


class Act(msgspec.Struct, frozen=True, array_like=True):
    """What `Networks` need of an event besides the event: its own effect."""

    number: int
    job_id: str
    action: int
    sign: int
    first: bool


class Members:
    """States of members; picklable, as are their parts, so that work can be moved.

    After `kept_ms` without an event a member begins anew: see `features.forgetting`.

    Examples
    --------
    >>> from streamrec.events import JobView
    >>> members = Members()
    >>> view = JobView(event_id="e1", member_id="ann", job_id="nurse", occurred_at=1000)
    >>> members.take(view).job_id, members.take(view) is DUPLICATE, members.duplicates
    ('nurse', True, 1)
    """

    def __init__(self, plan: Plan = PLAN, kept_ms: int = NEVER) -> None:
        self.plan, self.kept_ms = plan, kept_ms
        self.states: dict[str, MemberState] = {}
        self.events = self.duplicates = self.late = 0

    def take(self, record: MemberRecord) -> Effect | None:
        """Fold one record; what it means for its job, or `DUPLICATE`. Call it in the order of the log."""
        if isinstance(record, Tombstone):
            self.states.pop(record.key, None)
            return None
        state = self.states.get(record.member_id)
        if state is None:
            state = self.states[record.member_id] = MemberState()
        if isinstance(record, Event):
            self.events += 1
            if is_idle(state, record.occurred_at, self.kept_ms):
                begin_anew(state)
            if is_duplicate(state, record):
                self.duplicates += 1
                return DUPLICATE
            remember(state, record)
            self.late += record.occurred_at < state.last_at
        return fold_event(state, record, self.plan)


class Jobs:
    """States and co-visitation rows of jobs; picklable.

    Examples
    --------
    >>> from streamrec.events import Action
    >>> jobs = Jobs()
    >>> jobs.take(Effect("nurse", Action.VIEW, 1, True, (("cook", 0.5),), 1000))
    >>> jobs.tie("nurse", (("cook", 0.5),), 1000)
    >>> jobs.states["nurse"].last_at, jobs.rows["nurse"].weights, jobs.rows["cook"].weights
    (1000, {'cook': 0.5}, {'nurse': 0.5})
    """

    def __init__(self, plan: Plan = PLAN) -> None:
        self.plan = plan
        self.states: dict[str, JobState] = {}
        self.rows: dict[str, Neighbours] = {}

    def take(self, effect: Effect) -> None:
        """Fold what an event means for its own job. Call it in the order of the log."""
        job_id = effect.job_id
        if effect.action is not None:
            state = self.states.get(job_id)
            if state is None:
                state = self.states[job_id] = JobState()
            fold_entry(state, effect, self.plan)
        if effect.neighbours:
            row = self.rows.get(job_id)
            if row is None:
                row = self.rows[job_id] = Neighbours()
            fold_neighbours(row, effect)

    def tie(self, job_id: str, others: Iterable[tuple[str, float]], at: int) -> None:
        """Let each of the others have the job as a neighbour: what `fold.mirrored` says, at once."""
        fold_ties(self.rows, job_id, others, at)

    def post(self, posting: JobPosting | Tombstone) -> None:
        """Fold a posting, or its removal."""
        job_id = posting.key if isinstance(posting, Tombstone) else posting.job_id
        fold_posting(self.states.setdefault(job_id, JobState()), posting)


class Networks:
    """What connections know of each other, as of the last record: not by key, so in one place.

    Examples
    --------
    >>> from streamrec.events import Connection
    >>> networks = Networks()
    >>> networks.take(Connection(event_id="e1", member_id="ann", other_member_id="bob", occurred_at=5), None)
    >>> networks.states["bob"].edges
    {'ann': 5}
    """

    def __init__(self) -> None:
        self.states: dict[str, Network] = {}
        self._profiles: dict[str, MemberProfile] = {}

    def take(self, record: MemberRecord, act: Act | None) -> None:
        """Take a record that was no duplicate; `act` is what it did, if it did something."""
        if isinstance(record, Tombstone):
            self._profiles.pop(record.key, None)
            network = self.states.pop(record.key, None)
            if network is not None:
                spread(self.states, fold_own(network, None, record, []), self._company_of)
            return
        profile = self._profiles.get(record.member_id)
        if isinstance(record, MemberProfile):
            self._profiles[record.member_id] = record
        network = self.states.get(record.member_id)
        if network is None:
            if not isinstance(record, Connection):
                return
            network = self.states[record.member_id] = Network()
        effects = []
        if act is not None and isinstance(record, JobEvent):
            effects.append(Effect(act.job_id, act.action, act.sign, act.first, (), record.occurred_at))
        spread(self.states, fold_own(network, profile, record, effects), self._company_of)

    def note(self, record: MemberRecord) -> None:
        """Take a record while there is no connection yet: then where members work is all there is to know."""
        if isinstance(record, MemberProfile):
            self._profiles[record.member_id] = record
        elif isinstance(record, Tombstone):
            self._profiles.pop(record.key, None)

    def _company_of(self, member_id: str) -> str | None:
        profile = self._profiles.get(member_id)
        return profile.company if profile else None


def act_of(number: int, own: Effect | None) -> Act | None:
    """What connections are told of an event, given its effect; None for nothing."""
    if own is None or own.action is None or not is_told(own):
        return None
    return Act(number, own.job_id, own.action, own.sign, own.first)
