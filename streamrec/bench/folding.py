"""How fast a past log is folded into features, beside reading it only: what `features replay` and `evaluate` are made of."""

import time
from typing import Final

from streamrec.bench.cores import machine, pin
from streamrec.bench.figures import Check, Report, Turns, merged
from streamrec.bench.site import Bench
from streamrec.building.folding import Fold
from streamrec.building.sources import FileLog, Files, Unusable
from streamrec.events import Connection, Event
from streamrec.features.library import PLAN
from streamrec.simulator.files import FileOutlet, Names
from streamrec.simulator.simulation import Limits, Run, simulate
from streamrec.simulator.world import World
from streamrec.training.offline import Offline

RATE: Final = "records/s"
READ, REPLAY, ALONE, EVALUATE = (
    "reading and decoding the file only", "features replay: reading and folding", "features replay: folding alone",
    "evaluate: reading and folding, without ranking",
)  # fmt: skip
_BEGIN_MS: Final = 1_736_121_600_000  # a Monday: the same command folds the same file on any day
_LOOK_EVERY: Final = 4096


def replay(bench: Bench, *, members: int, jobs: int, events: int, turns: int) -> Report:
    """Run the benchmark on a log of the simulated site, written to a file first."""
    names = Names.beside(bench.directory / "log.csv.gz")
    bench.tell(0.0, "making up a log")
    with FileOutlet(names.log) as outlet:
        world = World(1, members, jobs, _BEGIN_MS)
        simulate(Run(world, outlet, Limits(events), lambda _s: bench.stopped(), lambda _summary, _share: None))
    bench.tell(0.2, "made up a log")
    log = Files((names.log,), names.jobs, names.members)
    found, checks = Turns(), []
    kinds, step = (_read, _replay, _evaluate), 0
    pin(0, *bench.places.measured)
    try:
        for _turn in range(turns):
            for measure in kinds:
                bench.tell(0.2 + 0.8 * step / (turns * len(kinds)), measure.__name__.strip("_"))
                step += 1
                checks.append(measure(bench, log, found))
    finally:
        pin(0, *bench.places.all)
    return Report(
        "replay",
        {**machine(), "members": members, "jobs": jobs, "events": events, "turns": turns, "clock": "CPU time of the process"},
        found.lines({REPLAY: READ, ALONE: READ, EVALUATE: READ}), merged(checks),
        ("on one core, in one process; what is read is a gzipped CSV",),
    )  # fmt: skip


def _read(bench: Bench, files: Files, found: Turns) -> Check:
    began, count, bad = time.process_time(), 0, 0
    for count, item in enumerate(FileLog(files, bench.settings), 1):
        bad += isinstance(item, Unusable)
        _look(bench, count)
    found.add(READ, RATE, count / (time.process_time() - began))
    return Check("every row is read", not bad, f"{bad} of {count} are unusable")


def _replay(bench: Bench, files: Files, found: Turns) -> Check:
    began, count, acts = time.process_time(), 0, 0
    with Fold(PLAN, 1) as fold:
        for item in FileLog(files, bench.settings):
            if not isinstance(item, Unusable):
                count += 1
                acts += isinstance(item.event, Event)
                _look(bench, count)
                fold.take(item.event)  # type: ignore[arg-type]
        folded = fold.finish()
    found.add(REPLAY, RATE, count / (time.process_time() - began))
    found.add(ALONE, RATE, count / folded.seconds)
    return Check("every event is folded", folded.events == acts, f"{folded.events} of {acts}")


def _evaluate(bench: Bench, files: Files, found: Turns) -> Check:
    began, count, world = time.process_time(), 0, Offline(bench.settings)
    for item in FileLog(files, bench.settings):
        if isinstance(item, Unusable):
            continue
        count += 1
        _look(bench, count)
        if not isinstance(item.event, Connection):
            world.fold(item.event)  # type: ignore[arg-type]
    found.add(EVALUATE, RATE, count / (time.process_time() - began))
    return Check("evaluate folds members and jobs", bool(world.members and world.jobs))


def _look(bench: Bench, count: int) -> None:
    if not count % _LOOK_EVERY and bench.stopped():
        bench.tell(0.0, "")
