"""Two states of one entity beside each other: every cell and every field that differs by more than order may do.

Counts and times are equal; sums agree to 1e-9, since they were added up in another order. `version`, and the ids of the last
events, are not compared: a compacted log has fewer records than were folded. Nor is who touched a job last, with how much that
member had touched before: which touch was the first depends on the order between topics, as for co-visitation.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from streamrec.features.plan import Plan
from streamrec.features.state import JobState, MemberState, State

SUMS: Final = 1e-9
_NOT_COMPARED: Final = frozenset({"version", "seen", "cells", "mark", "touchers"})
_ABSENT: Final = "absent"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not the same.

    Attributes
    ----------
    entity
        ``member ann``, ``job nurse`` or ``member ann, job nurse``.
    what
        The cell (its aggregate), the field of the state, or the feature.
    live, replayed
        As text.
    difference
        Live less replayed, where both are numbers or one number of each differs; None else.
    cause
        What may have led to it.
    """

    entity: str
    what: str
    live: str
    replayed: str
    difference: float | None
    cause: str


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, but for the rounding of sums.

    Examples
    --------
    >>> alike([1.0, 5, {"a": 0.1 + 0.2}], [1, 5, {"a": 0.3}]), alike([1.0], [1.1]), alike(3, 4)
    (True, False, False)
    """
    if isinstance(one, float) or isinstance(other, float):
        if not (isinstance(one, int | float) and isinstance(other, int | float)):
            return False
        return math.isclose(one, other, rel_tol=SUMS, abs_tol=SUMS)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    return bool(one == other)


def compare(entity: str, live: State, replayed: State, plan: Plan) -> Iterator[Difference]:
    """What differs between two states of one entity: fields, then cells of the plan (others are only carried along)."""
    for name in live.__struct_fields__:
        if name not in _NOT_COMPARED:
            one, other = (_plain(getattr(state, name)) for state in (live, replayed))
            if not alike(one, other):
                yield _difference(entity, name, one, other, _of_fields(name))
    if not isinstance(live, MemberState | JobState) or not isinstance(replayed, MemberState | JobState):
        return
    place = "member" if isinstance(live, MemberState) else "job"
    for key, state in plan.states.items():
        if state.aggregate.by.place != place:
            continue
        one, other = live.cells.get(key, _ABSENT), replayed.cells.get(key, _ABSENT)
        if not alike(one, other):
            said = any(part.startswith("profile.") for part in state.aggregate.by.keyed)
            yield _difference(entity, str(state.aggregate), one, other, _of_cells(one, other, by_profile=said))


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _difference(entity: str, what: str, live: Any, replayed: Any, cause: str) -> Difference:
    return Difference(
        entity=entity,
        what=what,
        live=_short(live),
        replayed=_short(replayed),
        difference=_apart(live, replayed),
        cause=cause,
    )


def _apart(one: Any, other: Any) -> float | None:
    """The first number that differs, live less replayed."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return None if alike(one, other) else float(one - other)
    if isinstance(one, list) and isinstance(other, list):
        return next((found for pair in zip(one, other, strict=False) if (found := _apart(*pair)) is not None), None)
    return None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of_fields(name: str) -> str:
    if name == "posting":
        return "another version of the posting: it was compacted away, or written around the agents"
    return "an event was lost or counted twice, or the state was changed by hand"


def _of_cells(live: Any, replayed: Any, *, by_profile: bool) -> str:
    if by_profile:
        return "a profile and an event were folded in another order than they were written; or as for other cells"
    if live == _ABSENT:
        return "declared after the state was made (streamrec rebuild counts what came before), or events were lost"
    if replayed == _ABSENT:
        return "the log does not hold those events any more, or the state was changed by hand"
    return (
        "an event was lost or counted twice, the state was changed by hand, or made by other code (streamrec rebuild)"
    )
