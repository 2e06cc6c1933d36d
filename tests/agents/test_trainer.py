"""What the trainer says of its model; that it learns what it should, after any fault, is in ``tests/e2e/test_kills.py``."""

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import prometheus_client
import pytest

from streamrec.agents import trainer
from streamrec.agents.ownership import Hold
from streamrec.agents.trainer import TrainerAgent
from streamrec.events import TrainingExample
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.models import registered
from streamrec.models import snapshot as snapshots
from streamrec.models.card import Card
from streamrec.models.planted import planted_examples, planted_stream
from streamrec.settings import Settings
from streamrec.stores.base import Delete, FencedError, Put, SetBackError
from streamrec.stores.keys import MODEL_SLOT, Keys
from streamrec.stores.memory import MemoryStore


def widened(example: TrainingExample, surface: str) -> TrainingExample:
    """The planted example with as many features as the shipped set has."""
    rows = len(example.job_ids)
    matrix = np.frombuffer(example.features, "<f4").reshape(rows, -1)
    wide = np.zeros((rows, len(feature_names())), "<f4")
    wide[:, : matrix.shape[1]] = matrix
    return msgspec.structs.replace(example, feature_set=FEATURE_SET, features=wide.tobytes(), surface=surface)


@pytest.fixture
def agent(tmp_path: Path) -> TrainerAgent:
    """Has learned sampled lists and then shown ones, and produces nothing."""
    made = TrainerAgent(Settings(data_dir=str(tmp_path)), Keys("t", 1), cast(Any, None))
    for example in planted_examples(60):
        trainer._count(made._model.learn(widened(example, "mail")))
    for example in planted_stream(60, window=5.0):
        trainer._count(made._model.learn(widened(example, "home")))
    return made


def value(name: str, **labels: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(name, {"model": "job_check", **labels})


def test_figures_are_told_by_data_and_by_surface(agent: TrainerAgent) -> None:
    agent._measure()
    measures = agent._model.measures
    assert value("streamrec_model_log_loss", data="sampled") == measures.of("sampled").log_loss
    assert value("streamrec_model_log_loss", data="shown") == measures.of("shown").log_loss
    assert value("streamrec_model_auc", data="shown") == measures.of("shown").auc
    assert value("streamrec_model_surface_auc", data="shown", surface="home") == measures.of("shown", "home").auc
    assert value("streamrec_model_surface_auc", data="shown", surface="mail") is None
    assert value("streamrec_model_surface_constant_log_loss", data="sampled", surface="mail") is not None
    assert value("streamrec_model_surface_calibration_error", data="shown", surface="home") is not None
    assert value("streamrec_model_hit_rate") == value("streamrec_model_surface_hit_rate", surface="home")
    assert value("streamrec_model_hit_rate") == measures.hits[""].recent
    assert value("streamrec_model_calibrated") == 1.0


def test_rows_that_were_learned_before_are_not_counted_again(tmp_path: Path) -> None:
    def rows() -> float:
        return sum(value("streamrec_training_rows_total", label=label) or 0.0 for label in ("positive", "negative"))

    made = TrainerAgent(Settings(data_dir=str(tmp_path)), Keys("t", 1), cast(Any, None))
    before, closed = rows(), value("streamrec_training_examples_total", kind="closed") or 0.0
    for example in planted_stream(30, rows=20, window=5.0, late=0.0):
        trainer._count(made._model.learn(widened(example, "home")))
    assert rows() - before == 30 * 20
    assert (value("streamrec_training_examples_total", kind="closed") or 0.0) - closed == 30


def test_the_card_lies_beside_the_copy_on_disk(agent: TrainerAgent, tmp_path: Path) -> None:
    taken = snapshots.take(agent._model, version=4, now=0, code_version="0.1.0")
    agent._write_copy(snapshots.pack(taken), taken)
    written = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert written == ["job_check.card.json", "job_check.card.md", "job_check.snapshot"]
    told = msgspec.json.decode((tmp_path / "models" / "job_check.card.json").read_bytes(), type=Card)
    assert (told.version, told.negatives, told.calibrated) == (4, "both", True)
    assert "# job_check, version 4" in (tmp_path / "models" / "job_check.card.md").read_text()
    assert agent._read_copy() == taken


async def owning(directory: Path) -> tuple[TrainerAgent, Hold, MemoryStore, Keys]:
    """A trainer that has the model's slot of an empty store in its hands."""
    keys = Keys("t", 1)
    store = MemoryStore(keys)
    hold = Hold(MODEL_SLOT, await store.take(MODEL_SLOT), keys, {trainer.TOPIC: "topic-id"})
    await hold.load()
    made = TrainerAgent(Settings(data_dir=str(directory)), keys, cast(Any, None))
    await made.prepare(hold)
    return made, hold, store, keys


@pytest.mark.anyio
async def test_a_model_is_kept_once_it_has_learned_something_and_is_announced(tmp_path: Path) -> None:
    made, _hold, store, keys = await owning(tmp_path)
    await made.snapshot()
    assert await store.get([keys.model("job_check"), keys.model_version("job_check")]) == [None, None]
    for number, example in enumerate(planted_examples(2), 1):
        made._model.learn(widened(example, "mail"))
        await made.snapshot()
        assert await store.get([keys.model_version("job_check")]) == [str(number).encode()]
        assert len(await store.follow({keys.changes(MODEL_SLOT): "0-0"}, 0)) == number
    await made.snapshot()  # nothing new
    assert await store.get([keys.model_version("job_check")]) == [b"2"]


@pytest.mark.anyio
async def test_a_disk_that_takes_no_copy_keeps_no_snapshot_out_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, _hold, store, keys = await owning(tmp_path)
    copy = tmp_path / "models" / "job_check.snapshot"
    failed, kept = value("streamrec_model_copies_failed_total") or 0.0, [b""]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number, example in enumerate(planted_examples(4), 1):
        made._model.learn(widened(example, "mail"))
        if number in (2, 3):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
        try:
            await made.snapshot()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert await store.get([keys.model_version("job_check")]) == [str(number).encode()]
        kept.append(copy.read_bytes())
        assert not list(copy.parent.glob("*.partial"))
    assert kept[1] == kept[2] == kept[3] != kept[4]
    assert value("streamrec_model_copies_failed_total") == failed + 2
    assert caplog.text.count("no copy of snapshot") == 1


@pytest.mark.anyio
async def test_a_store_that_lost_the_snapshot_is_noticed_though_nothing_new_is_learned(tmp_path: Path) -> None:
    made, _hold, store, keys = await owning(tmp_path)
    await made.snapshot()
    await store.put([Delete(keys.epoch(MODEL_SLOT))])
    with pytest.raises(SetBackError):
        await made.snapshot()


@pytest.mark.anyio
async def test_a_slot_that_is_taken_anew_by_ourselves_in_the_middle_of_a_snapshot_is_no_other_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, hold, store, _keys = await owning(tmp_path)
    made._model.learn(widened(next(iter(planted_examples(1))), "mail"))
    commit, ours = hold.commit, True

    async def overtaken(*arguments: Any) -> None:
        hold.lost = ours  # what `Ownership.take` does with what it lets go
        await store.take(MODEL_SLOT)
        await commit(*arguments)

    monkeypatch.setattr(hold, "commit", overtaken)
    await made.snapshot()
    hold.lost = ours = False
    with pytest.raises(FencedError):
        await made.snapshot()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Reads:
    """A hold as far as the trainer asks it what a set of features is."""

    def __init__(self, store: MemoryStore) -> None:
        self.slot, self.topic_ids, self.lost = self, {"training-examples": "t"}, False
        self._store = store

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self._store.get(keys)


@pytest.mark.anyio
async def test_the_model_goes_on_with_features_that_a_newer_worker_makes(agent: TrainerAgent) -> None:
    keys = Keys("t", 1)
    store = MemoryStore(keys)
    hold, columns = cast(Hold, _Reads(store)), (*feature_names()[:6], "brand_new")
    known, before = agent._model.examples, agent._model.folded()[0][:6].copy()
    await agent._know(hold, "job_check/newer")
    assert agent._model.feature_set == FEATURE_SET  # nobody says what that is: an example of it is refused
    await store.put([Put(keys.feature_set("job_check/newer"), registered.pack(columns))])
    await agent._know(hold, "job_check/newer")
    assert (agent._model.feature_set, agent._model.feature_names) == ("job_check/newer", columns)
    assert agent._model.examples == known
    assert agent._model.folded()[0].tolist() == [*before.tolist(), 0.0]
    agent._model.learn(widened(planted_examples(1)[0], "mail"))  # of a lookup that has not been restarted yet
    assert agent._model.feature_set == "job_check/newer"
