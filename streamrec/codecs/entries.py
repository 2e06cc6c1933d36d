"""What must hold for the entries of derived records: their owners fold them as they come.

Only streamrec writes these topics, but whoever may produce to them can write anything, and one record that no owner can fold
would stop its partition for good.
"""

from typing import Final

from streamrec.events import Action, ActivityEntry, JobActivity, MemberActivity, NetworkEntry, Rejected

MAX_TOLD: Final = 1 << 12  # members that one entry may tell: see `agents.network`
_MOST: Final = 2**63  # an offset or index is less
_LAST_TOUCHER: Final = 2**32 - 1
_HEAVIEST: Final = 1000.0  # a tie weighs 1 at most; sums of these stay finite
_ACTIONS: Final = frozenset(map(int, Action))
_SIGNS: Final = frozenset((1, -1))


def check_job_activity(activity: JobActivity, max_id: int, last_time: int) -> Rejected | None:
    """What is wrong with the first entry that has something wrong."""
    for entry in activity.entries:
        if wrong := _of_job(entry, max_id, last_time):
            return Rejected("bad_value", f"entry {entry.offset}/{entry.index}: {wrong}"[:500])
    return None


def check_member_activity(activity: MemberActivity, max_id: int, last_time: int) -> Rejected | None:
    """What is wrong with the first entry that has something wrong."""
    for entry in activity.entries:
        if wrong := _of_member(entry, max_id, last_time):
            return Rejected("bad_value", f"entry {entry.offset}/{entry.index}: {wrong}"[:500])
    return None


def _of_job(entry: ActivityEntry, max_id: int, last_time: int) -> str | None:
    if not 0 < len(entry.job_id) <= max_id:
        return "its job_id is empty or too long"
    if not (0 <= entry.offset < _MOST and 0 <= entry.index < _MOST):
        return "its place is no place"
    if not 0 < entry.occurred_at <= last_time:
        return f"occurred_at is {entry.occurred_at}: not between 1970 and 9999"
    if entry.action is not None and entry.action not in _ACTIONS:
        return f"there is no action {entry.action}"
    if entry.sign not in _SIGNS:
        return f"its sign is {entry.sign}, not 1 or -1"
    if not 0 <= entry.toucher <= _LAST_TOUCHER:
        return f"its toucher is {entry.toucher}, not 32 bits"
    for job_id, weight in entry.neighbours:
        if not (0 < len(job_id) <= max_id and 0.0 <= weight <= _HEAVIEST):  # written so that NaN fails too
            return f"a neighbour is {job_id!r:.100}, which weighs {weight}"
    return None


def _of_member(entry: NetworkEntry, max_id: int, last_time: int) -> str | None:
    if not 0 < len(entry.member_id) <= max_id or len(entry.job_id) > max_id:
        return "an id is empty or too long"
    if not (0 <= entry.offset < _MOST and 0 <= entry.index < _MOST):
        return "its place is no place"
    if not 0 <= entry.occurred_at <= last_time:  # of an erasure nobody asks when
        return f"occurred_at is {entry.occurred_at}: not between 1970 and 9999"
    if entry.action not in _ACTIONS or entry.sign not in _SIGNS:
        return f"there is no action {entry.action} of sign {entry.sign}"
    if len(entry.told) > MAX_TOLD or not all(0 < len(member) <= max_id for member in entry.told):
        return f"it tells {len(entry.told)} members, or one without an id"
    return None
