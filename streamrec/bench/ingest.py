"""How many events a second a worker takes in, all of its work done, beside programs that only decode them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from streamrec.bench.cores import cpu_seconds, machine, pin
from streamrec.bench.figures import Check, Report, Turns, merged
from streamrec.bench.records import Site
from streamrec.bench.site import Bench, BrokenBenchError, Installation
from streamrec.kafka.producer import Record
from streamrec.local.servers import die_with_parent

RATE, CPU = "events/s", "us of CPU an event"
WORKER, BARE, FAUST, QUIX = (
    "streamrec worker, all its work", "(b) confluent-kafka, decoding only", "(a) stock Faust, decoding only",
    "(c) Quix Streams, decoding only",
)  # fmt: skip
_LOOK_S: Final = 0.05
_GIVE_UP_S: Final = 10.0  # a rate is known after so long
_PROGRAMS: Final = {BARE: "bare", FAUST: "faust_stock", QUIX: "quix"}
_NO_QUIX: Final = (
    "absent: pip install quixstreams fastavro msgspec numpy in an environment of its own (it wants an older confluent-kafka), "
    "and name its interpreter by --quix"
)


def ingest(
    bench: Bench, *, members: int, jobs: int, events: int, turns: int, workers: Sequence[int], quix: Path | None
) -> Report:
    """Run the benchmark.

    Parameters
    ----------
    bench
        What to work with.
    members, jobs, events
        Of the made-up site: how many there are, and how many records are waiting when the clock begins.
    turns
        How often each is measured.
    workers
        Numbers of workers: 1 is measured on one core, more on all.
    quix
        An interpreter that has Quix Streams; None names it as absent.
    """
    bench.tell(0.0, "making up a site")
    site = Site(members, jobs, events)
    before = site.beginning()
    records = site.happenings(events, lambda share: bench.tell(0.1 * share, "making up a site"))
    found, checks = Turns(), []
    steps, step = turns * (len(workers) + len(_PROGRAMS)), 0

    def tell(what: str) -> None:
        nonlocal step
        bench.tell(0.1 + 0.9 * step / steps, what, f"turn {step * turns // steps + 1} of {turns}")
        step += 1

    for _turn in range(turns):
        for number, count in enumerate(workers):
            with bench.installation() as system:
                prepare(system, before, records)
                if not number:
                    for name, program in _PROGRAMS.items():
                        tell(name)
                        _baseline(system, name, program, sorted(site.mix), len(records), quix, found)
                tell(_name(count))
                checks += _worker(system, count, records, found)
    baselines = {_name(count): FAUST for count in workers} | {QUIX: FAUST, BARE: FAUST}
    names = [*(_name(count) for count in workers), FAUST, BARE, QUIX]
    mix = ", ".join(
        f"{name} {count / len(records):.0%}" for name, count in site.mix.most_common() if count > len(records) / 200
    )
    return Report(
        "ingest",
        {
            **machine(), "broker": bench.broker, "partitions": bench.settings.partitions, "members": members, "jobs": jobs,
            "records": len(records), "mix": mix, "turns": turns,
        },
        found.lines(baselines, names), merged(checks),
        ("one core each; broker, Redis and this program on the others; several workers on all cores",),
    )  # fmt: skip


def _name(count: int) -> str:
    return WORKER if count == 1 else f"{count} workers, on all cores"


def prepare(system: Installation, before: Sequence[Record], records: Sequence[Record]) -> None:
    """Have the beginning in the state, and the records waiting in Kafka."""
    worker = system.start("worker", on=system.places.all)
    system.produce(before)
    system.settle()
    system.stop(worker)
    system.produce(records)


def _worker(system: Installation, count: int, records: Sequence[Record], found: Turns) -> list[Check]:
    topics = sorted({record.topic for record in records})
    base = sum(system.positions(topics).values())
    on = system.places.measured if count == 1 else system.places.all
    settings = system.settings
    children = []
    for number in range(count):
        other = msgspec.structs.replace(settings, worker_metrics_port=settings.worker_metrics_port + 100 * number)
        children.append(system.start("worker", other, on=on))
    taken = 0

    def taken_in() -> bool:
        nonlocal taken
        taken = sum(system.positions(topics).values()) - base
        return taken > 0

    system.wait(taken_in, "the first batch", pause_s=_LOOK_S)
    began, first = time.perf_counter(), taken
    used = sum(cpu_seconds(child.pid) for child in children)

    def all_taken_in() -> bool:
        return taken_in() and taken >= len(records)

    system.wait(all_taken_in, "the backlog to be taken in", 900.0, pause_s=_LOOK_S)
    system.wait(lambda: not system.pending(), "what was derived to be taken in", 120.0, pause_s=_LOOK_S)
    seconds = time.perf_counter() - began
    used = sum(cpu_seconds(child.pid) for child in children) - used
    found.add(_name(count), RATE, (len(records) - first) / seconds)
    if used:
        found.add(_name(count), CPU, used / (len(records) - first) * 1e6)
    letters = sum(high - low for low, high in system.admin.watermarks("dead-letters").values())
    for child in children:
        system.stop(child)
    return [
        Check("everything is taken in once", taken == len(records), f"{taken} of {len(records)} records"),
        Check("no dead letters", letters == 0, f"{letters}"),
    ]


def _baseline(
    system: Installation, name: str, program: str, topics: Sequence[str], records: int, quix: Path | None, found: Turns
) -> None:
    if name == QUIX and quix is None:
        found.absent(name, _NO_QUIX)
        return
    said = run_consumer(system, program, topics, records, str(quix) if name == QUIX else sys.executable)
    if said["rejected"]:
        raise BrokenBenchError(f"{name}: {said['rejected']} records could not be decoded")
    found.add(name, RATE, said["records"] / said["seconds"])
    found.add(name, CPU, said["cpu_seconds"] / said["records"] * 1e6)


def run_consumer(
    system: Installation, program: str, topics: Sequence[str], records: int, python: str = sys.executable
) -> dict[str, Any]:
    """What one of `bench.consumers` says, run on the core for what is measured."""
    import streamrec  # noqa: PLC0415 - where it is, for an interpreter that has not installed it

    above = str(Path(streamrec.__file__).parents[1])
    command = [
        python, "-m", f"streamrec.bench.consumers.{program}", system.settings.kafka, ",".join(topics), str(records),
        str(_GIVE_UP_S),
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 - the command is ours
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=die_with_parent(), env={**os.environ, "PYTHONPATH": above},  # noqa: PLW1509 - one libc call
    )  # fmt: skip
    try:
        pin(process.pid, *system.places.measured)
        system.wait(lambda: process.poll() is not None, f"{program} to end", 120.0)
        out, errors = process.communicate()
        lines = out.decode().splitlines()
        if process.returncode or not lines:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            raise BrokenBenchError(f"{program} has failed: {' '.join(last)}")
        said: dict[str, Any] = json.loads(lines[-1])
        return said
    finally:
        process.kill()
        process.wait()
