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
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Final, Self, cast

from streamrec.building.part import Folded, Numbered, Packing, Part, Told, owner_of, packed, unpacked
from streamrec.events import Connection, JobPosting, Tombstone
from streamrec.features.forgetting import NEVER
from streamrec.features.plan import Plan
from streamrec.features.replay import MemberRecord, Networks
from streamrec.features.state import pack

CHUNK: Final = 2_000  # records
_WAIT_S: Final = 3.0


class Fold:
    """Folds a log by `workers` processes; with one, in this process.

    Use it in ``with``: it ends its processes. Afterwards `finish` gives what came of it.

    Parameters
    ----------
    plan
        What is computed.
    workers
        Processes, besides this one, which reads.
    kept_ms
        See `features.replay.Members`.
    """

    def __init__(self, plan: Plan, workers: int = 1, kept_ms: int = NEVER) -> None:
        self._workers, self._kept_ms = workers, kept_ms
        self._networks = Networks()
        self._chunk: list[tuple[int, MemberRecord | JobPosting]] = []
        self._number = 0
        self._acting = False
        self._part = Part(plan, 1, kept_ms) if workers == 1 else None
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
            self._put(pipe, (packed(shares[place]), self._acting, self._parcels[place], self._postings[place]))
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
                target=_work, args=(theirs, plan, self._workers, self._kept_ms), name=f"fold-{number}", daemon=True
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


def _work(pipe: Pipe, plan: Plan, workers: int, kept_ms: int) -> None:
    """A worker: it ends with the reader, which alone listens to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # see `Fold.__enter__`
    part = Part(plan, workers, kept_ms)
    for message in _messages(pipe):
        if message is None:
            pipe.send(part.finish())
            return
        records, acting, parcels, postings = message
        part.count(parcels, postings)
        pipe.send(part.take(unpacked(records), acting=acting))


def _messages(
    pipe: Pipe,
) -> Iterator[tuple[Packing, bool, list[bytes], list[tuple[int, JobPosting | Tombstone]]] | None]:
    while True:
        try:
            yield pipe.recv()
        except (EOFError, ConnectionResetError):
            return
