"""How near the system comes to the truth: members of a made-up site act on its lists, in memory, at the site's own pace."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pytest

from streamrec.events import ImpressionSeen
from streamrec.features.library import feature_names
from streamrec.models.job_check import JobCheck
from streamrec.settings import Settings
from streamrec.simulator import World
from streamrec.simulator.closed_loop import ClosedLoop
from streamrec.simulator.lookup import Answer
from streamrec.simulator.outlets import Outlet
from streamrec.simulator.scoring import share_of_gap
from streamrec.simulator.simulation import Limits, Run
from streamrec.simulator.tally import Tally
from streamrec.training.answering import Answering

pytestmark = pytest.mark.slow

BEGIN: Final = 1_750_000_000_000
DAY_MS: Final = 86_400_000
DAYS: Final = 3.0
LEAST_SHARE: Final = 0.81  # of the gap between the best constant and the truth, in the last third of the time
MEAN_OFF, FARTHEST_OFF = 0.01, 0.02  # the mean p_check of a tenth of what was examined from the mean of the truth
LEAST_FACTOR: Final = 3.0  # of the checks to be expected of a list, beside one of the most popular jobs


class Site(Outlet):
    """The system as the service that members ask, and as what their records go to."""

    url = "memory"

    def __init__(self, world: World) -> None:
        self.system, self._world = Answering(Settings()), world
        self._lists: dict[str, list[str]] = {}
        self._foretold: dict[tuple[str, str], float | None] = {}
        self.rows: list[tuple[int, float, float]] = []  # of each examined job: when, p_check, the truth

    def ask(
        self, member_id: str, limit: int, surface: str, cursor: str | None = None, *, track: bool = True  # noqa: ARG002
    ) -> Answer | None:  # fmt: skip
        request_id = f"r{len(self._lists)}"
        before = self._lists[cursor] if cursor else []
        now = self._world.clock.shown(self._world.now)
        shown = self.system.serve(request_id, member_id, now, limit, surface=surface, before=before)
        job_ids = [item.job_id for item in shown.items]
        self._lists[request_id] = [*before, *job_ids]
        self._foretold |= {(member_id, item.job_id): item.p_check for item in shown.items}
        positions, p_check = [item.position for item in shown.items], [item.p_check for item in shown.items]
        return Answer(request_id, job_ids, positions, p_check, request_id, None)

    def send(self, records: Iterable[Any]) -> None:
        examined = self._world.examinations or []
        for one in examined:  # what has been examined since the last records, beside what was foretold of it
            if (p_check := self._foretold.get((one.member_id, one.job_id))) is not None:
                self.rows.append((one.at, p_check, one.probability))
        examined.clear()
        for record in records:
            if isinstance(record, ImpressionSeen):
                self.system.see(record)
            else:
                self.system.take(record)

    def flush(self) -> None:
        pass


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


class Watched(ClosedLoop):
    """Keeps what had come of the lists at each time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tallies: list[tuple[int, Tally]] = []

    def _show(self, *args: Any) -> None:
        super()._show(*args)
        self.tallies.append((self._run.world.now, self.tally))


def expected_log_loss(foretold: Any, truth: Any) -> float:
    """Of a coin that falls as the truth says: what the log loss comes to without the luck of single throws."""
    p, t = np.clip(foretold, 1e-9, 1 - 1e-9), np.asarray(truth)
    return float(-np.mean(t * np.log(p) + (1 - t) * np.log1p(-p)))


def test_the_model_comes_near_the_truth_and_its_lists_beat_popularity() -> None:
    world = World(7, members=1_000, jobs=400, now_ms=BEGIN, seasonal=False, remember=True)
    site, clock = Site(world), Clock()
    run = Run(world, site, Limits(duration_ms=int(DAYS * DAY_MS)), clock.wait, lambda *_: None, lambda: clock.now)
    loop = Watched(run, site, world.rate, connections=1, step_s=30.0)
    loop.go()
    late = BEGIN + int(DAYS * DAY_MS * 2 / 3)
    foretold, truth = np.array([(p_check, chance) for at, p_check, chance in site.rows if at >= late]).T
    assert len(truth) > 15_000
    constant = expected_log_loss(np.full(len(truth), truth.mean()), truth)
    share = share_of_gap(expected_log_loss(foretold, truth), constant, expected_log_loss(truth, truth))
    before = next(tally for at, tally in loop.tallies if at >= late)
    lately = loop.tally - before
    assert lately.worth is not None
    assert lately.popular_worth is not None
    factor = lately.worth / lately.popular_worth
    print(f"share of the gap {share:.3f}, checks a list {factor:.1f} times those of popular jobs")
    assert share >= LEAST_SHARE
    assert factor >= LEAST_FACTOR
    model = site.system.model
    assert isinstance(model, JobCheck)
    assert model.calibrated
    assert abs(foretold.mean() / truth.mean() - 1.0) < 0.1
    groups = np.array_split(np.argsort(foretold, kind="stable"), 10)
    reliability = [(float(foretold[group].mean()), float(truth[group].mean())) for group in groups]
    print("reliability:", ", ".join(f"{said:.3f} for {true:.3f}" for said, true in reliability))
    off = [abs(said - true) for said, true in reliability]
    assert np.mean(off) <= MEAN_OFF
    assert max(off) <= FARTHEST_OFF
    # What friends do sways members of this site, and the model has found out.
    assert model.folded()[0][feature_names().index("network_likes")] > 0.0
