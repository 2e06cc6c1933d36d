"""One worker's share of a fold: the stages of members and of jobs, chunk by chunk, and what they exchange. See `folding`."""

import time
from collections.abc import Iterable
from heapq import merge
from operator import itemgetter
from typing import Final
from zlib import crc32

import msgspec

from streamrec.events import (
    Connection,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
    Tombstone,
)
from streamrec.features.fold import Effect
from streamrec.features.forgetting import NEVER
from streamrec.features.plan import Plan
from streamrec.features.replay import DUPLICATE, Act, Jobs, MemberRecord, Members, act_of
from streamrec.features.state import pack

_WATCHED: Final = 8  # of so many chunks one is folded with the clock in hand
_OWN: Final = 2  # parts of what a parcel says of a job's own event; ties have more

Numbered = tuple[int, MemberRecord]
Ties = list[tuple[int, str, int, list[tuple[str, float]]]]  # number, job, time, jobs that gain it as a neighbour
Packed = dict[str, bytes]
Packing = dict[str, tuple[list[int], bytes]]  # by kind of record: their numbers, and the records

_encode = msgspec.msgpack.Encoder().encode
_RECORDS: Final = {
    kind.__name__: msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]
    for kind in (JobView, JobSave, JobLike, JobApplication, JobDismissal, Connection, MemberProfile, Tombstone)
}
_decode = msgspec.msgpack.Decoder(tuple[list[tuple[int, Effect]], Ties]).decode


class Told(msgspec.Struct):
    """What a worker says of a chunk: effects by destination, what connections are to know, duplicates."""

    parcels: list[bytes]
    acts: list[Act]
    duplicates: list[int]


class Cost(msgspec.Struct):
    """How often something was timed, and how long it took in all (s)."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        self.count += count
        self.seconds += seconds


class Folded(msgspec.Struct):
    """All states, packed, by id; and what it took. `seconds` are those of folding alone, of all processes."""

    members: Packed = {}
    jobs: Packed = {}
    neighbours: Packed = {}
    networks: Packed = {}
    events: int = 0
    duplicates: int = 0
    late: int = 0
    seconds: float = 0.0
    cells: dict[str, Cost] = {}

    def add(self, other: "Folded") -> None:
        """Take in what another part has folded."""
        for mine, theirs in (
            (self.members, other.members), (self.jobs, other.jobs), (self.neighbours, other.neighbours),
        ):  # fmt: skip
            mine.update(theirs)
        self.events += other.events
        self.duplicates += other.duplicates
        self.late += other.late
        self.seconds += other.seconds
        for key, cost in other.cells.items():
            self.cells.setdefault(key, Cost()).add(cost.seconds, cost.count)


def packed(records: Iterable[Numbered]) -> Packing:
    """Records as bytes, by kind: a quarter of what pickling them takes."""
    kinds: dict[str, tuple[list[int], list[MemberRecord]]] = {}
    for number, record in records:
        numbers, same = kinds.setdefault(type(record).__name__, ([], []))
        numbers.append(number)
        same.append(record)
    return {kind: (numbers, _encode(same)) for kind, (numbers, same) in kinds.items()}


def unpacked(packing: Packing) -> list[Numbered]:
    """What `packed` took, in the order of the numbers.

    Examples
    --------
    >>> records = [(1, Tombstone("ann")), (2, Connection(event_id="e", member_id="b", other_member_id="c", occurred_at=5))]
    >>> unpacked(packed(records)) == records
    True
    """
    found = [
        pair
        for kind, (numbers, blob) in packing.items()
        for pair in zip(numbers, _RECORDS[kind].decode(blob), strict=True)
    ]
    found.sort(key=itemgetter(0))
    return found


def owner_of(key: str, workers: int) -> int:
    """Which of the workers has the key."""
    return crc32(key.encode()) % workers


class Part:
    """The members and jobs of one worker."""

    def __init__(self, plan: Plan, workers: int, kept_ms: int = NEVER) -> None:
        self._workers, self._chunks = workers, 0
        self._members, self._jobs = Members(plan, kept_ms), Jobs(plan)
        self._owners: dict[str, int] = {}
        self._cells: dict[str, Cost] = {}
        self._plan, self._watched = plan, plan.watched(self._note)
        self._seconds = 0.0

    def __getstate__(self) -> dict[str, object]:
        """Picklable between chunks: work may be moved to another process."""
        self._members.plan = self._jobs.plan = self._plan
        return {name: value for name, value in vars(self).items() if name != "_watched"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._watched = self._plan.watched(self._note)

    def take(self, records: Iterable[Numbered], *, acting: bool) -> Told:
        """The stage of members, of one chunk. `acting`: whether there are connections, who are told."""
        began = time.process_time()
        self._watch()
        parcels: list[tuple[list[tuple[int, Effect]], Ties]] = [([], []) for _ in range(self._workers)]
        acts: list[Act] = []
        duplicates: list[int] = []
        owners, workers = self._owners, self._workers
        for number, record in records:
            effect = self._members.take(record)
            if effect is None:
                continue
            if effect is DUPLICATE:
                duplicates.append(number)
                continue
            parcels[self._owner(effect.job_id)][0].append((number, effect))
            if effect.neighbours:
                shares: list[list[tuple[str, float]]] = [[] for _ in range(workers)]
                for tie in effect.neighbours:
                    owner = owners.get(tie[0])
                    shares[self._owner(tie[0]) if owner is None else owner].append(tie)
                for (_, ties), share in zip(parcels, shares, strict=True):
                    if share:
                        ties.append((number, effect.job_id, effect.occurred_at, share))
            if acting and (act := act_of(number, effect)) is not None:
                acts.append(act)
        told = Told([_encode(parcel) for parcel in parcels], acts, duplicates)
        self._seconds += time.process_time() - began
        return told

    def _owner(self, job_id: str) -> int:
        owner = self._owners.get(job_id)
        if owner is None:
            owner = self._owners[job_id] = owner_of(job_id, self._workers)
        return owner

    def count(self, parcels: Iterable[bytes], postings: list[tuple[int, JobPosting | Tombstone]]) -> None:
        """The stage of jobs, of one chunk. What one record means for one job is one effect: so numbers tell the order."""
        began = time.process_time()
        jobs, whole = self._jobs, [_decode(parcel) for parcel in parcels]
        streams = [*(effects for effects, _ in whole), *(ties for _, ties in whole)]
        for each in merge(*filter(None, streams), key=itemgetter(0)):  # type: ignore[call-overload]
            if len(each) == _OWN:
                jobs.take(each[1])
            else:
                jobs.tie(each[1], each[3], each[2])
        for _, posting in postings:
            jobs.post(posting)
        self._seconds += time.process_time() - began

    def both(self, records: Iterable[tuple[int, MemberRecord | JobPosting]], *, acting: bool) -> Told:
        """Both stages at once, where all keys are here."""
        began = time.process_time()
        self._watch()
        take, jobs = self._members.take, self._jobs
        told = Told([], [], [])
        for number, record in records:
            if isinstance(record, JobPosting):
                jobs.post(record)
                continue
            effect = take(record)
            if effect is None:
                continue
            if effect is DUPLICATE:
                told.duplicates.append(number)
                continue
            jobs.take(effect)
            if effect.neighbours:
                jobs.tie(effect.job_id, effect.neighbours, effect.occurred_at)
            if acting and (act := act_of(number, effect)) is not None:
                told.acts.append(act)
        self._seconds += time.process_time() - began
        return told

    def finish(self) -> Folded:
        """All that has come of it."""
        members, jobs = self._members, self._jobs
        return Folded(
            members={key: pack(state) for key, state in members.states.items()},
            jobs={key: pack(state) for key, state in jobs.states.items()},
            neighbours={key: pack(row) for key, row in jobs.rows.items()},
            events=members.events, duplicates=members.duplicates, late=members.late, seconds=self._seconds,
            cells=self._cells,
        )  # fmt: skip

    def _watch(self) -> None:
        plan = self._watched if self._chunks % _WATCHED == 1 else self._plan
        self._members.plan = self._jobs.plan = plan
        self._chunks += 1

    def _note(self, key: str, seconds: float) -> None:
        self._cells.setdefault(key, Cost()).add(seconds)
