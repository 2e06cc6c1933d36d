"""Impression x action -> training examples: what was shown, and whether the member checked it.

A row is one job of one impression. It is learned as a positive when an action on it arrives, and as a negative when the
impression is closed without one; whoever calls `close` waits until no such action can be under way any more. All is
incremental: what has been learned of a row is kept beside it, and only the difference to what should be is emitted, so
that it does not matter which of impression and action arrives first.

Rules
-----
* *Which row*: an action that names a request is that impression's, if that showed the job. One that names none is the
  newest impression's that showed the job, was served before the action, and no longer than a window before.
* *Positive*: weight 1 at the first check; the weights for the score add up to that of the strongest action. Taking a
  save or like back takes no label back: the member did check the job.
* *Negative*: at closing, each row that was seen and not checked. All rows count as seen until the client reports some.
* *Correction*: a check after closing takes the negative back, by weight -1. An impression that arrives after a newer
  action, and fits it better than the impression that got it, takes it over.
* *Probes* (`events.is_probe`) are shown nothing and check nothing.
* *Bounds*: a member keeps the newest impressions, closed ones make room first. One that has to go before it was closed
  is never learned as a negative.

Where rows belong together, ``rows_shown`` carries the length of the whole list, whichever rows an example has.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from streamrec.events import (
    Action,
    Impression,
    ImpressionSeen,
    JobApplication,
    JobEvent,
    JobLike,
    JobSave,
    JobView,
    TrainingExample,
    is_probe,
)
from streamrec.models.shown import Acted, EarlySeen, Row, Shown, ShownList

ACTED_KEPT: Final = 50  # recent actions of a member
EARLY_KEPT: Final = 20  # reports of what was seen that came before their impression
HIT_AT: Final = 10  # positions in which a checked job makes a list a hit
_HOUR_S, _DAY_S = 3_600, 86_400


class Rules(msgspec.Struct, frozen=True):
    """What is decided by settings.

    Attributes
    ----------
    window_ms
        How long after it was served a list may be acted on.
    weights
        Of a positive for the score, by `Action`: view, like, save, application; above 0.
    kept
        Impressions of a member at most.
    """

    window_ms: int = 1_800_000
    weights: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0)
    kept: int = 10


class Source(NamedTuple):
    """The record that examples are made from: they carry it, so that what is produced twice is learned once."""

    topic: str
    topic_id: str
    partition: int
    offset: int


class Entered(NamedTuple):
    """What became of an impression: whether it is kept now, whether it was there before, how many left unlearned."""

    examples: list[TrainingExample]
    kept: bool
    duplicate: bool = False
    dropped: int = 0


class Checked(NamedTuple):
    """What became of an action: `matched` says whether the impression that it belongs to is known."""

    examples: list[TrainingExample]
    matched: bool


def check_of(event: object) -> Action | None:
    """The action by which the event says that the member checked the job, if it does.

    Examples
    --------
    >>> check_of(JobSave(event_id="e", member_id="m", job_id="j", occurred_at=1, saved=False)) is None
    True
    """
    match event:
        case JobEvent(member_id=member_id) if is_probe(member_id):
            return None
        case JobView():
            return Action.VIEW
        case JobLike(liked=True):
            return Action.LIKE
        case JobSave(saved=True):
            return Action.SAVE
        case JobApplication():
            return Action.APPLY
        case _:
            return None


def show(shown: Shown, impression: Impression, source: Source, rules: Rules) -> Entered:
    """Take in an impression, in place; examples for the checks that came before it.

    One without items or without features is not kept: nothing can be learned from it.
    """
    if shown.find(impression.request_id) is not None:
        return Entered([], kept=True, duplicate=True)
    if not impression.items or not impression.items[0].features or is_probe(impression.member_id):
        return Entered([], kept=False)
    entering = ShownList(
        impression.request_id, impression.served_at, impression.surface, impression.model_version, impression.feature_set,
        [Row(item.job_id, item.position, item.propensity, item.p_check, item.features) for item in impression.items],
    )  # fmt: skip
    shown.lists.append(entering)
    dropped = _trim(shown, rules)
    if not any(known is entering for known in shown.lists):
        return Entered([], kept=False, dropped=dropped - 1)
    for early in [early for early in shown.early if early.request_id == entering.request_id]:
        entering.report(early.positions)
        shown.early.remove(early)
    examples: list[TrainingExample] = []
    for index, (place, row, acted) in enumerate(_taken_over(shown, entering, rules)):
        target = max(
            (other.weight for other in shown.acted if (other.list_id, other.job_id) == (place.request_id, row.job_id)),
            default=0.0,
        )
        examples.extend(_relabel(place, row, target, acted, impression.member_id, source, index))
    return Entered(examples, kept=True, dropped=dropped)


def act(shown: Shown, event: JobEvent, action: Action, source: Source, rules: Rules) -> Checked:
    """Take in a check (see `check_of`), in place; the example that it makes, if any.

    Duplicates are the caller's to drop. A check that matches nothing is remembered for an impression to come.
    """
    acted = Acted(
        event.event_id, event.job_id, event.occurred_at, rules.weights[action], event.request_id, event.surface
    )
    shown.acted.append(acted)
    newest = max(other.at for other in shown.acted)
    shown.acted = [other for other in shown.acted if other.at >= newest - 2 * rules.window_ms][-ACTED_KEPT:]
    found = _pick(shown, event.job_id, event.occurred_at, event.request_id, rules)
    if found is None:
        return Checked([], matched=False)
    place, row = found
    acted.list_id = place.request_id
    target = max(row.learned, acted.weight)
    return Checked(_relabel(place, row, target, acted, event.member_id, source, 0), matched=True)


def see(shown: Shown, seen: ImpressionSeen) -> bool:
    """Take in what a client reports as seen, in place; False if it came after the list had been closed: too late."""
    if is_probe(seen.member_id):
        return False
    known = shown.find(seen.request_id)
    if known is not None:
        if not known.closed:
            known.report(seen.positions)
        return not known.closed
    shown.early = [*shown.early, EarlySeen(seen.request_id, seen.occurred_at, seen.positions)][-EARLY_KEPT:]
    return True


def close(shown: Shown, member_id: str, request_id: str, at: int, source: Source) -> TrainingExample | None:
    """Learn that the other rows of an impression were not checked, in place.

    Called once no action within the window can be under way any more.

    Returns
    -------
    TrainingExample or None
        Dated `at`; the whole list as it turned out. Rows that were checked have been learned already, so they weigh
        nothing here: they are what the calibration of whole lists and the figures need. None where there is no such list
        (any more), it is closed already, or nothing of it was seen.
    """
    closing = shown.find(request_id)
    if closing is None or closing.closed:
        return None
    closing.closed = True
    rows = [row for row in closing.rows if row.learned or closing.is_seen(row)]
    if not rows:
        return None
    checked = tuple(float(row.learned > 0) for row in rows)
    for row in rows:
        row.negative = not row.learned
    first = [row for row in closing.rows if row.position < HIT_AT]
    hit = int(any(row.learned for row in first)) if first else -1
    weights = tuple(1.0 - label for label in checked)
    return _example(
        closing, rows, "closed", checked, weights, weights,
        event_id=request_id, member_id=member_id, at=at, surface=closing.surface, source=source, hit=hit,
    )  # fmt: skip


def lifetime_s(shown: Shown, rules: Rules) -> int:
    """How long to keep it after its last change, so that nothing of a member who left stays for good.

    What waits outlives a long outage, the rest a late check.
    """
    if shown.waits:
        return 7 * _DAY_S
    return max(2 * rules.window_ms // 1000, _HOUR_S) if shown.lists else _DAY_S


def _trim(shown: Shown, rules: Rules) -> int:
    """Keep the newest lists that may still matter; how many left before they were closed."""
    newest = max(known.served_at for known in shown.lists)
    kept = [known for known in shown.lists if not known.closed or known.served_at >= newest - 2 * rules.window_ms]
    kept.sort(key=lambda known: (known.closed, -known.served_at, known.request_id))
    dropped = sum(not known.closed for known in kept[rules.kept :])
    shown.lists = sorted(kept[: rules.kept], key=lambda known: (-known.served_at, known.request_id))
    return dropped


def explains(shown: Shown, event: JobEvent, rules: Rules) -> bool:
    """Whether `act` will find the impression that the event belongs to; changes nothing."""
    return _pick(shown, event.job_id, event.occurred_at, event.request_id, rules) is not None


def _pick(shown: Shown, job_id: str, at: int, request_id: str | None, rules: Rules) -> tuple[ShownList, Row] | None:
    """The row that a check belongs to."""
    for known in shown.lists:  # newest first
        if request_id is None:
            if not known.served_at <= at <= known.served_at + rules.window_ms:
                continue
        elif known.request_id != request_id:
            continue
        if (row := known.row(job_id)) is not None:
            return known, row
    return None


def _taken_over(shown: Shown, entering: ShownList, rules: Rules) -> list[tuple[ShownList, Row, Acted]]:
    """Give `entering` the checks that are its own; the rows that gained or lost one, each with one such check."""
    changed: dict[tuple[str, str], tuple[ShownList, Row, Acted]] = {}
    for acted in shown.acted:
        found = _pick(shown, acted.job_id, acted.at, acted.request_id, rules)
        if found is None or found[0] is not entering:
            continue
        changed.setdefault((entering.request_id, acted.job_id), (*found, acted))
        loser = shown.find(acted.list_id)
        if loser is not None and (row := loser.row(acted.job_id)) is not None:
            changed.setdefault((loser.request_id, acted.job_id), (loser, row, acted))
        acted.list_id = entering.request_id
    return list(changed.values())


def _relabel(
    place: ShownList, row: Row, target: float, acted: Acted, member_id: str, source: Source, index: int
) -> list[TrainingExample]:
    """The step from what was learned of a row to `target`, its weight as a positive; none if it is there."""
    if target == row.learned:
        return []
    parts = [(1.0, float(target > 0) - float(row.learned > 0), target - row.learned)]  # label, weight, score weight
    correction = target < row.learned
    if row.negative and target > 0:
        parts.append((0.0, -1.0, -1.0))
        row.negative, correction = False, True
    elif not target and place.closed and place.is_seen(row):
        parts.append((0.0, 1.0, 1.0))
        row.negative = True
    row.learned = target
    labels, weights, score_weights = zip(*parts, strict=True)
    made = _example(
        place, [row] * len(parts), "correction" if correction else "positive", labels, weights, score_weights,
        event_id=acted.event_id, member_id=member_id, at=acted.at, surface=place.surface or acted.surface,
        source=source, index=index,
    )  # fmt: skip
    return [made]


def _example(
    place: ShownList,
    rows: Sequence[Row],
    kind: str,
    labels: tuple[float, ...],
    weights: tuple[float, ...],
    score_weights: tuple[float, ...],
    *,
    event_id: str,
    member_id: str,
    at: int,
    surface: str | None,
    source: Source,
    index: int = 0,
    hit: int = -1,
) -> TrainingExample:
    served = [row.p_check for row in rows if row.p_check is not None]
    return TrainingExample(
        event_id=event_id, member_id=member_id, occurred_at=at,
        source_topic=source.topic, source_topic_id=source.topic_id, source_partition=source.partition,
        source_offset=source.offset, source_index=index, surface=surface, feature_set=place.feature_set,
        job_ids=tuple(row.job_id for row in rows), labels=labels, weights=weights,
        features=b"".join(row.features for row in rows), kind=kind, request_id=place.request_id,
        rows_shown=len(place.rows), score_weights=score_weights, positions=tuple(row.position for row in rows),
        propensities=tuple(row.propensity for row in rows),
        served_p=tuple(served) if len(served) == len(rows) else (), model_version=place.model_version, hit=hit,
    )  # fmt: skip
