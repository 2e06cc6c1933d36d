"""``streamrec bench``: how fast it is on this machine, beside baselines that run in the same minutes."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamrec.cli.bench_run import run
from streamrec.cli.options import with_settings
from streamrec.settings import Settings

if TYPE_CHECKING:
    from streamrec.bench.figures import Report
    from streamrec.bench.site import Bench

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


@click.group()
def bench() -> None:
    """Measure how fast streamrec is here, beside baselines in the same run.

    Broker and Redis are the benchmark's own, empty at the beginning and gone at the end; --kafka takes the broker of the settings
    instead, which must have none of streamrec's topics. What is compared takes turns; a table tells medians and, in brackets, the
    least and the most. Figures of different machines cannot be compared, ratios of one table can.

    \b
    Exit codes: 0 (however slow it was); 1 a result is broken, or it cannot run; 2 wrong usage; 130 Ctrl-C.

    \b
    Examples:
      streamrec bench ingest
      streamrec bench lookup --json lookup.json
      streamrec bench overload --short
    """


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that all benchmarks have."""
    options = (
        click.option("--json", "json_file", metavar="FILE", type=click.Path(dir_okay=False, writable=True, path_type=Path),
                     help="Write the report there, too, with the values of every turn."),
        click.option("--short", is_flag=True, help="Small sizes: whether results are sound, no time is worth anything."),
        with_settings,
    )  # fmt: skip
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


_KAFKA: Final[Option] = click.option(
    "--kafka", "own_broker", is_flag=True, help="On the broker of the settings, not the embedded one."
)
_SOME: Final = click.IntRange(1)


def _turns(default: int) -> Option:
    return click.option("--turns", type=_SOME, default=default, show_default=True, help="How often each is measured.")


def _members(default: int) -> Option:
    return click.option(
        "--members", type=click.IntRange(10), default=default, show_default=True, help="Of the made-up site."
    )


def _jobs(default: int) -> Option:
    return click.option(
        "--jobs", type=click.IntRange(10), default=default, show_default=True, help="Of the made-up site."
    )


def _events(default: int, what: str) -> Option:
    return click.option("--events", type=click.IntRange(100), default=default, show_default=True, help=what)


@bench.command()
@_members(5000)
@_jobs(2000)
@_events(40_000, "Records that wait when the clock begins.")
@_turns(3)
@click.option("--workers", default="1,2", show_default=True, metavar="N,N,...", help="Numbers of workers to measure.")
@click.option("--quix", metavar="PYTHON", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="An interpreter of an environment that has Quix Streams.")  # fmt: skip
@_KAFKA
@_shared
def ingest(
    settings: Settings, *, members: int, jobs: int, events: int, turns: int, workers: str, quix: Path | None, own_broker: bool,
    short: bool, json_file: Path | None,
) -> None:  # fmt: skip
    """Measure events/s of the whole worker on one core, beside consumers that only decode the same records.

    A backlog of the simulated site waits in Kafka: views and other actions, the lists that they come from, what was seen of
    these, postings, profiles, connections. The clock runs from the first batch to the last, with all that is derived.

    \b
    Examples:
      streamrec bench ingest
      streamrec bench ingest --workers 1,2,4 --quix ~/quix/bin/python --json ingest.json
      STREAMREC_KAFKA=kafka:9092 streamrec bench ingest --kafka
    """
    counts = _numbers("--workers", workers)

    def go(made: "Bench") -> "Report":
        from streamrec.bench.ingest import ingest as measure  # noqa: PLC0415

        if short:
            return measure(made, members=100, jobs=100, events=1500, turns=1, workers=(1,), quix=quix)
        return measure(made, members=members, jobs=jobs, events=events, turns=turns, workers=counts, quix=quix)

    run(settings, go, json_file, short, own_broker=own_broker)


@bench.command()
@_members(2000)
@_jobs(2000)
@_events(10_000, "Taken in beside each number of jobs.")
@click.option(
    "--most-events", type=click.IntRange(1000), default=100_000, show_default=True, help="Let events add up to so many."
)
@click.option(
    "--job-counts", default="1000,10000,100000", show_default=True, metavar="N,N,...", help="Sizes of the site."
)
@_KAFKA
@_shared
def growth(
    settings: Settings, *, members: int, jobs: int, events: int, most_events: int, job_counts: str, own_broker: bool, short: bool,
    json_file: Path | None,
) -> None:  # fmt: skip
    """Measure what an event costs as events add up, and as there are more jobs; memory of a job and of a member.

    \b
    Examples:
      streamrec bench growth
      streamrec bench growth --most-events 10000000 --job-counts 1000,1000000      takes most of a day
    """
    counts = _numbers("--job-counts", job_counts)

    def go(made: "Bench") -> "Report":
        from streamrec.bench.growth import growth as measure  # noqa: PLC0415

        if short:
            return measure(made, members=100, jobs=100, most_events=1000, job_counts=(100,), events=500)
        return measure(made, members=members, jobs=jobs, most_events=most_events, job_counts=counts, events=events)

    run(settings, go, json_file, short, own_broker=own_broker)


@bench.command()
@_members(2000)
@_jobs(2000)
@click.option(
    "--rates", default="100,1000,5000", show_default=True, metavar="N,N,...", help="Events a second meanwhile."
)
@click.option("--probes", type=_SOME, default=200, show_default=True, help="Changes that are timed at each rate.")
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="For these, at most.")
@_turns(1)
@_KAFKA
@_shared
def freshness(
    settings: Settings, *, members: int, jobs: int, rates: str, probes: int, seconds: float, turns: int, own_broker: bool,
    short: bool, json_file: Path | None,
) -> None:  # fmt: skip
    """Measure the time from an event's acknowledgement to the answer that shows it, while other events go on.

    An event is a view of the job on top of a member's list; the answer shows it when the job is gone. Beside it the floor of
    the parts: acknowledged until a bare consumer has it, a round trip to Redis, one over HTTP.

    \b
    Examples:
      streamrec bench freshness
      streamrec bench freshness --rates 1000 --probes 500 --seconds 60 --turns 3
    """
    counts = _numbers("--rates", rates)

    def go(made: "Bench") -> "Report":
        from streamrec.bench.freshness import freshness as measure  # noqa: PLC0415

        if short:
            return measure(made, members=100, jobs=200, rates=(50,), probes=3, seconds=3.0, turns=1)
        return measure(made, members=members, jobs=jobs, rates=counts, probes=probes, seconds=seconds, turns=turns)

    run(settings, go, json_file, short, own_broker=own_broker)


@bench.command()
@_members(2000)
@_jobs(3000)
@_events(12_000, "Folded and learned before.")
@click.option("--seconds", type=click.FloatRange(1), default=3.0, show_default=True, help="Of each load.")
@_turns(3)
@_shared
def lookup(
    settings: Settings,
    *,
    members: int,
    jobs: int,
    events: int,
    seconds: float,
    turns: int,
    short: bool,
    json_file: Path | None,
) -> None:
    """Measure lists a second and their latencies, cached and ranked on demand, beside bare servers of the same HTTP stack.

    Requests come from wrk where it is installed (Debian: apt install wrk), else from a generator of our own.

    \b
    Examples:
      streamrec bench lookup
      streamrec bench lookup --jobs 50000 --seconds 10 --turns 5 --json lookup.json
    """

    def go(made: "Bench") -> "Report":
        from streamrec.bench.lookup import lookup as measure  # noqa: PLC0415

        if short:
            return measure(made, members=60, jobs=200, events=1000, turns=1, seconds=0.3)
        return measure(made, members=members, jobs=jobs, events=events, turns=turns, seconds=seconds)

    run(settings, go, json_file, short)


@bench.command()
@_members(5000)
@_jobs(2000)
@_events(60_000, "In the log.")
@_turns(3)
@_shared
def replay(
    settings: Settings, *, members: int, jobs: int, events: int, turns: int, short: bool, json_file: Path | None
) -> None:
    """Measure how fast a past log is folded, as features replay and evaluate do, beside reading its file only.

    \b
    Examples:
      streamrec bench replay
      streamrec bench replay --events 500000 --turns 5
    """

    def go(made: "Bench") -> "Report":
        from streamrec.bench.folding import replay as measure  # noqa: PLC0415

        if short:
            return measure(made, members=100, jobs=100, events=1000, turns=1)
        return measure(made, members=members, jobs=jobs, events=events, turns=turns)

    run(settings, go, json_file, short)


@bench.command()
@click.option("--examples", type=click.IntRange(20), default=1500, show_default=True, help="Lists to learn from.")
@_turns(3)
@_shared
def train(settings: Settings, *, examples: int, turns: int, short: bool, json_file: Path | None) -> None:
    """Measure examples/s of the trainer's model, beside bare River with the same pipeline.

    \b
    Examples:
      streamrec bench train
      streamrec bench train --examples 5000 --turns 5 --json train.json
    """

    def go(made: "Bench") -> "Report":
        from streamrec.bench.train import train as measure  # noqa: PLC0415

        return measure(made, examples=20, turns=1) if short else measure(made, examples=examples, turns=turns)

    run(settings, go, json_file, short)


@bench.command()
@_members(2000)
@_jobs(2000)
@click.option(
    "--backlog", type=click.IntRange(100), default=10_000, show_default=True, help="Records to find the rate by."
)
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="Of twice that rate.")
@click.option(
    "--lookups", type=click.FloatRange(1), default=50.0, show_default=True, help="Lists a second, all the while."
)
@_KAFKA
@_shared
def overload(
    settings: Settings, *, members: int, jobs: int, backlog: int, seconds: float, lookups: float, own_broker: bool, short: bool,
    json_file: Path | None,
) -> None:  # fmt: skip
    """Send twice as many events as the worker can take, and see lookups, lag and what is shed, until it has recovered.

    \b
    Examples:
      streamrec bench overload
      streamrec bench overload --seconds 60 --lookups 200
    """

    def go(made: "Bench") -> "Report":
        from streamrec.bench.overload import overload as measure  # noqa: PLC0415

        if short:
            return measure(made, members=100, jobs=100, backlog=1000, seconds=1.0, lookups=20.0)
        return measure(made, members=members, jobs=jobs, backlog=backlog, seconds=seconds, lookups=lookups)

    run(settings, go, json_file, short, own_broker=own_broker)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise click.BadParameter(f"{text!r} is no list of numbers such as 1,2", param_hint=option)
    return found
