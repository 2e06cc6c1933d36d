"""What each aggregate is, from the raw events: no state, no increments, nothing shared with the code but declarations."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from streamrec.events import JobLike, JobPosting, JobSave, MemberProfile
from streamrec.features.language.aggregates import Aggregate

TAKEN_BACK = ("always", "decay", "sliding")  # windows of counts that a save or like leaves when it is taken back


class Happened(NamedTuple):
    """An event that counts, in the order of the log: with its member's profile of that moment, and whether it repeats one."""

    event: Any
    profile: MemberProfile | None
    repeats: bool = False


class Log:
    """The log, read as the rules say: duplicates are out, and each unsave or unlike names what it takes back."""

    def __init__(self, records: Iterable[Any]) -> None:
        self.happened: list[Happened] = []
        self.taken_back: list[Any] = []  # events
        self.postings: dict[str, JobPosting] = {}
        self.profiles: dict[str, MemberProfile] = {}
        seen = set()
        done: set[tuple[Any, ...]] = set()  # kind, member and job
        for record in records:
            if isinstance(record, JobPosting):
                self.postings[record.job_id] = record
            elif isinstance(record, MemberProfile):
                self.profiles[record.member_id] = record
            elif (record.member_id, record.event_id) not in seen:
                seen.add((record.member_id, record.event_id))
                deed = (type(record), record.member_id, getattr(record, "job_id", record.event_id))
                if self._undoes(record):
                    self._undo(record)
                    done.discard(deed)
                else:
                    self.happened.append(Happened(record, self.profiles.get(record.member_id), deed in done))
                    done.add(deed)

    def _undoes(self, record: Any) -> bool:
        return (isinstance(record, JobSave) and not record.saved) or (isinstance(record, JobLike) and not record.liked)

    def _undo(self, record: Any) -> None:
        """The first save or like of the job since the last time that one was taken back."""
        open_ = [
            each.event for each in self.happened
            if type(each.event) is type(record) and (each.event.member_id, each.event.job_id) == (record.member_id, record.job_id)
        ]  # fmt: skip
        closed = max((n for n, each in enumerate(open_) if each in self._closers), default=-1)
        open_ = open_[closed + 1 :]
        if open_:
            self.taken_back.append(open_[0])
            self._closers.append(open_[-1])

    @property
    def _closers(self) -> list[Any]:
        """The last save or like of its job before one was taken back: those up to it cannot be taken back any more."""
        if not hasattr(self, "_closed"):
            self._closed: list[Any] = []
        return self._closed


def _text(value: str | None) -> str | None:
    return value.strip().casefold() if value else None


def _meets(event: Any, aggregate: Aggregate) -> bool:
    for condition in aggregate.stream.conditions:
        value = getattr(event, condition.field)
        if value is None:
            return False
        if condition.test == "below" and not value < condition.values[0]:
            return False
        if condition.test == "above" and not value > condition.values[0]:
            return False
        if condition.test == "is" and (_text(value) if isinstance(value, str) else value) not in condition.values:
            return False
    return True


def _belongs(each: Happened, aggregate: Aggregate, log: Log, member_id: str, job_id: str, surface: str | None) -> bool:
    """Whether an event is of the key that is asked for: of the member, the job, what its posting says, …"""
    event = each.event
    for part in aggregate.by.parts:
        origin, _, name = part.partition(".")
        match origin:
            case "member":
                same = event.member_id == member_id
            case "job":
                same = event.job_id == job_id
            case "posting":
                mine, its = (getattr(log.postings.get(job), name, None) for job in (job_id, event.job_id))
                same = mine is not None and _text(mine) == _text(its)
            case "profile":
                then, now = getattr(each.profile, name, None), getattr(log.profiles.get(member_id), name, None)
                same = now is not None and _text(now) == _text(then)
            case _:
                same = surface is not None and _text(surface) == _text(getattr(event, name))
        if not same:
            return False
    return True


def value(aggregate: Aggregate, log: Log, member_id: str, job_id: str, now: int, ttl_ms: int | None = None) -> Any:
    """The aggregate's value for a member and a job as of `now`, which is after all events; NaN where it is missing."""
    for part in aggregate.by.parts:
        origin, _, name = part.partition(".")
        said = {"profile": log.profiles.get(member_id), "posting": log.postings.get(job_id)}
        if origin in said and not getattr(said[origin], name, None):
            return math.nan  # nobody can say of which combination
    plain = not (aggregate.stream.conditions or aggregate.by.keyed or aggregate.value or ttl_ms)
    undone = log.taken_back if plain and aggregate.window.kind in TAKEN_BACK and aggregate.aggregate == "count" else []
    events = [
        each.event for each in log.happened
        if type(each.event) in aggregate.stream.records and each.event not in undone and _meets(each.event, aggregate)
        and _belongs(each, aggregate, log, member_id, job_id, None) and not (each.repeats and aggregate.stream.unrepeated)
    ]  # fmt: skip
    points = [(event.occurred_at, _said(event, aggregate.value) if aggregate.value else 0.0) for event in events]
    points = [point for point in points if point[1] is not None]
    if ttl_ms is not None:
        points = _alive(points, now, ttl_ms)
        if not points:
            return math.nan
    return _over(aggregate, sorted(points), now)


def _said(event: Any, name: str) -> Any:
    """The field's value; a text, but for ids, as texts are compared."""
    said = getattr(event, name)
    return said.strip().casefold() or None if isinstance(said, str) and not name.endswith("_id") else said


def _alive(points: list[tuple[int, Any]], now: int, ttl_ms: int) -> list[tuple[int, Any]]:
    """In the order of the log: what comes long after the newest begins anew, what is of long before is left out."""
    kept: list[tuple[int, Any]] = []
    for at, each in points:
        newest = max((when for when, _ in kept), default=at)
        if at > newest + ttl_ms:
            kept = []
        if at >= newest - ttl_ms:
            kept.append((at, each))
    return kept if kept and max(when for when, _ in kept) >= now - ttl_ms else []


def _over(aggregate: Aggregate, points: list[tuple[int, Any]], now: int) -> Any:
    window, name = aggregate.window, aggregate.name
    if name == "texts":
        newest = {text: at for at, text in points}
        return tuple(sorted(newest, key=lambda text: (-newest[text], text))[: window.parts])
    weights = [1.0] * len(points)
    match window.kind:
        case "decay":
            weights = [0.5 ** ((now - at) / window.span_ms) for at, _ in points]
        case "sliding":
            pane = window.span_ms / window.parts
            points = [point for point in points if now // pane - point[0] // pane <= window.parts]
        case "last":
            points = points[-window.parts :]
        case "session":
            while points and now - points[-1][0] > window.span_ms:
                points = []
            begin = len(points) - 1
            while begin > 0 and points[begin][0] - points[begin - 1][0] <= window.span_ms:
                begin -= 1
            points = points[max(begin, 0) :]
    values = [each for _, each in points]
    weights = weights[: len(values)]
    if name == "top":
        sums: Counter[str] = Counter()
        for text, weight in zip(values, weights, strict=True):
            sums[text] += weight  # type: ignore[assignment]
        return tuple(sorted(sums, key=lambda text: (-sums[text], text))[: int(aggregate.aggregate.split()[1])])
    match name:
        case "count":
            return math.fsum(weights)
        case "total":
            return math.fsum(each * weight for each, weight in zip(values, weights, strict=True))
        case "distinct":
            return float(len(set(values)))
        case "first_at":
            return float(points[0][0]) if points else math.nan
        case "latest_at":
            return float(points[-1][0]) if points else math.nan
    if not values:
        return math.nan
    if name in ("least", "most"):
        return float(min(values) if name == "least" else max(values))
    mean = math.fsum(each * weight for each, weight in zip(values, weights, strict=True)) / math.fsum(weights)
    if name == "mean":
        return mean
    return math.fsum(weight * (each - mean) ** 2 for each, weight in zip(values, weights, strict=True)) / math.fsum(
        weights
    )
