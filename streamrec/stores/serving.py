"""The reading shell that the lookup and the worker share: all jobs in a table, the newest model, one member's values.

The table is loaded by one scan and then follows the `changes` streams of the job slots. Whatever was written between
the noting of the streams' ends and the scan is read twice, which does no harm; nothing is missed. The model's slot has
such a stream, too, so that a new model is taken up as soon as it is there; a trainer of an older version does not write
it, so the model is also asked for twice a second.

While nothing new is to be read, a process is blocked in XREAD; it is not between the arrival of a change and its having
been taken up. `local.lockstep` counts on that.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import msgspec
import numpy as np

from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.state import JobState
from streamrec.features.table import JobTable
from streamrec.metrics import MODEL_AGE, STORE_ERRORS, TABLE_JOBS, TABLE_LAG
from streamrec.models import registered
from streamrec.models.base import Scorer
from streamrec.models.snapshot import UnreadableSnapshotError, scorer_of
from streamrec.models.snapshot import unpack as unpack_snapshot
from streamrec.packed import DAMAGED
from streamrec.settings import Settings
from streamrec.stores.base import Put, Store, StoreUnavailableError, TruncatedError
from streamrec.stores.generations import UnreadableGenerationError
from streamrec.stores.generations import unpack as unpack_generation
from streamrec.stores.keys import MODEL_SLOT, Keys, current_key
from streamrec.stores.members import MemberReader

MODEL: Final = "job_check"

_READ: Final = 500  # keys a round trip
_SLICE_S: Final = 0.003  # the event loop gets its turn after so much work of ours
_WAIT_MS: Final = 500  # for changes; bounds how late a model is seen that was not announced, too
_MODEL_EVERY_S: Final = 0.5
_RESTED_S: Final = 30.0  # a store whose jobs have not become more for so long will not have those that it lost
_COUNT_EVERY_S: Final = 5.0
_MORE: Final = 500  # entries of one stream in one answer: there may be more that were not in it
_REST: Final = 3.0  # times what a round of changes took, the process has for other work
_PAUSE_S: Final = (0.01, 0.2)  # between two rounds of changes, so that changes of one job fall into one read
_BACKOFF_S: Final = (0.1, 3.0)

_log = logging.getLogger(__name__)
_changed_ids = msgspec.msgpack.Decoder(list[str])


class _Turns:
    """Tells when the event loop must have its turn."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _SLICE_S

    @property
    def over(self) -> bool:
        return time.monotonic() > self._until

    async def rest(self) -> None:
        await asyncio.sleep(0)
        self._until = time.monotonic() + _SLICE_S


def _number(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


class Serving(MemberReader):
    """The reading side of one process.

    Parameters
    ----------
    store
        Where state lives.
    keys
        The installation's keys.
    settings
        Of the installation.
    clock_ms
        Wall clock, milliseconds since the epoch.
    on_move
        If given, the newest generation of state is followed: once its table is loaded, `keys` are its own, and this is
        called with them. Until then everything is answered from the one before.

    Attributes
    ----------
    keys
        Of the generation in use.
    table
        All jobs. Replaced as a whole when it is loaded anew: take it once a ranking, since row numbers are its own.
    scorer
        The newest model, by the columns of this version; None while there is none.
    loaded
        Whether `table` has been loaded.
    lost
        Whether the store has lost its data: what is known of jobs and the model is what this process holds.
    current_at
        When `table` was last known to hold everything committed, ms; 0 before the first load.
    """

    def __init__(
        self, store: Store, keys: Keys, settings: Settings, clock_ms: Callable[[], int],
        on_move: Callable[[Keys], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(store, keys)
        self.settings, self.clock_ms, self._on_move = settings, clock_ms, on_move
        self.table = JobTable()
        self.scorer: Scorer | None = None
        self.loaded = self.lost = False
        self._marked = False  # whether the store says which generation counts: it does so from the first worker on
        self.current_at = 0
        self._stale = True  # the table must be loaded (anew)
        self._after: dict[str, str] = {}
        self._releases = keys.changes(MODEL_SLOT)
        self._model_version: bytes | None = None
        self._model_polled = self._counted = float("-inf")
        self._restored = (-1, 0.0)  # jobs of a store that has lost its data, and since when it has so many

    @property
    def without_posting(self) -> bool:
        """Whether jobs without a posting are served: the setting; if that is ``auto``, while there is no posting."""
        choice = self.settings.serve_without_posting
        return self.table.posting_count == 0 if choice == "auto" else choice == "yes"

    async def load(self) -> None:
        """Read all jobs and the model. The old table stays in use until the new one is complete.

        Raises
        ------
        StoreUnavailableError
            The store did not answer; what was loaded before is unchanged.
        """
        keys = await self._newest_keys()
        if self.lost and self.loaded and not self._is_back():
            self._stale = False
            return
        after = await self.store.tail([keys.changes(slot) for slot in (*keys.job_slots(), MODEL_SLOT)])
        began = self.clock_ms()
        found = await self.store.scan(keys.jobs_pattern())
        if self.lost and self._is_being_restored(len(found)):
            self._stale = False
            return
        table = JobTable(max(1024, len(found)))
        await self._read_jobs(table, (job_id for key in found if (job_id := keys.job_id(key)) is not None), keys)
        # Before anything is made of these features: whoever learns from it must know what they are.
        name, columns = keys.feature_set(FEATURE_SET), registered.pack(feature_names())
        if await self.store.get([name]) != [columns]:  # a Redis that takes no writes can still be served from
            await self.store.put([Put(name, columns)])
        self.table, self._after, self.current_at = table, after, began
        self.loaded, self._stale, self.lost = True, False, False
        if keys != self.keys:
            self._model_version = None
            self.move(keys)
            if self._on_move is not None:
                self._on_move(keys)
            _log.info("answering from generation %s of the state now", keys.generation or "0")
        await self._poll_model()
        self._measure()

    async def run(self) -> None:
        """Keep the table and the model current, for ever: it ends only by cancellation.

        A store that is away is asked again after 0.1 s, then less and less often, at least every 3 s; meanwhile the
        table is served as it is, and `current_at` tells its age.
        """
        backoff = _BACKOFF_S[0]
        while True:
            try:
                if self._stale:
                    await self.load()
                busy = await self._follow()
                if time.monotonic() - self._model_polled >= _MODEL_EVERY_S:
                    await self._poll_model()
                    self._stale = (
                        await self._newest_keys() != self.keys
                        or self.table.wasteful
                        or self._is_back()
                        or await self._is_set_back()
                    )
            except TruncatedError:
                _log.warning("fell behind the stream of changed jobs: loading the table anew")
                self._stale = True
                pause = _PAUSE_S[1] if self.lost else 0.0
            except StoreUnavailableError as error:
                STORE_ERRORS.labels("follow").inc()
                self._complain("follow", f"the store is away, the table of jobs grows old: {error}")
                pause = backoff
                backoff = min(backoff * 2, _BACKOFF_S[1])
            else:
                self._complained.discard("follow")
                backoff = _BACKOFF_S[0]
                pause = min(max(_REST * busy, _PAUSE_S[0]), _PAUSE_S[1])
            self._measure()
            await asyncio.sleep(pause)

    async def _follow(self) -> float:
        """Apply what changed since the last call; seconds that it took, without the wait for the first change."""
        asked_at = self.clock_ms()
        entries = await self.store.follow(self._after, _WAIT_MS)
        if not entries:
            self.current_at = self.clock_ms()
            return 0.0
        began = time.monotonic()
        turns = _Turns()
        changed: dict[str, None] = {}
        released = False
        for entry in entries:
            if entry.key == self._releases:
                released = True
                continue
            try:
                changed.update(dict.fromkeys(_changed_ids.decode(entry.value)))
            except DAMAGED as error:
                self._unreadable("changes", error)
            if turns.over:
                await turns.rest()
        await self._read_jobs(self.table, changed, self.keys)
        if released:
            await self._poll_model()
        # Only now: if a read failed, the same entries come again.
        self._after.update({entry.key: entry.id for entry in entries})
        if max(Counter(entry.key for entry in entries).values()) < _MORE:
            self.current_at = asked_at
        return time.monotonic() - began

    async def _is_set_back(self) -> bool:
        """Whether the store came back with older data: then new entries have numbers that were read before.

        One without any data is noticed by `follow`: its streams begin with the time.
        """
        ends = await self.store.tail(list(self._after))
        back = [key for key, end in ends.items() if end != "0-0" and _number(end) < _number(self._after[key])]
        if back:
            _log.warning("the store went back to older data: loading the table of jobs anew")
        return bool(back)

    async def _newest_keys(self) -> Keys:
        """Keys of the generation to answer from: while it cannot be read which one that is, the one before."""
        if self._on_move is None:
            return self.keys
        [value] = await self.store.get([current_key(self.settings.namespace)])
        if value is None and (self._marked or self.lost):
            self._lose()
            return self.keys
        self._marked = value is not None
        try:
            return unpack_generation(value, self.settings.partitions).keys(self.settings.namespace)
        except UnreadableGenerationError as error:
            self._unreadable("generation", error)
            return self.keys

    def _lose(self) -> None:
        self._marked = False
        if not self.lost:
            self.lost = True
            _log.error(
                "the store has lost its data: answering from what is in memory. `streamrec rebuild` restores the state"
            )

    def _is_back(self) -> bool:
        """Whether a store that had lost its data has some again: then what it holds counts, and not what is in memory."""
        return self.lost and self._marked

    def _is_being_restored(self, jobs: int) -> bool:
        """Whether the store has fewer jobs than this process knows, and more from one look to the next: then these are better."""
        now, before, since = time.monotonic(), *self._restored
        if jobs != before:
            self._restored = (jobs, now)
        return jobs < self.table.posting_count and (jobs != before or now - since < _RESTED_S)

    async def _read_jobs(self, table: JobTable, job_ids: Iterable[str], keys: Keys) -> None:
        """Read jobs into `table`, giving the event loop its turn every few milliseconds."""
        rest, turns = iter(job_ids), _Turns()
        while part := list(islice(rest, _READ)):
            values = await self.store.get([keys.job(job_id) for job_id in part])
            for job_id, value in zip(part, values, strict=True):
                if value is None:
                    table.remove(job_id)
                elif state := self._state(JobState, value):
                    self._take_over(table, job_id, state)
                if turns.over:
                    await turns.rest()

    def _take_over(self, table: JobTable, job_id: str, state: JobState) -> None:
        """One job whose numbers make no sense must not keep all others from being followed."""
        try:
            table.upsert(job_id, state)
        except Exception as error:  # noqa: BLE001 - what is wrong with stored numbers shows in many ways
            self._unreadable("JobState", f"{job_id!r:.100}: {type(error).__name__}: {error}")
            table.remove(job_id)

    async def _poll_model(self) -> None:
        """Take up the newest model, if it is another than before; while there is none to be read, the old one stays."""
        self._model_polled = time.monotonic()
        (version,) = await self.store.get([self.keys.model_version(MODEL)])
        if version is None or version == self._model_version:
            return
        # Both at once, so that they belong together.
        version, value = await self.store.get([self.keys.model_version(MODEL), self.keys.model(MODEL)])
        if version is None or value is None:
            return
        self._model_version = version  # of an unreadable one, too: it does not get better by being read again
        try:
            snapshot = unpack_snapshot(value)
        except UnreadableSnapshotError as error:
            self._unreadable("model", error)
            return
        scorer = scorer_of(snapshot)
        if snapshot.feature_set != FEATURE_SET:  # of a version before or after this one
            scorer = scorer.moved(snapshot.feature_names, FEATURE_SET, feature_names())
        self.scorer = scorer
        self._complained.discard("model")

    def _measure(self) -> None:
        model_at = None if self.scorer is None else self.scorer.learned_at
        MODEL_AGE.set(float("inf") if model_at is None else max(0, self.clock_ms() - model_at) / 1000)
        TABLE_LAG.set((self.clock_ms() - self.current_at) / 1000 if self.loaded else float("inf"))
        if time.monotonic() - self._counted >= _COUNT_EVERY_S:
            self._counted = time.monotonic()
            table = self.table
            open_now = table.has_posting & ~table.closed
            TABLE_JOBS.labels("open").set(int(np.count_nonzero(open_now)))
            TABLE_JOBS.labels("closed").set(int(np.count_nonzero(table.closed)))
            TABLE_JOBS.labels("without_posting").set(int(np.count_nonzero(~table.has_posting & ~table.closed)))
