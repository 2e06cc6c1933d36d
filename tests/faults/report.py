"""What a run of a fault measured, kept as JSON: ``ops/reliability.md`` is made of these files by `tests.faults.matrix`."""

import datetime
import os
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.judging import Log
from tests.faults.account import Account, effects
from tests.faults.traffic import Asker

MEASURED = Path(__file__).parents[2] / ".streamrec" / "reliability"


class Result(msgspec.Struct, kw_only=True):
    """Of one test; the names are those of the matrix' columns."""

    test: str
    variant: str = ""
    on: str = ""
    long: bool = False
    runs: int = 1
    events: int = 0
    lost: int = 0
    doubled: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    answers: int = 0
    refused: int = 0
    worst_lookup_ms: float | None = None
    degraded: dict[str, int] = {}
    seconds: float = 0.0
    note: str = ""


class Report:
    """Of one test; written when the test has passed."""

    def __init__(self, test: str, long: bool) -> None:
        name, _, variant = test.partition("[")
        self.result = Result(test=name, variant=variant.removesuffix("]"), long=long)

    def add(self, account: Account | None = None, asked: Asker | None = None, **others: Any) -> None:
        """Take over what an account, an asker or the test itself found."""
        result = self.result
        if account is not None:
            result.events, result.lost, result.doubled = account.sent, account.lost, account.doubled
            result.duplicates, result.dead_letters = account.duplicates, account.dead_letters
        if asked is not None:
            result.answers += asked.answers
            result.refused += asked.refused
            result.worst_lookup_ms = max(result.worst_lookup_ms or 0.0, round(asked.worst_s * 1000, 1))
            for reason, count in asked.degraded.items():
                if reason:
                    result.degraded = result.degraded | {reason: result.degraded.get(reason, 0) + count}
        for name, value in others.items():
            setattr(result, name, value)

    def add_effects(self, system: Any, log: Log, runs: int) -> None:
        """Of a test that sends events only: count what is lost and doubled."""
        _, lost, doubled = effects(system, log)
        self.add(runs=runs, events=len(log.events), lost=lost, doubled=doubled)

    def write(self, seconds: float) -> None:
        """One file a test and form, in place of that of the run before."""
        self.result.seconds = round(seconds, 1)
        self.result.on = datetime.datetime.now(datetime.UTC).date().isoformat()
        MEASURED.mkdir(parents=True, exist_ok=True)
        parts = (self.result.test, self.result.variant, "long" if self.result.long else "short")
        name = "-".join(filter(None, parts)).replace("/", ".").replace("::", "-")
        path = MEASURED / f"{name}.json"
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(self.result)) + b"\n")
        partial.replace(path)
