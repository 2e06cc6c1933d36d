"""Bytes from Redis, from disk and from clients that are not what they should be: one clear error each, and nothing else."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec import codecs
from streamrec.agents import due, labels
from streamrec.agents.erasures import Ledger, UnreadableLedgerError
from streamrec.features.state import JobState, MemberState, Neighbours, Network, UnreadableStateError, pack, unpack
from streamrec.features.table import JobTable
from streamrec.lookup import cursor, tokens
from streamrec.models import passed, registered, shown, snapshot
from streamrec.models.job_check import JobCheck
from streamrec.ranking import ranked
from streamrec.settings import Settings
from streamrec.stores import generations, positions
from streamrec.stores.base import Put
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.positions import Mark, Position
from streamrec.stores.serving import Serving
from tests.fuzz.messages import NOW, rewritten, spoiled
from tests.fuzz.test_avro import examples

pytestmark = pytest.mark.soak

GOLDEN: Final = Path(__file__).parent.parent / "golden"


KINDS: Final[dict[type[Any], str]] = {
    MemberState: "member", JobState: "job", Neighbours: "neighbours", Network: "network"
}  # fmt: skip
DUE: Final = [due.Due(7, "m1", "r1", 5), due.Due(8, "m2", "r2", 6)]
OUTBOX: Final = b"\x01" + msgspec.msgpack.encode([(b"key", b"value")])


class Stored(NamedTuple):
    """Good values, what reads them, and the only error that it may raise."""

    good: list[bytes]
    read: Callable[[bytes], Any]
    error: type[Exception]


def _golden(pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(GOLDEN.glob(pattern))]


STORED: Final = {
    **{
        kind.__name__: Stored(_golden(f"state/{name}-*"), partial(unpack, kind), UnreadableStateError)
        for kind, name in KINDS.items()
    },
    "shown": Stored(_golden("shown/*"), shown.unpack, shown.UnreadableShownError),
    "passed": Stored(_golden("passed/*"), passed.unpack, passed.UnreadablePassedError),
    "ranked": Stored(_golden("ranked/*"), ranked.unpack, ranked.UnreadableListError),
    "position": Stored(
        _golden("positions/position*"), partial(positions.unpack, Position), positions.UnreadablePositionError
    ),
    "mark": Stored(_golden("positions/mark*"), partial(positions.unpack, Mark), positions.UnreadablePositionError),
    "generation": Stored(
        _golden("generation/*"), lambda value: generations.unpack(value, 4), generations.UnreadableGenerationError
    ),
    "model": Stored(_golden("model/*.bin"), snapshot.unpack, snapshot.UnreadableSnapshotError),
    "due": Stored([due.pack(DUE)], due.unpack, due.UnreadableDueError),
    "bucket": Stored([due.pack(DUE)], lambda value: due.DueQueue({"0": value}), due.UnreadableDueError),
    "outbox": Stored([OUTBOX], labels.unpack_outbox, labels.UnreadableOutboxError),
    "erased": Stored([b"1700000000000"], lambda value: Ledger({"d": value}), UnreadableLedgerError),
    "columns": Stored([registered.pack(("a", "b"))], registered.unpack, AssertionError),  # none: it says None
}


@examples(60)
@pytest.mark.parametrize("kind", STORED)
@given(data=st.data())
def test_damaged_bytes_are_read_or_refused_by_one_error(kind: str, data: st.DataObject) -> None:
    good, read, error = STORED[kind]
    value = data.draw(st.sampled_from(good) | st.sampled_from(good[-1:]))
    read(value)
    others = spoiled(value, 1) | st.binary(max_size=50).map(lambda rest: value[:1] + rest) | st.binary(max_size=9)
    if kind not in ("erased", "model"):
        others |= rewritten(value[1:]).map(lambda rest: value[:1] + rest)
    damaged = data.draw(others)
    with suppress(error):
        read(damaged)


@st.composite
def _damaged(draw: Any, kind: type[Any]) -> Any:
    """What can still be read of damaged states: other numbers and texts than any fold has written."""
    value = draw(st.sampled_from(_golden(f"state/{KINDS[kind]}-*")))
    try:
        damaged = unpack(kind, value[:1] + draw(rewritten(value[1:])))
        pack(damaged)  # some numbers could not have been stored
    except (UnreadableStateError, OverflowError):
        return unpack(kind, value)
    return damaged


@examples(40)
@given(jobs=st.lists(_damaged(JobState), min_size=1, max_size=3))
def test_a_lookup_goes_on_beside_jobs_whose_state_makes_no_sense(jobs: list[JobState]) -> None:
    """They are passed over and counted; the others are there, and so is the model's turn."""
    settings = Settings()
    keys = Keys(settings.namespace, settings.partitions)

    async def load() -> JobTable:
        store = MemoryStore(keys)
        names = [f"j{number}" for number in range(len(jobs))]
        writes = [Put(keys.job(name), pack(job)) for name, job in zip(names, jobs, strict=True)]
        await store.put([*writes, Put(keys.job("good"), _golden("state/job-*")[-1])])
        serving = Serving(store, keys, settings, lambda: NOW)
        await serving.load()
        return serving.table

    table = asyncio.run(load())
    assert table.row("good") is not None
    best = table.best_open(np.ones(len(table)), 9, NOW)
    assert table.row("good") in best.tolist()


@examples(60)
@given(data=st.data())
def test_a_snapshot_that_is_whole_but_senseless_is_refused_before_it_is_used(data: st.DataObject) -> None:
    """Damage is caught by the checksum; whoever can compute one can write what they like into the body."""
    value = _golden("model/*.bin")[-1]
    body = data.draw(rewritten(value[9:]))
    try:
        found = snapshot.unpack(value[:1] + snapshot._checksum(body) + body)
        scorer = snapshot.scorer_of(found)
        scorer.probabilities(np.zeros((1, len(found.feature_names)), np.float32))
    except snapshot.UnreadableSnapshotError:
        return
    with suppress(snapshot.UnreadableSnapshotError, snapshot.OtherModelError):
        snapshot.restore(JobCheck(found.feature_set, found.feature_names), found)


@examples(200)
@given(st.text(max_size=60) | st.binary(max_size=60).map(tokens.to_base64))
def test_any_text_is_a_token_or_none(text: str) -> None:
    try:
        found = tokens.decode(text)
    except tokens.InvalidTokenError:
        return
    assert tokens.decode(tokens.encode(found)) == found


@examples(200)
@given(st.text(max_size=60) | st.binary(max_size=60).map(tokens.to_base64), st.none() | st.just("diverse@1"))
def test_any_text_is_a_cursor_or_none(text: str, workflow: str | None) -> None:
    cursor.workflow_in(text)
    with pytest.raises(cursor.InvalidCursorError):
        cursor.decode(text, ("m1", None), 200, workflow)


_HEADER: Final = st.sampled_from(
    ("streamrec-origin", "streamrec-attempt", "streamrec-origin-topic-id", "generation")
) | st.text(max_size=9)


@examples(200)
@given(st.lists(st.tuples(_HEADER, st.none() | st.binary(max_size=30) | st.just(b"job-views/3@17")), max_size=5))
def test_any_headers_are_an_identity_or_none(headers: list[tuple[str, bytes | None]]) -> None:
    found = codecs.redriven("job-views", headers)
    assert found is None or codecs.redriven("job-views", found.headers()) == found
