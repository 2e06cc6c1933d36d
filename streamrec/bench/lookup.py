"""How fast lists are answered, beside bare servers of the same HTTP stack."""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from streamrec.bench import load
from streamrec.bench.cores import cpu_seconds, machine, pin
from streamrec.bench.figures import Check, Report, Turns, merged
from streamrec.bench.load import Load
from streamrec.bench.records import Site
from streamrec.bench.site import Bench, Installation
from streamrec.local import scrape
from streamrec.local.ports import free_port
from streamrec.settings import environ_of

CACHED, NOW, SHOWN, VALUE, PRODUCT = (
    "cached list", "ranked on demand", "cached list, impressions recorded", "(a) bare: one value, 2 KB",
    "(b) bare: that, and 500 x d",
)  # fmt: skip
CPU: Final = "us of CPU"  # a request, of the server's process
_LIMIT: Final = 10
_ASKED: Final = 200  # members, in turn
_VALUE: Final = b'{"items": "' + b"x" * 2035 + b'"}'  # 2 KB
_CONNECTIONS: Final = (1, 16)
_PACED: Final = 32  # connections that send at half the rate of saturation


def lookup(bench: Bench, *, members: int, jobs: int, events: int, turns: int, seconds: float) -> Report:
    """Run the benchmark: `seconds` for each of the loads, on a state of so many members, jobs and events."""
    bench.tell(0.0, "making up a site")
    site = Site(members, jobs, events)
    before, records = site.beginning(), site.happenings(events)
    with bench.installation() as system:
        bench.tell(0.05, "building the state")
        asked = _built(system, before, records)
        child = system.start("lookup")
        bare = free_port()
        system.client.set("bare", _VALUE)
        program = [sys.executable, "-m", "streamrec.bench.bare", str(bare)]
        beside = system.supervisor.start("bare", program, environ_of(system.settings))
        pin(beside.pid, *system.places.measured)
        system.wait(system.ready, "the lookup to be ready")
        system.wait(lambda: _answers(f"http://127.0.0.1:{bare}/value/bare"), "the bare server")
        paths = {
            CACHED: [_path(member) + "&track=false" for member in asked],
            NOW: [_path(member) + "&track=false&not_company=Nobody%20at%20all" for member in asked],
            SHOWN: [_path(member) for member in asked],
            VALUE: ["/value/bare"],
            PRODUCT: ["/product/bare"],
        }
        checks = _warmed(system, paths)
        found = Turns()

        def send(name: str, connections: int, rate: float | None = None) -> tuple[Load, float]:
            is_bare = name in (VALUE, PRODUCT)
            port, server = (bare, beside.pid) if is_bare else (system.settings.lookup_port, child.pid)
            used = cpu_seconds(server)
            said = load.run(
                "127.0.0.1", port, paths[name], system.directory, connections=connections, seconds=seconds, rate=rate,
                by="own" if bench.short else None, on=system.places.others,
                wait=lambda done: system.wait(done, "the load to end", 120.0),
            )  # fmt: skip
            used = cpu_seconds(server) - used
            checks.append(Check("every answer is good", not said.failed, f"{name}: {said.failed} of {said.requests}"))
            return said, used / max(1, said.requests) * 1e6

        _turns(bench, found, send, turns)
        system.stop(child)
    notes = ["on one core; Redis and whoever sends on the others; half load: at random moments, from 32 connections"]
    if load.generator() == "own" and not bench.short:
        notes.append(load.NO_WRK)
    return Report(
        "lookup",
        {
            **machine(), "members": members, "jobs": jobs, "events": events, "limit": _LIMIT, "turns": turns, "seconds": seconds,
            "requests_by": "own" if bench.short else load.generator(),
        },
        found.lines(_baselines()), merged(checks), tuple(notes),
    )  # fmt: skip


def _baselines() -> dict[str, str]:
    pairs = {CACHED: VALUE, SHOWN: VALUE, NOW: PRODUCT}
    return {_line(name, each): _line(of, each) for name, of in pairs.items() for each in _CONNECTIONS}


def _line(name: str, connections: int) -> str:
    return f"{name}, {connections} connection{'s' if connections > 1 else ''}"


def _turns(
    bench: Bench,
    found: Turns,
    send: Callable[..., tuple[Load, float]],
    turns: int,
    names: Sequence[str] = (CACHED, VALUE, SHOWN, NOW, PRODUCT),
) -> None:
    steps, step = turns * len(names) * (len(_CONNECTIONS) + 1), 0
    for turn in range(turns):
        for connections in (*_CONNECTIONS, None):
            for name in names:
                figures = f"turn {turn + 1} of {turns}"
                bench.tell(0.3 + 0.7 * step / steps, name, figures)
                step += 1
                if connections is not None:
                    _note(found, _line(name, connections), *send(name, connections))
                else:
                    rate = (found.median(_line(name, _CONNECTIONS[-1]), "requests/s") or 2.0) / 2
                    _note(found, f"{name}, half load", *send(name, _PACED, rate))


def _note(found: Turns, line: str, said: Load, cpu_us: float) -> None:
    found.add(line, "requests/s", said.rate)
    if cpu_us:
        found.add(line, CPU, cpu_us)
    for unit, value in (("p50 ms", said.p50_ms), ("p99 ms", said.p99_ms), ("p99.9 ms", said.p999_ms)):
        found.add(line, unit, value)


def _built(system: Installation, before: Sequence[object], records: Sequence[object]) -> list[str]:
    """Fold and learn all of it, then leave the machine to the lookup; the members with the longest histories."""
    worker = system.start("worker", on=system.places.all)
    trainer = system.start("trainer", on=system.places.all)
    system.produce(before)  # type: ignore[arg-type]
    system.settle()
    system.produce(records)  # type: ignore[arg-type]
    system.settle(trainer=True)
    system.stop(worker)
    system.stop(trainer)
    acts: dict[str, int] = {}
    for record in records:
        if record.topic == "job-views":  # type: ignore[attr-defined]
            member = record.key.decode()  # type: ignore[attr-defined]
            acts[member] = acts.get(member, 0) + 1
    return sorted(acts, key=lambda member: (-acts[member], member))[:_ASKED]


def _path(member: str) -> str:
    return f"/v1/members/{member}/recommendations?limit={_LIMIT}"


def _answers(url: str) -> bool:
    try:
        return scrape.get(url)[0] == 200
    except scrape.UnreachableError:
        return False


def _warmed(system: Installation, paths: dict[str, list[str]]) -> list[Check]:
    """Ask for every list once, so that it is kept; then whether the answers are what the lines say."""

    def kept() -> bool:
        ranked = [scrape.document(system.url(path))[1]["freshness"]["ranked"] for path in paths[CACHED]]
        return ranked.count("cached") >= 0.99 * len(ranked)

    system.wait(kept, "lists to be kept", 60.0, pause_s=0.3)
    _, anew = scrape.document(system.url(paths[NOW][0]))
    _, cached = scrape.document(system.url(paths[CACHED][0]))
    return [
        Check(
            "on demand is ranked now, by a model", anew["freshness"]["ranked"] == "now" and anew["model"] is not None
        ),
        Check("cached comes from a kept list", cached["freshness"]["ranked"] == "cached"),
        Check("both lists are whole", len(cached["items"]) == len(anew["items"]) == _LIMIT),
    ]
