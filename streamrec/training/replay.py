"""A log in files -> the records that its events would have been, in the order of their times.

Times are epoch seconds, epoch milliseconds or ISO 8601 (without an offset: UTC), each value for itself. Ids of events
are made from what happened, to whom, when, so that replaying a file again makes the same ids, whatever the file's name
or its further columns. Rows that are equal in all of these, at the same time, are events of their own.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from streamrec import topics
from streamrec.codecs import Message, check
from streamrec.codecs.records import KINDS
from streamrec.events import Event, JobPosting, MemberProfile, Rejected
from streamrec.training.columns import LISTS, Columns, text_of
from streamrec.training.rows import BadRow, FileError, Row
from streamrec.training.tables import Rows, open_table

IGNORE: Final = "ignore"  # in place of a topic: rows of this event are passed over
EVENT_NAMES: Final[Mapping[str, str]] = {
    "view": "job-views", "click": "job-views",
    "like": "job-likes", "comment": "job-likes",
    "save": "job-saves", "bookmark": "job-saves", "follow": "job-saves",
    "apply": "job-applications", "application": "job-applications", "reply": "job-applications",
    "dismiss": "job-dismissals", "delete": "job-dismissals",
    "connect": "connections",
}  # fmt: skip
EVENT_TOPICS: Final = ("job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections")

_LOG_NAMES: Final = {"ts": "occurred_at", "user_id": "member_id", "item_id": "job_id", "dwell_s": "dwell_ms"}
_CATALOGUE_NAMES: Final = {"item_id": "job_id", "state": "region"}
_MEMBER_NAMES: Final = {
    "user_id": "member_id", "state": "region", "position_of_interest": "desired_titles", "created_ts": "updated_at",
    "ts": "updated_at",
}  # fmt: skip


class Due(msgspec.Struct, frozen=True):
    """A record to be produced, and when in the log's time (ms); what was so before the log begins is due at once."""

    at: int
    topic: str
    key: str
    event: Message


class Replay:
    """What is in a log and the files beside it.

    Parameters
    ----------
    log
        Columns ts, user_id, item_id, event; further ones may be fields of the records (``session_id``, ``position``,
        ``dwell_ms`` or ``dwell_s``, ``surface``, …). Rows are expected in the order of time, but none is lost if not.
    catalogue
        Jobs: columns are the fields of JobPosting, or item_id, state.
    members
        Members: columns are the fields of MemberProfile, or user_id, state, position_of_interest, created_ts. Each row
        is merged into what the member's rows before said: lists grow, other fields are replaced.
    event_names
        Event name -> topic, or `IGNORE`, on top of `EVENT_NAMES`.
    columns
        The name given above -> the name in the files.
    now_ms, skew_ms
        A row further in the future is a bad one; None: none is.

    Attributes
    ----------
    warnings : list of str
        Columns that mean nothing.
    ignored : int
        Rows passed over so far because their event is mapped to `IGNORE`.

    Raises
    ------
    FileError
        A file cannot be read, or lacks a column.
    """

    def __init__(
        self,
        log: Path,
        catalogue: Path | None = None,
        members: Path | None = None,
        *,
        event_names: Mapping[str, str] | None = None,
        columns: Mapping[str, str] | None = None,
        now_ms: int | None = None,
        skew_ms: int = 0,
    ) -> None:
        renamed = columns or {}
        self._event_names = {**EVENT_NAMES, **{name.casefold(): to for name, to in (event_names or {}).items()}}
        for name, topic in self._event_names.items():
            if topic not in (*EVENT_TOPICS, IGNORE):
                raise ValueError(f"{name} cannot be mapped to {topic!r}: choose {', '.join(EVENT_TOPICS)} or {IGNORE}")
        self._now_ms, self._skew_ms = now_ms, skew_ms
        self._log = open_table(log)
        records = tuple(topics.load()[name].schema for name in EVENT_TOPICS)
        required = ("occurred_at", "member_id", "job_id", "event")
        self._log_columns = Columns(self._log, _LOG_NAMES, records, required, renamed)
        self._tables = [(self._log, self._log_columns)]
        self._catalogue = self._entity(catalogue, "JobPosting", _CATALOGUE_NAMES, ("job_id", "title"), renamed)
        self._members = self._entity(members, "MemberProfile", _MEMBER_NAMES, ("member_id",), renamed)
        for name, column in renamed.items():
            if not any(column in table.columns for table, _ in self._tables):
                raise FileError(f"no column {column}, which {name} was said to be, in any of the files")
        self.warnings = [
            f"{table.path.name}: nothing is known of the column{'s' * (len(named.unknown) > 1)} "
            f"{', '.join(named.unknown)}: left out"
            for table, named in self._tables if named.unknown
        ]  # fmt: skip
        self.ignored = 0

    def _entity(
        self, path: Path | None, record: str, names: Mapping[str, str], required: tuple[str, ...],
        renamed: Mapping[str, str],
    ) -> tuple[Rows, Columns] | None:  # fmt: skip
        if path is None:
            return None
        table = open_table(path)
        self._tables.append((table, Columns(table, names, (record,), required, renamed)))
        return self._tables[-1]

    @property
    def progress(self) -> float:
        """Share of the log that has been read, 0 to 1."""
        return self._log.bytes_read / max(self._log.size, 1)

    def __iter__(self) -> Iterator[Due | BadRow]:
        """Records in the order of their times, and bad rows where they come up.

        Raises
        ------
        FileError
            A file cannot be read further.
        """
        begin = next((item.at for item in self._events() if isinstance(item, Due)), 0)
        self.ignored = 0
        entities: list[Due] = []
        for item in (*self._postings(begin), *self._profiles(begin)):
            if isinstance(item, BadRow):
                yield item
            else:
                entities.append(item)
        entities.sort(key=attrgetter("at"))
        latest = begin

        def events() -> Iterator[tuple[int, Due | BadRow]]:
            nonlocal latest
            for item in self._events():
                latest = item.at if isinstance(item, Due) else latest
                yield latest, item

        merged = heapq.merge(((due.at, due) for due in entities), events(), key=lambda pair: pair[0])
        yield from (item for _, item in merged)

    def _bad(self, table: Rows, row: Row, rejected: Rejected) -> BadRow:
        return BadRow(table.path.name, row.line, rejected.reason, rejected.detail)

    def _read(self, columns: Columns, record: str, row: Row) -> dict[str, Any] | Rejected:
        try:
            return columns.fields(record, row.cells)
        except ValueError as error:
            return Rejected("bad_value", str(error))

    def _made(self, record: str, fields: dict[str, Any]) -> Message | Rejected:
        try:
            event = msgspec.convert(fields, KINDS[record].type, strict=False)
        except msgspec.ValidationError as error:
            return Rejected("missing_field" if "missing required" in str(error) else "bad_value", str(error))
        return check(event, self._now_ms, self._skew_ms) or event

    def _events(self) -> Iterator[Due | BadRow]:
        columns, event_cell = self._log_columns, self._log_columns.place["event"]
        loaded = topics.load()
        records = {name: loaded[name].schema for name in EVENT_TOPICS}
        equal: dict[str, int] = {}  # rows at the present time, by what happened
        present = 0
        for row in self._log:
            if isinstance(row, BadRow):
                yield row
                continue
            name = text_of(row.cells[event_cell])
            topic = self._event_names.get(name.casefold())
            if topic == IGNORE:
                self.ignored += 1
                continue
            if topic is None:
                detail = f"the event {name[:80]!r} has no topic: give it one with --map NAME=TOPIC, or NAME={IGNORE}"
                yield BadRow(self._log.path.name, row.line, "unknown_event", detail)
                continue
            fields = self._read(columns, records[topic], row)
            if not isinstance(fields, Rejected):
                fields = self._identified(topic, fields, row)
            if not isinstance(fields, Rejected):
                if fields["occurred_at"] != present:
                    present = fields["occurred_at"]
                    equal.clear()
                if "event_id" not in fields:
                    what = "\x1f".join((topic, fields["member_id"], _other(topic, fields), str(present)))
                    equal[what] = number = equal.get(what, 0) + 1
                    fields["event_id"] = blake2b(f"{what}\x1f{number}".encode(), digest_size=12).hexdigest()
            event = fields if isinstance(fields, Rejected) else self._made(records[topic], fields)
            if isinstance(event, Rejected):
                yield self._bad(self._log, row, event)
            else:
                yield Due(present, topic, fields["member_id"], event)  # type: ignore[index]

    def _identified(self, topic: str, fields: dict[str, Any], row: Row) -> dict[str, Any] | Rejected:
        """`fields`, if it says who did something when with what."""
        place = self._log_columns.place
        if topic == "connections" and "other_member_id" not in fields:
            fields["other_member_id"] = text_of(row.cells[place["job_id"]])
        for field, column in (("occurred_at", "ts"), ("member_id", "user_id")):
            if field not in fields:
                return Rejected("missing_field", f"{column} is empty")
        if not _other(topic, fields):
            return Rejected("missing_field", "item_id is empty")
        return fields

    def _postings(self, begin: int) -> Iterator[Due | BadRow]:
        if self._catalogue is None:
            return
        table, columns = self._catalogue
        for row in table:
            if isinstance(row, BadRow):
                yield row
                continue
            fields = self._read(columns, "JobPosting", row)
            posting = fields if isinstance(fields, Rejected) else self._made("JobPosting", fields)
            if isinstance(posting, JobPosting):
                yield Due(max(begin, posting.posted_at or 0), "job-postings", posting.job_id, posting)
            elif isinstance(posting, Rejected):
                yield self._bad(table, row, posting)

    def _profiles(self, begin: int) -> Iterator[Due | BadRow]:
        """A profile a row, as it was known then; rows without a time hold since the log's begin."""
        if self._members is None:
            return
        table, columns = self._members
        rows: list[tuple[int, Row, dict[str, Any]]] = []
        for row in table:
            if isinstance(row, BadRow):
                yield row
                continue
            fields = self._read(columns, "MemberProfile", row)
            if isinstance(fields, Rejected):
                yield self._bad(table, row, fields)
            else:
                rows.append((fields.setdefault("updated_at", max(begin, 1)), row, fields))
        rows.sort(key=lambda item: item[0])
        known: dict[str, dict[str, Any]] = {}
        for at, row, fields in rows:
            before = known.get(str(fields.get("member_id")), {})
            grown = {name: list(dict.fromkeys([*before.get(name, ()), *fields.get(name, ())])) for name in LISTS}
            merged = {**before, **fields, **grown}
            profile = self._made("MemberProfile", merged)
            if isinstance(profile, MemberProfile):
                known[profile.member_id] = merged
                yield Due(max(begin, at), "member-profiles", profile.member_id, profile)
            elif isinstance(profile, Rejected):
                yield self._bad(table, row, profile)


def first_events(log: Sequence[Due], count: int | None) -> Sequence[Due]:
    """The log up to its event of that number, with what was posted and said until then; None: all of it."""
    ends = [place for place, due in enumerate(log, 1) if isinstance(due.event, Event)]
    return log if count is None or count >= len(ends) else log[: ends[count - 1]]


def _other(topic: str, fields: dict[str, Any]) -> str:
    return str(fields.get("other_member_id" if topic == "connections" else "job_id") or "")
