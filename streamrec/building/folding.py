"""A log folded by several processes, in the order of the log: see `features.replay` for why the result is one.

One process reads. It cuts the log into chunks of consecutive records and gives each worker its members' records of a chunk,
together with the effects that all workers made for its jobs of the chunk before: the stage of jobs is one chunk behind that of
members. Workers answer with their effects, packed by the worker that owns the job; these pass through the reader unread.
So a worker waits for the slowest of each chunk, nothing has to be ordered again but effects of one chunk, and at most two
chunks are in memory.
"""

import gc
import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator
from heapq import merge
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from operator import itemgetter
from types import TracebackType
from typing import Final, Self, cast
from zlib import crc32

import msgspec

from streamrec.events import Connection, JobPosting, Tombstone
from streamrec.features.fold import Effect
from streamrec.features.plan import Plan
from streamrec.features.replay import DUPLICATE, Act, Jobs, MemberRecord, Members, Networks, act_of
from streamrec.features.state import pack

CHUNK: Final = 2_000  # records
_WATCHED: Final = 8  # of so many chunks one is folded with the clock in hand
_WAIT_S: Final = 3.0
_OWN: Final = 2  # parts of what a parcel says of a job's own event; ties have more

Numbered = tuple[int, MemberRecord]
Ties = list[tuple[int, str, int, list[tuple[str, float]]]]  # number, job, time, jobs that gain it as a neighbour
Packed = dict[str, bytes]

_encode = msgspec.msgpack.Encoder().encode
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


def owner_of(key: str, workers: int) -> int:
    """Which of the workers has the key."""
    return crc32(key.encode()) % workers


class Part:
    """The members and jobs of one worker."""

    def __init__(self, plan: Plan, workers: int) -> None:
        self._workers, self._chunks = workers, 0
        self._members, self._jobs = Members(plan), Jobs(plan)
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


class Fold:
    """Folds a log by `workers` processes; with one, in this process.

    Use it in ``with``: it ends its processes. Afterwards `finish` gives what came of it.

    Parameters
    ----------
    plan
        What is computed.
    workers
        Processes, besides this one, which reads.
    """

    def __init__(self, plan: Plan, workers: int = 1) -> None:
        self._workers = workers
        self._networks = Networks()
        self._chunk: list[tuple[int, MemberRecord | JobPosting]] = []
        self._number = 0
        self._acting = False
        self._part = Part(plan, 1) if workers == 1 else None
        self._pipes: list[Pipe] = []
        self._processes: list[BaseProcess] = []
        self._parcels: list[list[bytes]] = [[] for _ in range(workers)]  # by destination, of the chunk before
        self._postings: list[list[tuple[int, JobPosting]]] = [[] for _ in range(workers)]
        self._under_way: list[tuple[int, MemberRecord | JobPosting]] | None = None
        if self._part is None:
            self._start(plan)

    def take(self, record: MemberRecord | JobPosting) -> None:
        """Fold the next record of the log."""
        self._chunk.append((self._number, record))
        self._number += 1
        if len(self._chunk) >= CHUNK:
            self._send()

    def finish(self) -> Folded:
        """Fold what is left; all states and what it took. Raises ChildProcessError where a worker has died."""
        self._send()
        if self._part is not None:
            found = self._part.finish()
        else:
            self._send()  # the stage of jobs of the last chunk
            self._collect()
            found = Folded()
            for pipe in self._pipes:
                self._put(pipe, None)
            for pipe in self._pipes:
                found.add(cast("Folded", self._get(pipe)))
        found.networks = {
            key: pack(network)
            for key, network in self._networks.states.items()
            if network.edges or network.more or network.parted
        }
        return found

    def _send(self) -> None:
        chunk, self._chunk = self._chunk, []
        self._acting = self._acting or any(isinstance(record, Connection) for _, record in chunk)
        if self._part is not None:
            self._tell(chunk, self._part.both(chunk, acting=self._acting))
            return
        shares: list[list[Numbered]] = [[] for _ in range(self._workers)]
        postings: list[list[tuple[int, JobPosting]]] = [[] for _ in range(self._workers)]
        for number, record in chunk:
            if isinstance(record, JobPosting):
                postings[owner_of(record.job_id, self._workers)].append((number, record))
            else:
                key = record.key if isinstance(record, Tombstone) else record.member_id
                shares[owner_of(key, self._workers)].append((number, record))
        self._collect()  # the chunk before has been folded while this one was read
        for place, pipe in enumerate(self._pipes):
            self._put(pipe, (shares[place], self._acting, self._parcels[place], self._postings[place]))
        self._postings, self._under_way = postings, chunk

    def _collect(self) -> None:
        if self._under_way is None:
            return
        answers = [self._get(pipe) for pipe in self._pipes]
        self._parcels = [[told.parcels[place] for told in answers] for place in range(self._workers)]  # type: ignore[union-attr]
        acts = [act for told in answers for act in told.acts]  # type: ignore[union-attr]
        duplicates = [number for told in answers for number in told.duplicates]  # type: ignore[union-attr]
        self._tell(self._under_way, Told([], acts, duplicates))
        self._under_way = None

    def _tell(self, chunk: Iterable[tuple[int, MemberRecord | JobPosting]], told: Told) -> None:
        if not self._acting:
            for _, record in chunk:
                if not isinstance(record, JobPosting):
                    self._networks.note(record)
            return
        acts, duplicates = {act.number: act for act in told.acts}, frozenset(told.duplicates)
        for number, record in chunk:
            if number not in duplicates and not isinstance(record, JobPosting):
                self._networks.take(record, acts.get(number))

    # Processes.

    def _start(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        for number in range(self._workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, plan, self._workers), name=f"fold-{number}", daemon=True
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def _put(self, pipe: Pipe, what: object) -> None:
        try:
            pipe.send(what)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChildProcessError("a worker has died: less memory is needed with fewer --workers") from error

    def _get(self, pipe: Pipe) -> Told | Folded:
        try:
            found: Told | Folded = pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise ChildProcessError("a worker has died: less memory is needed with fewer --workers") from error
        return found

    def __enter__(self) -> Self:
        self._collecting = gc.isenabled()
        gc.disable()  # states are trees: looking for cycles in all of them, again and again, would double the cost
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._collecting:
            gc.enable()
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(0 if kind else _WAIT_S)
            if process.is_alive():
                process.terminate()
                process.join()


def _work(pipe: Pipe, plan: Plan, workers: int) -> None:
    """A worker: it ends with the reader, which alone listens to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # see `Fold.__enter__`
    part = Part(plan, workers)
    for message in _messages(pipe):
        if message is None:
            pipe.send(part.finish())
            return
        records, acting, parcels, postings = message
        part.count(parcels, postings)
        pipe.send(part.take(records, acting=acting))


def _messages(
    pipe: Pipe,
) -> Iterator[tuple[list[Numbered], bool, list[bytes], list[tuple[int, JobPosting | Tombstone]]] | None]:
    while True:
        try:
            yield pipe.recv()
        except (EOFError, ConnectionResetError):
            return
