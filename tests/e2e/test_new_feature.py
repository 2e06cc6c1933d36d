"""The README's story: a feature is added to a running system by editing one file; only workers and lookups start again."""

import math
import random
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import streamrec
from streamrec.events import JobPosting, JobView
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.models import snapshot as snapshots

pytestmark = [pytest.mark.e2e, pytest.mark.servers]

ROOT = Path(streamrec.__file__).parent.parent
JOBS = [f"job-{number}" for number in range(40)]
AT = 1_700_000_000_000


def edited(directory: Path) -> Path:
    """A copy of the sources with the README's feature."""
    for part in ("streamrec", "avro", "topics"):
        shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [feature] = [block for block in blocks if '"member_dwell"' in block]
    library = directory / "streamrec" / "features" / "library.py"
    text = library.read_text()
    for before, after in (
        (
            "from streamrec.features.language import (\n",
            "from streamrec.features.language import (\n    last,\n    mean,\n",
        ),
        ("_MEMBER: Final = (\n", f"_MEMBER: Final = (\n{feature.rstrip()},\n"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    library.write_text(text)
    return directory


def traffic(seed: int, events: int, dwell_ms: int = 0) -> Iterator[tuple[str, Any]]:
    draw = random.Random(seed)
    for number in range(events):
        yield "job-views", JobView(
            event_id=f"{seed}-{number}", member_id=f"m{number % 25}", job_id=draw.choice(JOBS),
            occurred_at=AT + seed * 10**8 + number * 1000, dwell_ms=dwell_ms or draw.randrange(1000, 60_000),
        )  # fmt: skip


def model_of(system: Any) -> snapshots.Snapshot | None:
    value = system.client.get(system.keys.model("job_check"))
    return None if value is None else snapshots.unpack(value)


def test_a_feature_is_added_to_a_running_system(make_system: Callable[..., Any], tmp_path: Path) -> None:
    system = make_system()
    system.produce([("job-postings", JobPosting(job_id=job, title=f"Nurse {job}", posted_at=AT)) for job in JOBS])
    worker, trainer, lookup = (system.start(name) for name in ("worker", "trainer", "lookup"))
    system.wait(system.ready, "the lookup to be ready", 30)
    seeds = count(1)

    def first_model() -> snapshots.Snapshot | None:  # what comes before the worker knows the jobs teaches nothing
        system.produce(traffic(next(seeds), 100))
        system.settle()
        return model_of(system)

    before = system.wait(first_model, "a model", 30)
    assert (before.feature_set, before.feature_names) == (FEATURE_SET, feature_names())
    assert system.http.get("/v1/features/member_dwell").status_code == 404

    code = edited(tmp_path / "edited")
    for process in (worker, lookup):
        process.stop()
    system.start("worker", code=code)
    system.start("lookup", code=code)
    system.wait(system.ready, "the lookup to be ready again", 30)
    assert (
        system.recommendations("m1")["model"]["version"] == before.version
    )  # the model of before, by the names it knows
    system.produce(traffic(next(seeds), 300))
    system.produce(traffic(next(seeds), 250, dwell_ms=20_000))  # ten views of each member
    system.settle()

    [found, *_] = system.http.get("/v1/features", params={"query": "dwell"}).json()["items"]
    assert (found["name"], found["entity"]) == ("member_dwell", "member")
    assert [each["model"] for each in found["models"]] == ["job_check"]
    lineage = system.http.get("/v1/features/member_dwell/lineage").text
    assert all(each in lineage for each in ("job-views", "dwell_ms", "job_check", "jobs@1"))
    answer = system.http.post(
        "/v1/features/values", json={"features": ["member_dwell"], "entities": [{"member_id": "m1"}]}
    )
    assert answer.json()["items"][0]["values"]["member_dwell"] == pytest.approx(math.log1p(20_000), rel=1e-6)

    def learned() -> snapshots.Snapshot | None:
        system.produce(traffic(next(seeds), 25, dwell_ms=20_000))
        model = model_of(system)
        return model if model is not None and "member_dwell" in model.feature_names else None

    after = system.wait(learned, "the model to have moved over", 10)
    assert trainer.alive
    assert set(after.feature_names) == {*before.feature_names, "member_dwell"}
    assert after.examples > before.examples
    weights = dict(zip(after.feature_names, snapshots.floats_of(after.weights), strict=True))
    assert weights["member_dwell"] != 0.0
    assert after.former == {before.feature_set: before.feature_names}  # it has moved, and not begun anew
