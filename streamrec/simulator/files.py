"""Records into CSV files that ``streamrec replay`` and ``streamrec evaluate`` read."""

import contextlib
import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from streamrec.events import (
    Connection,
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)
from streamrec.simulator.outlets import Outlet
from streamrec.simulator.scribe import Record

CONNECT: Final = "connect"  # no name that a replay knows by itself: say --map connect=connections
_NAMES: Final = {
    JobView: "view", JobLike: "like", JobSave: "save", JobApplication: "apply", JobDismissal: "dismiss",
}  # fmt: skip
_LOG: Final = (
    "ts", "user_id", "item_id", "event", "event_id", "session_id", "surface", "request_id", "position", "dwell_ms",
)  # fmt: skip
_JOB_FIELDS: Final = tuple(
    field for field in JobPosting.__struct_fields__ if field not in ("closed", "job_id", "description")
)
_MEMBER_FIELDS: Final = tuple(field for field in MemberProfile.__struct_fields__ if field != "member_id")


class Names(msgspec.Struct, frozen=True):
    """The files of one log."""

    log: Path
    jobs: Path
    members: Path
    connections: Path

    @classmethod
    def beside(cls, log: Path) -> "Names":
        """The files that go with `log`.

        Examples
        --------
        >>> Names.beside(Path("week.csv.gz")).jobs.name
        'week-jobs.csv.gz'
        """
        stem = log.name.removesuffix(".gz").removesuffix(".csv")
        ending = log.name.removeprefix(stem)
        return cls(log, *(log.with_name(f"{stem}-{what}{ending}") for what in ("jobs", "members", "connections")))


class FileOutlet(Outlet):
    """Into four files; gzipped if the log's name ends in ``.gz``. The same records make the same bytes.

    A catalogue has one row a job, so that a job's closing is not told; connections have a file of their own, since they
    are no events with items.

    Parameters
    ----------
    log
        The log. The others are named like it (see `Names`). What is there is overwritten.

    Raises
    ------
    OSError
        A file cannot be written.
    """

    def __init__(self, log: Path) -> None:
        self.names = Names.beside(log)
        self._files = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            self._log = self._table(opened, self.names.log, _LOG)
            self._jobs = self._table(opened, self.names.jobs, ("item_id", *_JOB_FIELDS))
            self._members = self._table(opened, self.names.members, ("user_id", *_MEMBER_FIELDS))
            self._connections = self._table(
                opened, self.names.connections, ("ts", "user_id", "item_id", "event", "event_id")
            )
            self._files = opened.pop_all()

    @staticmethod
    def _table(opened: contextlib.ExitStack, path: Path, columns: Sequence[str]) -> Any:
        raw = opened.enter_context(path.open("wb"))
        binary: Any = raw
        if path.suffix == ".gz":
            binary = opened.enter_context(gzip.GzipFile("", "wb", 5, raw, mtime=0))
        text = opened.enter_context(io.TextIOWrapper(io.BufferedWriter(binary, 1 << 18), encoding="utf-8", newline=""))
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(columns)
        return rows

    def send(self, records: Iterable[Record]) -> None:
        """See `Outlet.send`."""
        write = self._log.writerow
        for record in records:
            if isinstance(record, JobPosting):
                if not record.closed:
                    self._jobs.writerow([record.job_id, *_cells(record, _JOB_FIELDS)])
            elif isinstance(record, MemberProfile):
                self._members.writerow([record.member_id, *_cells(record, _MEMBER_FIELDS)])
            elif isinstance(record, Connection):
                row = (record.occurred_at, record.member_id, record.other_member_id, CONNECT, record.event_id)
                self._connections.writerow(row)
            elif isinstance(record, JobEvent):  # there are no answers here of which anything could be seen
                position = dwell_ms = None
                if isinstance(record, JobView):
                    position, dwell_ms = record.position, record.dwell_ms
                write((
                    record.occurred_at, record.member_id, record.job_id, _NAMES[type(record)], record.event_id,
                    record.session_id, record.surface, record.request_id, position, dwell_ms,
                ))  # fmt: skip

    def flush(self) -> None:
        """Nothing to do: `close` writes what is left."""

    def close(self) -> None:
        """See `Outlet.close`."""
        self._files.close()


def _cells(record: Any, fields: Sequence[str]) -> list[object]:
    values = (getattr(record, field) for field in fields)
    return ["|".join(value) if isinstance(value, tuple) else value for value in values]
