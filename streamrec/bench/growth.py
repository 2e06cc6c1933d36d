"""What an event costs as there is more: of events that went before, and of jobs; and what a job and a member take of memory."""

from collections.abc import Sequence
from typing import Any, Final

from streamrec.bench.cores import cpu_seconds, machine, resident_mb
from streamrec.bench.figures import Check, Report, Turns, merged
from streamrec.bench.records import Site
from streamrec.bench.site import Bench, Installation

CPU: Final = "us of CPU an event"
_FIRST: Final = 1_000
_CHUNK: Final = 20_000
_LOOK_S: Final = 0.05


def growth(
    bench: Bench, *, members: int, jobs: int, most_events: int, job_counts: Sequence[int], events: int
) -> Report:
    """Run the benchmark.

    Parameters
    ----------
    bench
        What to work with.
    members, jobs
        Of the site on which events add up.
    most_events
        So many; the cost is told for each power of ten on the way.
    job_counts
        Sizes of the sites on which the same number of `events` is taken in.
    events
        See there.
    """
    found, checks = Turns(), []
    checks.append(_by_events(bench, members, jobs, most_events, found))
    before: tuple[int, float] | None = None
    for number, count in enumerate(job_counts):
        bench.tell(0.5 + 0.5 * number / len(job_counts), f"{count:,} jobs")
        check, resident = _by_jobs(bench, members, count, events, found)
        checks.append(check)
        if before is not None and count > before[0]:  # of the difference: what a process takes at all is no job's
            found.add(f"with {count:,} jobs", "worker bytes a job", (resident - before[1]) * 1e6 / (count - before[0]))
        before = count, resident
    return Report(
        "growth",
        {
            **machine(), "broker": bench.broker, "members": members, "jobs": jobs, "most_events": most_events,
            "events_of_each_size": events,
        },
        found.lines(), merged(checks),
        (
            "CPU time of the worker's process, all threads; each line of events is those since the line before",
            "Redis bytes: what its used memory grew by; of a member with its profile and its events",
        ),
    )  # fmt: skip


def sizes(most: int) -> list[int]:
    """Powers of ten from a thousand up to `most`, and `most` itself.

    Examples
    --------
    >>> sizes(30_000)
    [1000, 10000, 30000]
    """
    found, size = [], _FIRST
    while size < most:
        found.append(size)
        size *= 10
    return [*found, most]


def _by_events(bench: Bench, members: int, jobs: int, most: int, found: Turns) -> Check:
    site = Site(members, jobs, most)
    with bench.installation() as system:
        worker = system.start("worker")
        system.produce(site.beginning())
        system.settle()
        topics = [name for name in system.consumed if not system.is_internal(name)]
        base = sum(system.positions(topics).values())
        made = count = 0
        for size in sizes(most):
            used, before = 0.0, count
            while made < size:
                records = site.happenings(min(_CHUNK, size - made))
                began = cpu_seconds(
                    worker.pid
                )  # making records up takes long; what an idle worker does then is no event's
                made += system.produce(records)
                count = _taken(system, topics, base, made)
                used += cpu_seconds(worker.pid) - began
                bench.tell(0.5 * made / most, "events add up", f"{made:,}")
            found.add(f"events up to {size:,}", CPU, used / (count - before) * 1e6)
            found.add(f"events up to {size:,}", "worker MB", resident_mb(worker.pid))
        system.stop(worker)
    return Check("every event is taken in", count == most, f"{count} of {most}")


def _taken(system: Installation, topics: Sequence[str], base: int, wanted: int) -> int:
    system.wait(
        lambda: sum(system.positions(topics).values()) - base >= wanted,
        "events to be taken in",
        36_000,
        pause_s=_LOOK_S,
    )
    system.settle(600.0)
    return sum(system.positions(topics).values()) - base


def _by_jobs(bench: Bench, members: int, jobs: int, events: int, found: Turns) -> tuple[Check, float]:
    """Takes events in beside so many jobs; also what the worker holds (MB) once it knows the jobs."""
    site, line = Site(members, jobs, events), f"with {jobs:,} jobs"
    with bench.installation() as system:
        worker = system.start("worker")
        system.settle()
        empty = _redis_bytes(system)
        before = site.beginning()
        system.produce(record for record in before if record.topic == "job-postings")
        system.settle()
        with_jobs = _redis_bytes(system)
        resident = resident_mb(worker.pid)
        system.produce(record for record in before if record.topic != "job-postings")
        records = site.happenings(events, lambda _share: bench.tell(0.5, f"{jobs:,} jobs", "making up what happens"))
        system.settle()
        used = cpu_seconds(worker.pid)
        topics = [name for name in system.consumed if not system.is_internal(name)]
        base = sum(system.positions(topics).values())
        system.produce(records)
        taken = _taken(system, topics, base, len(records))
        found.add(line, CPU, (cpu_seconds(worker.pid) - used) / taken * 1e6)
        found.add(line, "Redis bytes a job", (with_jobs - empty) / jobs)
        found.add(line, "Redis bytes a member", (_redis_bytes(system) - with_jobs) / members)
        system.stop(worker)
    return Check("every event of each size is taken in", taken == len(records), line), resident


def _redis_bytes(system: Installation) -> int:
    info: Any = system.client.info("memory")
    return int(info["used_memory"])
