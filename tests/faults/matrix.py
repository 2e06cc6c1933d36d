"""``python -m tests.faults.matrix``: takes over what the last runs measured, and writes ``ops/reliability.md``.

The rows are here, the figures in ``ops/reliability/results.json``: of each test the newest run of either form. What a run has
measured lies in ``.streamrec/reliability`` until this is called.
"""

from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tests.faults.report import MEASURED, Result

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "ops" / "reliability.md"
RESULTS: Final = ROOT / "ops" / "reliability" / "results.json"

RUNNING, LOST, CLOCKS, FRESH = (
    f"tests/faults/test_{name}.py" for name in ("running", "lost_data", "clocks", "fresh_broker")
)
KILLS, KAFKA, CLUSTER = (f"tests/e2e/test_{name}.py" for name in ("kills", "apache_kafka", "redis_cluster"))


class Row(NamedTuple):
    """One fault: what is promised, the test that injects it, and the one that takes the guard away ("": see `without`)."""

    fault: str
    promise: str
    test: str
    control: str
    without: str = ""


POSITIONS = f"{KILLS}::test_without_the_guard_the_comparison_fails"
NO_FENCE = f"{KILLS}::test_without_the_fence_it_does"
NOT_LOOKING = "tests/faults/test_not_looking.py::test_whoever_does_not_look_loses_what_redis_lost"
BITES = "the test itself waits until metrics tell of the fault"

ROWS: Final = (
    Row("SIGKILL of worker, trainer, lookup at random moments", "Exact; a supervisor starts it again, and nothing else is done.",
        f"{RUNNING}::test_killed_at_random_moments", POSITIONS),
    Row("SIGKILL of the worker at every point between two effects", "Exact.",
        f"{KILLS}::test_a_worker_killed_at_every_point_loses_nothing_and_counts_nothing_twice", POSITIONS),
    Row("SIGKILL of the trainer at every point between two effects", "The model is the replay of its examples.",
        f"{KILLS}::test_a_trainer_killed_at_every_point_holds_the_replay_of_its_examples", POSITIONS),
    Row("SIGSTOP of worker or trainer beyond its session, and back", "Another takes over; the zombie writes nothing. Exact.",
        f"{RUNNING}::test_stopped_for_longer_than_its_session", NO_FENCE),
    Row("SIGSTOP with a transaction in hand, and back", "The transaction is refused. Exact.",
        f"{KILLS}::test_a_worker_that_slept_through_its_session_cannot_write", NO_FENCE),
    Row("Kafka restarted (SIGKILL, one node)", "Producers and workers wait and go on by themselves. Exact.",
        f"{RUNNING}::test_kafka_restarted", "", BITES),
    Row("One broker of three lost, each in turn", "Nobody waits longer than it takes to elect another. Exact.",
        f"{KAFKA}::test_any_one_of_three_nodes_may_die", "", "a broker is gone, and comes back behind the others"),
    Row("Redis restarted with its data (SIGKILL, append-only file)",
        "Events wait; lists are answered within their budget, degraded. Exact.",
        f"{RUNNING}::test_redis_restarted_with_its_data", POSITIONS),
    Row("Redis rolled back under running workers (an older file)",
        "Noticed within a second, also by an idle worker; it starts again in place and reads the rest of the log. Exact.",
        f"{LOST}::test_rolled_back_under_running_workers", NOT_LOOKING),
    Row("Redis rolled back behind the group's commit, then a worker starts", "It reads on from the stored position. Exact.",
        f"{LOST}::test_rolled_back_behind_the_groups_commit", POSITIONS),
    Row("Redis restarted without its data, the log whole",
        "Read again from the beginning, without anybody; the model goes on from its copy on disk. Exact.",
        f"{LOST}::test_restarted_without_its_data", NOT_LOOKING),
    Row("Redis restarted without its data, the log not whole",
        "Explained with the remedy, exit code 3, nothing begun in the middle; `streamrec rebuild` makes a state of what is left.",
        f"{LOST}::test_an_empty_redis_beside_a_log_that_is_not_whole_is_explained", "", "it is the guard that is tested"),
    Row("Redis failed over to a replica that lacked the last writes", "As rolled back: exact, from the log.",
        f"{LOST}::test_failed_over_to_a_replica_that_lacks_the_last_writes", NOT_LOOKING),
    Row("A Redis Cluster of three nodes, a worker killed", "Holds and answers what a single Redis would.",
        f"{CLUSTER}::test_it_holds_and_answers_what_it_would_on_a_single_redis", POSITIONS),
    Row("Redis slower than the budget of an answer", "Lists within twice the budget, degraded; events take longer. Exact.",
        f"{RUNNING}::test_redis_slow", "", BITES),
    Row("Redis full (OOM command not allowed)",
        "What is stored is served, events wait, also for workers and lookups that start meanwhile. Exact.",
        f"{RUNNING}::test_redis_full", "", BITES),
    Row("Network cut, or swallowing, between Redis and worker, trainer, lookup", "As Redis restarted. Exact.",
        f"{RUNNING}::test_redis_out_of_reach", "", BITES),
    Row("Network cut, or swallowing, between Kafka and worker, trainer, lookup, beyond the session",
        "Lists are answered as ever; the partitions are taken again. Exact.",
        f"{RUNNING}::test_kafka_out_of_reach", POSITIONS),
    Row("Disk full at a snapshot", "Redis has the model, the copy stays what it was, the trainer learns on. Exact.",
        f"{RUNNING}::test_disk_full_at_a_snapshot", "", BITES),
    Row("Disk full at a checkpoint of a rebuild", "It says so and goes on: only an interruption would cost more. Exact.",
        f"{FRESH}::test_a_rebuild_on_a_full_disk_goes_on_without_keeping_its_work", "", "the test asks for what it says"),
    Row("From one worker to three and back, while busy", "One writer a slot at any time. Exact.",
        f"{RUNNING}::test_from_one_worker_to_three_and_back", NO_FENCE),
    Row("A fresh broker under an old Redis", "Explained with the remedy, exit code 3; nothing is skipped or written.",
        f"{FRESH}::test_a_fresh_broker_under_an_old_redis_is_explained", "", "it is the guard that is tested"),
    Row("Producers' clocks far ahead, far behind",
        "More than clock_skew_ms ahead of the worker's clock: a dead letter. Any other event counts by its own time. Exact.",
        f"{CLOCKS}::test_producers_clocks_far_ahead_and_far_behind", "", "the letters are counted"),
    Row("A worker's clock half a day wrong", "No difference. Exact.",
        f"{CLOCKS}::test_a_workers_clock_that_is_half_a_day_wrong_makes_no_difference", "", "see the row below"),
    Row("A worker's clock days behind", "Events are put aside as of the future; a redrive brings all of them back.",
        f"{CLOCKS}::test_a_workers_clock_that_is_days_behind_puts_events_aside_and_a_redrive_brings_them_back", "",
        "they are put aside"),
)  # fmt: skip

HEAD: Final = """\
# Reliability

What may go wrong, what is promised then, the test that makes it go wrong, and what its last run measured. *Exact* means, in every
row that says so: keys that one input partition feeds are byte for byte what an uninterrupted run holds; keys that several feed
have exact counts, and sums to 1e-9; the stored model is the replay of `training-examples`; and every record that was produced is
accounted for: in the state, a counted duplicate, or a dead letter.

- `make test` runs the short forms, `make soak` the long ones (`pytest -m soak --long tests/faults`). `STREAMREC_SEED` repeats
  random moments; a failure prints it.
- *runs* is how often the fault was injected, *events* how many records the installation had been sent by then, *lost* and
  *doubled* how many effects on members and jobs there were too few or too many. *worst answer* is the longest that a request
  for a list took, on a busy machine of two cores, while producers sent 150 records a second; the promise is twice
  `lookup_budget_ms` (200 ms each) and the ranking. No answer had a status but 200. *degraded*: answers that said how they fell
  short.
- The *control* is the test in which the guard is taken away and the comparison fails; where there is none, it says how one sees
  that the fault was there at all.

"""
FOOT: Final = """
## What is not promised

- Ranked lists and impressions from the lookup are best effort; answers during a fault are degraded, and say so.
- A Redis that loses writes that it has acknowledged (`appendfsync everysec`, a replica that lags) is made good from the log. Of
  what is learned from impressions the order may then differ: of two derivations of the same place the first counts.
- An example that is made only when a batch is derived for a second time, since the table of jobs was not as far the first time,
  is not learned: the first derivation counts.
- The one lookup of the tests is not there while it is killed and starts again (*refused*): run two.

What comes in from outside (fuzzing), what only grows, and a Redis that is lost whole: [inputs](reliability/inputs.md).

Made by `python -m tests.faults.matrix` of the tests' own measurements (`ops/reliability/results.json`); do not edit.
"""


def newest() -> dict[str, list[Result]]:
    """Results by test, the long form first."""
    stored: list[Result] = msgspec.json.decode(RESULTS.read_bytes(), type=list[Result]) if RESULTS.exists() else []
    found = {(result.test, result.variant, result.long): result for result in stored}
    for path in sorted(MEASURED.glob("*.json")):
        result = msgspec.json.decode(path.read_bytes(), type=Result)
        found[result.test, result.variant, result.long] = result
    by_test: dict[str, list[Result]] = {}
    for (test, *_), result in sorted(found.items(), key=lambda item: (*item[0][:2], not item[0][2])):
        by_test.setdefault(test, []).append(result)
    return by_test


def _test(name: str) -> str:
    path, _, function = name.partition("::")
    return f"[`{function}`](../{path})"


def _figures(result: Result) -> str:
    answer = "" if result.worst_lookup_ms is None else f"{result.worst_lookup_ms:,.0f} ms of {result.answers:,}"
    degraded = ", ".join(f"{count:,} {reason}" for reason, count in sorted(result.degraded.items()))
    refused = f"; {result.refused:,} refused" if result.refused else ""
    form = f"{'long' if result.long else 'short'}{f', {result.variant}' if result.variant else ''}"
    note = f" {result.note}" if result.note else ""
    return (
        f"| {result.on}, {form}, {result.seconds:,.0f} s | {result.runs:,} | {result.events:,} | {result.lost:,} | "
        f"{result.doubled:,} | {result.duplicates:,} + {result.dead_letters:,} | {answer}{refused} | {degraded}{note} |"
    )


def page(results: dict[str, list[Result]]) -> str:
    """The whole of ``ops/reliability.md``."""
    lines = [HEAD]
    for number, row in enumerate(ROWS, 1):
        control = _test(row.control) if row.control else row.without
        lines += [f"### {number}. {row.fault}\n", f"{row.promise}\n", f"Test: {_test(row.test)}. Control: {control}.\n"]
        measured = results.get(row.test, [])
        if measured:
            lines += [
                "| run | runs | events | lost | doubled | duplicates + dead letters | worst answer | degraded |",
                "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
                *(_figures(result) for result in measured), "",
            ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n" + FOOT


def main() -> None:
    """Write the results and the page."""
    results = newest()
    rows = [result for each in results.values() for result in each]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    PAGE.write_text(page(results))
    print(f"{PAGE.relative_to(ROOT)}: {len(ROWS)} faults, {len(rows)} measured runs")


if __name__ == "__main__":
    main()
