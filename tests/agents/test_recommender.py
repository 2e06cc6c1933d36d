"""The worker keeps lists ready by the default workflow of the installation."""

import asyncio
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from streamrec.agents.recommender import Recommender
from streamrec.events import JobPosting
from streamrec.features.state import JobState, MemberState, pack
from streamrec.ranking.ranked import RankedList, unpack
from streamrec.settings import Settings, SettingsError
from streamrec.stores.base import Put
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore
from streamrec.stores.serving import Serving

KEYS = Keys("sr", 4)
JOBS = [f"j{number}" for number in range(30)]


async def kept(settings: Settings) -> RankedList:
    """The list that is kept of a member who acted, and for whose list somebody has asked."""
    store = MemoryStore(KEYS)
    serving = Serving(store, KEYS, settings, lambda: 1)
    postings = (JobPosting(job_id=job, title="Nurse", posted_at=1) for job in JOBS)
    states = {posting.job_id: JobState(version=1, posting=posting) for posting in postings}
    await store.put([Put(KEYS.job(job), pack(state)) for job, state in states.items()])
    await store.put(
        [Put(KEYS.member("ann"), pack(MemberState(version=5, viewed={"j3": 1}))), Put(KEYS.asked("ann"), b"1")]
    )
    await serving.load()
    recommender = Recommender(serving, KEYS, settings)
    recommender.changed(["ann", "somebody nobody asked for"])
    running = asyncio.create_task(recommender.run())
    try:
        async with asyncio.timeout(10):
            while (value := (await store.get([KEYS.ranked("ann")]))[0]) is None:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.005)
    finally:
        running.cancel()
    assert await store.get([KEYS.ranked("somebody nobody asked for")]) == [None]
    return unpack(value)


@pytest.mark.parametrize(("name", "label"), [("jobs", "jobs@2"), ("popular", "popular@1"), ("diverse@1", "diverse@1")])
def test_a_kept_list_names_the_default_workflow_that_made_it(name: str, label: str) -> None:
    labels: Any = {"workflow": label, "reason": "no_model"}
    before = REGISTRY.get_sample_value("streamrec_workflow_fallbacks_total", labels) or 0.0
    listed = asyncio.run(kept(Settings(workflow=name)))
    assert (listed.workflow, listed.member_version) == (label, 5)
    assert sorted(listed.job_ids) == sorted(set(JOBS) - {"j3"})
    fell_back = label != "popular@1"  # which wants no model
    assert listed.degraded == ("no_model" if fell_back else None)
    assert (REGISTRY.get_sample_value("streamrec_workflow_fallbacks_total", labels) or 0.0) == before + fell_back


def test_a_default_that_does_not_exist_is_refused_at_the_start() -> None:
    settings = msgspec.structs.replace(Settings(), workflow="best")
    with pytest.raises(SettingsError, match="there is no workflow 'best'"):
        Recommender(Serving(MemoryStore(KEYS), KEYS, settings, lambda: 1), KEYS, settings)


def test_while_events_wait_lists_are_left_to_the_lookup() -> None:
    async def go() -> None:
        store, settings = MemoryStore(KEYS), Settings()
        serving = Serving(store, KEYS, settings, lambda: 1)
        await store.put([Put(KEYS.asked("ann"), b"1"), Put(KEYS.member("ann"), pack(MemberState(version=5)))])
        await serving.load()
        recommender, behind = Recommender(serving, KEYS, settings), True
        recommender.behind = lambda: behind
        running = asyncio.create_task(recommender.run())
        try:
            async with asyncio.timeout(10):
                before = shed()
                recommender.changed(["ann", "bob"])
                while shed() < before + 2:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.005)
                assert await store.get([KEYS.ranked("ann")]) == [None]
                behind = False
                recommender.changed(["ann"])
                while await store.get([KEYS.ranked("ann")]) == [None]:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.005)
                assert shed() == before + 2
        finally:
            running.cancel()

    asyncio.run(go())


def shed() -> float:
    return REGISTRY.get_sample_value("streamrec_lists_rerank_shed_total") or 0.0
