"""The reading shell follows what owners commit, on every store, and outlives whatever happens to the store."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from uuid import uuid4

import msgspec
import numpy as np
import pytest
import redis
from prometheus_client import REGISTRY

from streamrec.events import Action, JobPosting
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.features.state import JobState, MemberState, Neighbours, Recent, pack
from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_redis
from streamrec.models import passed, registered, snapshot
from streamrec.models.job_check import JobCheck
from streamrec.models.passed import Passed, Showings
from streamrec.ranking import ranked
from streamrec.ranking.ranked import RankedList
from streamrec.settings import Settings
from streamrec.stores import generations
from streamrec.stores import serving as serving_module
from streamrec.stores.base import Append, Delete, Put, Store, StoreUnavailableError, Write
from streamrec.stores.generations import Generation
from streamrec.stores.keys import MODEL_SLOT, Keys, current_key
from streamrec.stores.members import UNREADABLE_STATE
from streamrec.stores.memory import MemoryStore
from streamrec.stores.redis import RedisStore
from streamrec.stores.serving import MODEL, Serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keys() -> Keys:
    return Keys(f"serving-{uuid4().hex}", 4)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest, keys: Keys) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(keys)
        return
    server: Server = request.getfixturevalue("redis_server")
    opened = RedisStore(f"redis://{server.address}/0", keys)
    yield opened
    await opened.close()


def clock_ms() -> int:
    return time.time_ns() // 1_000_000


def reading(store: Store, keys: Keys, settings: Settings | None = None) -> Serving:
    return Serving(store, keys, settings or Settings(), clock_ms)


def job(job_id: str, title: str = "Cook", version: int = 1, closed: bool = False) -> JobState:
    return JobState(version=version, posting=JobPosting(job_id=job_id, title=title, closed=closed))


async def commit(store: Store, keys: Keys, *jobs: tuple[str, JobState | bytes | None], keep: int = 1000) -> None:
    """What a job agent's transaction does, one for each slot."""
    slots: dict[str, list[Write]] = {}
    changed: dict[str, list[str]] = {}
    for job_id, state in jobs:
        slot, key = keys.job_slot(job_id), keys.job(job_id)
        value = pack(state) if isinstance(state, JobState) else state
        slots.setdefault(slot, []).append(Delete(key) if value is None else Put(key, value))
        changed.setdefault(slot, []).append(job_id)
    for slot, writes in slots.items():
        await store.put([*writes, Append(keys.changes(slot), msgspec.msgpack.encode(changed[slot]), keep)])


def model_of(version: int, feature_set: str = FEATURE_SET) -> bytes:
    taken = snapshot.take(JobCheck(feature_set, feature_names()), version=version, now=5, code_version="0.1.0")
    return snapshot.pack(taken)


async def release(store: Store, keys: Keys, version: int, value: bytes) -> None:
    await store.put([Put(keys.model(MODEL), value), Put(keys.model_version(MODEL), str(version).encode())])


@contextlib.asynccontextmanager
async def following(serving: Serving) -> AsyncIterator[None]:
    """`run` beside the test; whatever ends it but the cancellation here, fails the test."""
    task = asyncio.create_task(serving.run())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], patience_s: float = 10.0) -> None:
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - the loop that is waited for tells nobody
            await asyncio.sleep(0.005)


def model_version(serving: Serving) -> int | None:
    return None if serving.scorer is None else serving.scorer.version


def versions(serving: Serving) -> dict[str, int]:
    table = serving.table
    return {job_id: table.versions[row] for job_id in table.ids if (row := table.row(job_id)) is not None}


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_loading_reads_all_jobs_and_nothing_else(store: Store, keys: Keys) -> None:
    await commit(store, keys, *((f"j{number}", job(f"j{number}")) for number in range(1234)))
    odd = "}:job:x"
    await commit(store, keys, (odd, job(odd)))
    await store.put([Put(keys.neighbours(odd), pack(Neighbours(at=1, weights={"j1": 1.0})))])
    serving = reading(store, keys)
    assert (serving.loaded, serving.current_at) == (False, 0)
    began = clock_ms()
    await serving.load()
    assert serving.loaded
    assert began <= serving.current_at <= clock_ms()
    assert versions(serving) == {**{f"j{number}": 1 for number in range(1234)}, odd: 1}


async def test_what_is_written_while_the_jobs_are_scanned_is_not_missed(
    store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    await commit(store, keys, ("a", job("a")))
    scan = store.scan

    async def scan_beside_a_writer(pattern: str) -> list[str]:
        found = await scan(pattern)
        await commit(store, keys, ("late", job("late")))
        return found

    monkeypatch.setattr(store, "scan", scan_beside_a_writer)
    serving = reading(store, keys)
    await serving.load()
    assert versions(serving) == {"a": 1}
    async with following(serving):
        await until(lambda: versions(serving) == {"a": 1, "late": 1})


async def test_changes_arrive(store: Store, keys: Keys) -> None:
    await commit(store, keys, ("a", job("a")), ("b", job("b")), ("c", job("c")))
    serving = reading(store, keys)
    await serving.load()
    async with following(serving):
        await commit(store, keys, ("a", job("a", version=2, closed=True)), ("new", job("new")), ("b", None))
        await until(lambda: versions(serving) == {"a": 2, "c": 1, "new": 1})
        assert bool(serving.table.closed[serving.table.rows(["a"])[0]])
        await commit(store, keys, ("b", job("b", version=9)))
        await until(lambda: versions(serving).get("b") == 9)


async def test_a_change_whose_read_failed_is_read_again(
    store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = reading(store, keys)
    await serving.load()
    get, failed = store.get, 0

    async def failing(asked: Sequence[str]) -> list[bytes | None]:
        nonlocal failed
        if keys.job("a") in asked and failed < 2:
            failed += 1
            raise StoreUnavailableError("away for a moment")
        return await get(asked)

    monkeypatch.setattr(store, "get", failing)
    async with following(serving):
        await commit(store, keys, ("a", job("a")))
        await until(lambda: versions(serving) == {"a": 1})
    assert failed == 2


async def test_running_loads_by_itself(store: Store, keys: Keys) -> None:
    await commit(store, keys, ("a", job("a")))
    serving = reading(store, keys)
    async with following(serving):
        await until(lambda: serving.loaded)
        assert versions(serving) == {"a": 1}


async def test_a_reader_that_fell_behind_loads_anew(store: Store, keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    await commit(store, keys, ("a", job("a")), ("gone", job("gone")))
    serving = reading(store, keys)
    await serving.load()
    old = serving.table
    await store.put([Delete(keys.job("gone"))])
    for number in range(400):  # Redis drops entries by the hundred
        await commit(store, keys, ("a", job("a", version=number)), keep=1)
    async with following(serving):
        await until(lambda: versions(serving) == {"a": 399})
    assert serving.table is not old
    assert "loading the table anew" in caplog.text


async def test_a_new_generation_is_answered_from_once_its_jobs_are_loaded(store: Store, keys: Keys) -> None:
    """Keys, table and model change together, and whoever shares them is told."""
    built = Generation(1, "c0ffee", 8, (4, 8), 0)
    new = built.keys(keys.namespace)
    moved: list[Keys] = []
    await commit(store, keys, ("a", job("a")), ("old", job("old")))
    await store.put([Put(keys.member("ann"), pack(MemberState(version=1)))])
    serving = Serving(store, keys, Settings(namespace=keys.namespace), clock_ms, moved.append)
    async with following(serving):
        await until(lambda: versions(serving) == {"a": 1, "old": 1})
        old = serving.table
        await commit(store, new, ("a", job("a", version=7)))
        await store.put([Put(new.member("ann"), pack(MemberState(version=5)))])
        await store.put([Put(current_key(keys.namespace), generations.pack(built))])
        await until(lambda: versions(serving) == {"a": 7})
        assert (serving.keys, moved, len(old)) == (new, [new], 2)
        assert (await serving.stored("ann")).state.version == 5
        await commit(store, new, ("b", job("b", version=2)))
        await until(lambda: versions(serving) == {"a": 7, "b": 2})


async def test_a_generation_of_a_newer_version_leaves_the_old_one_in_use(
    store: Store, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    await commit(store, keys, ("a", job("a")))
    serving = Serving(store, keys, Settings(namespace=keys.namespace), clock_ms, lambda _: None)
    async with following(serving):
        await until(lambda: versions(serving) == {"a": 1})
        await store.put([Put(current_key(keys.namespace), b"\x09future")])
        await until(lambda: "upgrade" in caplog.text)
        await commit(store, keys, ("a", job("a", version=2)))
        await until(lambda: versions(serving) == {"a": 2})


async def test_the_table_is_known_to_be_current_while_nothing_happens(store: Store, keys: Keys) -> None:
    serving = reading(store, keys)
    await serving.load()
    first = serving.current_at
    async with following(serving):
        await until(lambda: serving.current_at > first + 400)
        assert counted("streamrec_table_age_seconds") < 5
    assert serving.current_at <= clock_ms()


async def test_the_table_is_known_to_be_current_under_steady_changes(store: Store, keys: Keys) -> None:
    serving = reading(store, keys)
    await serving.load()
    first = serving.current_at

    async def write() -> None:
        for number in range(10**6):
            await commit(store, keys, ("a", job("a", version=number)))
            await asyncio.sleep(0.002)

    async with following(serving):
        writer = asyncio.create_task(write())
        await until(lambda: serving.current_at > first + 700)
        writer.cancel()


async def test_an_unreadable_job_is_counted_and_passed_over(
    store: Store, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("streamrec_unreadable_values_total", kind="JobState")
    await commit(store, keys, ("a", job("a")), ("odd", b"\x63 of another format"))
    serving = reading(store, keys)
    await serving.load()
    assert versions(serving) == {"a": 1}
    async with following(serving):
        await commit(store, keys, ("odd", b""), ("a", b"\x01\xc1"))
        await store.put([Append(keys.changes("j0"), b"\xc1", 1000)])
        await commit(store, keys, ("b", job("b")))
        await until(lambda: versions(serving) == {"a": 1, "b": 1})
        await commit(store, keys, ("odd", job("odd", version=2)))
        await until(lambda: versions(serving) == {"a": 1, "b": 1, "odd": 2})
    assert counted("streamrec_unreadable_values_total", kind="JobState") == before + 3
    assert caplog.text.count("a stored JobState is unreadable") == 1


async def test_a_model_that_is_announced_is_taken_up_without_being_asked_for(
    store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "_MODEL_EVERY_S", 1e9)
    serving = reading(store, keys)
    async with following(serving):
        await until(lambda: serving.loaded)
        for version in (1, 2, 3):
            await release(store, keys, version, model_of(version))
            await store.put([Append(keys.changes(MODEL_SLOT), str(version).encode(), 1000)])
            await until(lambda wanted=version: model_version(serving) == wanted, patience_s=3)  # type: ignore[misc]


@pytest.mark.servers
async def test_who_waits_for_changes_has_taken_up_all_of_them(redis_server: Server, keys: Keys) -> None:
    # What `local.lockstep` counts on.
    store = RedisStore(f"redis://{redis_server.address}/0", keys)
    serving = reading(store, keys)
    watch = redis.Redis.from_url(f"redis://{redis_server.address}/0", protocol=2)

    def waits() -> bool:
        return any(client["cmd"] == "xread" and "b" in client["flags"] for client in watch.client_list())

    async with following(serving):
        await until(lambda: serving.loaded)
        for version in range(1, 60):
            await commit(store, keys, *((f"j{number}", job(f"j{number}", version=version)) for number in range(8)))
            if version % 3 == 0:
                await release(store, keys, version, model_of(version))
                await store.put([Append(keys.changes(MODEL_SLOT), str(version).encode(), 1000)])
            await until(waits)
            assert versions(serving) == {f"j{number}": version for number in range(8)}
            assert (model_version(serving) or 0) == version // 3 * 3
    watch.close()
    await store.close()


async def test_the_newest_model_is_taken_up(store: Store, keys: Keys) -> None:
    await release(store, keys, 3, model_of(3))
    serving = reading(store, keys)
    await serving.load()
    assert serving.scorer is not None
    assert (serving.scorer.version, serving.scorer.learned_at) == (3, 5)
    async with following(serving):
        await release(store, keys, 4, model_of(4))
        await until(lambda: model_version(serving) == 4, patience_s=3)
        await release(store, keys, 3, model_of(3))  # rolled back
        await until(lambda: model_version(serving) == 3, patience_s=3)


async def test_a_model_that_this_version_cannot_use_leaves_the_old_one(
    store: Store, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    serving = reading(store, keys)
    await serving.load()
    assert model_version(serving) is None
    before = counted("streamrec_unreadable_values_total", kind="model")
    async with following(serving):
        await release(store, keys, 1, b"\x02 of another format")
        await until(lambda: counted("streamrec_unreadable_values_total", kind="model") == before + 1)
        assert model_version(serving) is None
        await release(store, keys, 3, model_of(3))
        await until(lambda: model_version(serving) == 3)
        await release(store, keys, 4, model_of(4)[:-1])
        await until(lambda: counted("streamrec_unreadable_values_total", kind="model") == before + 2)
        assert model_version(serving) == 3
    assert caplog.text.count("a stored model is unreadable") == 2  # once before and once after it was well


async def test_a_model_of_other_features_is_served_by_the_names_of_its_columns(store: Store, keys: Keys) -> None:
    serving, columns = reading(store, keys), ("pay", "not_known_here", "covisit")
    before = snapshot.unpack(model_of(5))
    weights = np.array([3.0, 9.0, -2.0]).astype("<f8").tobytes()
    other = msgspec.structs.replace(
        before,
        feature_set="job_check/other",
        feature_names=columns,
        weights=weights,
        score_weights=b"",
        deviations=b"",
        segment_flags=(),
        segment_weights=b"",
        segment_biases=b"",
    )
    async with following(serving):
        await release(store, keys, 5, snapshot.pack(other))
        await until(lambda: model_version(serving) == 5)
    assert serving.scorer is not None
    named = dict(zip(feature_names(), serving.scorer.weights.tolist(), strict=True))
    assert {name: weight for name, weight in named.items() if weight} == {"pay": 3.0, "covisit": -2.0}
    assert serving.scorer.feature_set == FEATURE_SET


async def test_what_a_process_computes_is_known_before_it_answers(store: Store, keys: Keys) -> None:
    serving = reading(store, keys)
    await serving.load()
    [stored] = await store.get([keys.feature_set(FEATURE_SET)])
    assert registered.unpack(stored) == feature_names()


def member_of(count: int) -> MemberState:
    recent = [Recent(f"j{number}", 1000 - number, Action.VIEW) for number in range(count)]
    return MemberState(version=4, recent=recent, applied={"x": 1})


async def test_inputs_take_two_round_trips(store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = RankedList(member_version=4, job_ids=["a"], scores=[1.0], p_check=[None], sources=[1])
    row = Neighbours(at=3, weights={"b": 1.0})
    await store.put(
        [
            Put(keys.member("m"), pack(member_of(30))),
            Put(keys.ranked("m"), ranked.pack(listed)),
            Put(keys.passed("m"), passed.pack(Passed(3, {"a": Showings(2.0, 9)}))),
            *(Put(keys.neighbours(f"j{number}"), pack(row)) for number in range(1, 30)),
        ]
    )
    trips: list[int] = []
    get = store.get

    async def counting(asked: Sequence[str]) -> list[bytes | None]:
        trips.append(len(asked))
        return await get(asked)

    monkeypatch.setattr(store, "get", counting)
    serving = reading(store, keys)
    inputs = await serving.inputs("m")
    assert trips == [4, 20]
    assert (inputs.state, inputs.ranked, inputs.degraded) == (member_of(30), listed, None)
    assert inputs.passed == Passed(3, {"a": Showings(2.0, 9)})
    assert inputs.neighbours == {f"j{number}": row for number in range(1, 20)}  # j0 has none
    trips.clear()
    stranger = await serving.inputs("nobody")
    assert (stranger.state, stranger.neighbours, stranger.ranked) == (MemberState(), {}, None)
    assert stranger.passed == Passed()
    assert trips == [4]


async def test_inputs_of_many_are_those_of_each_in_two_round_trips_for_all(
    store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [f"m{number}" for number in range(9)]
    await store.put([Put(keys.member(member), pack(member_of(place))) for place, member in enumerate(members)])
    await store.put([Put(keys.neighbours("j2"), pack(Neighbours(at=3, weights={"b": 1.0})))])
    serving = reading(store, keys)
    each = {member: await serving.inputs(member) for member in members}
    trips: list[int] = []
    get = store.get

    async def counting(asked: Sequence[str]) -> list[bytes | None]:
        trips.append(len(asked))
        return await get(asked)

    monkeypatch.setattr(store, "get", counting)
    assert await serving.inputs_many([*members, "m1"]) == each
    assert trips == [36, 8]
    assert await serving.inputs_many([]) == {}


async def test_unreadable_inputs_are_replaced_and_a_lost_state_is_said(store: Store, keys: Keys) -> None:
    await store.put(
        [
            Put(keys.member("lost"), b"\x09"),
            Put(keys.member("m"), pack(member_of(2))),
            Put(keys.ranked("m"), b"\x09"),
            Put(keys.passed("m"), b"\x09"),
            Put(keys.neighbours("j0"), b"\x09"),
            Put(keys.neighbours("j1"), pack(Neighbours(at=1))),
        ]
    )
    found = await reading(store, keys).inputs_many(["lost", "m"])
    assert (found["lost"].state, found["lost"].degraded) == (MemberState(), UNREADABLE_STATE)
    assert (found["m"].state, found["m"].ranked, found["m"].degraded) == (member_of(2), None, None)
    assert found["m"].passed == Passed()
    assert found["m"].neighbours == {"j1": Neighbours(at=1)}


@pytest.mark.parametrize(
    ("setting", "before", "after"), [("auto", True, False), ("yes", True, True), ("no", False, False)]
)
async def test_jobs_without_a_posting_are_served_as_the_setting_says(
    setting: str, before: bool, after: bool, keys: Keys
) -> None:
    store = MemoryStore(keys)
    settings = msgspec.convert({"serve_without_posting": setting}, Settings)
    serving = reading(store, keys, settings)
    await commit(store, keys, ("bare", JobState(version=1)))
    await serving.load()
    assert serving.without_posting is before
    async with following(serving):
        await commit(store, keys, ("a", job("a")))
        await until(lambda: "a" in versions(serving))
        assert serving.without_posting is after


async def test_jobs_are_counted_by_what_they_are(keys: Keys) -> None:
    store = MemoryStore(keys)
    bare = JobState(version=1)
    await commit(
        store, keys, ("a", job("a")), ("b", job("b")), ("c", job("c", closed=True)),
        *((f"bare{number}", bare) for number in range(3)),
    )  # fmt: skip
    await reading(store, keys).load()
    states = ("open", "closed", "without_posting")
    assert [counted("streamrec_table_jobs", state=state) for state in states] == [2, 1, 3]


async def test_other_tasks_have_their_turn_while_changes_are_applied(keys: Keys) -> None:
    store = MemoryStore(keys)  # it never waits, so that only the turns that are given count
    serving = reading(store, keys)
    await serving.load()
    turns = 0

    async def beat() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += len(serving.table) not in (0, 5000)

    for number in range(10):
        many = ((f"j{number}-{place}", job(f"j{number}-{place}", f"Cook {place}")) for place in range(500))
        await commit(store, keys, *many)
    beating = asyncio.create_task(beat())
    async with following(serving):
        await until(lambda: len(serving.table) == 5000, patience_s=30)
    beating.cancel()
    assert turns > 20  # 5,000 jobs take some hundred milliseconds; without turns in between there would be ten reads


@pytest.mark.servers
async def test_a_reader_outlives_the_store(tmp_path: Path, keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    first = start_redis(tmp_path / "first", port)
    store = RedisStore(f"redis://127.0.0.1:{port}/0", keys, timeout_s=0.5)
    try:
        await commit(store, keys, ("a", job("a")), ("b", job("b")))
        serving = reading(store, keys)
        async with following(serving):
            await until(lambda: serving.loaded)
            first.stop()
            await until(lambda: "the store is away" in caplog.text)
            stopped_at = serving.current_at
            with pytest.raises(StoreUnavailableError):
                await serving.inputs("m")
            assert versions(serving) == {"a": 1, "b": 1}  # served as it is, and its age is told
            await asyncio.sleep(0.3)
            assert serving.current_at == stopped_at
            with start_redis(tmp_path / "second", port):
                # It lost everything: the streams begin anew, which must not look like a stream without news.
                await commit(store, keys, ("b", job("b", version=7)), ("c", job("c")))
                await until(lambda: versions(serving) == {"b": 7, "c": 1})
                assert serving.current_at > stopped_at
        assert caplog.text.count("the store is away") == 1
        assert caplog.records[0].levelno == logging.WARNING
    finally:
        first.stop()
        await store.close()


async def test_a_store_that_is_away_from_the_start_is_waited_for(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(keys)
    await commit(store, keys, ("a", job("a")))
    tail, asked = store.tail, 0

    async def away_at_first(names: Sequence[str]) -> dict[str, str]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise StoreUnavailableError("away")
        return await tail(names)

    monkeypatch.setattr(store, "tail", away_at_first)
    serving = reading(store, keys)
    async with following(serving):
        await until(lambda: serving.loaded)
    assert versions(serving) == {"a": 1}
    assert asked == 3


@pytest.mark.servers
async def test_a_store_that_came_back_with_older_data_is_read_anew(keys: Keys, redis_server: Server) -> None:
    """Entries that come then have numbers that were read before, so that following alone would pass them over."""
    store = RedisStore(f"redis://{redis_server.address}/0", keys)
    stream = keys.changes(keys.job_slot("a"))
    with redis.Redis(port=redis_server.port) as client:
        await commit(store, keys, ("a", job("a")))
        before = {key: client.dump(key) for key in (stream, keys.job("a"))}
        for version in (2, 3, 4):
            await commit(store, keys, ("a", job("a", version=version)))
        serving = reading(store, keys)
        async with following(serving):
            await until(lambda: versions(serving) == {"a": 4})
            for key, value in before.items():
                client.restore(key, 0, value, replace=True)
            await until(lambda: versions(serving) == {"a": 1})
            await commit(store, keys, ("a", job("a", version=9)))
            await until(lambda: versions(serving) == {"a": 9})
    await store.close()


@pytest.mark.servers
async def test_a_store_that_takes_no_writes_is_served_from(keys: Keys, tmp_path: Path) -> None:
    with start_redis(tmp_path) as server, redis.Redis(port=server.port) as client:
        store = RedisStore(f"redis://{server.address}/0", keys)
        await commit(store, keys, ("a", job("a")))
        first = reading(store, keys)
        await first.load()  # says which features there are, once
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailableError, match="out of memory"):
            await commit(store, keys, ("b", job("b")))
        again = reading(store, keys)
        await again.load()
        assert versions(again) == {"a": 1}
        await store.close()
