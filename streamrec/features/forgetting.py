"""What is forgotten with time, so that state does not only grow: members who never return, and jobs that are over.

Rules
-----
* *A member* without an event for as long as the setting says is forgotten but for its profile, which is the site's to remove by
  a tombstone. Its connections stay, too: whoever is erased must be forgotten by all who know of it. An event that comes after
  such a time begins anew, whether the member was swept meanwhile or not: so its state is a function of the log all the same.
* *A job* that is over (closed, expired or removed), or of which no posting is known, is forgotten with its neighbours once
  nothing has happened to it for so long. A later record begins anew.
"""

from typing import Final

from streamrec.features.state import JobState, MemberState

DAY_MS: Final = 86_400_000
NEVER: Final = 0  # in place of a time: nothing is forgotten


def is_idle(state: MemberState, now: int, kept_ms: int) -> bool:
    """Whether a member's last event is so long ago that nothing but the profile is kept.

    Examples
    --------
    >>> state = MemberState(version=3, last_at=1000)
    >>> is_idle(state, 1500, 500), is_idle(state, 1501, 500), is_idle(state, 9999, NEVER), is_idle(MemberState(), 9999, 500)
    (False, True, False, False)
    """
    return bool(kept_ms and state.last_at and now > state.last_at + kept_ms)


def begin_anew(state: MemberState) -> None:
    """Forget all but the profile, in place: as if that had been the only record.

    Examples
    --------
    >>> state = MemberState(version=3, last_at=1000, viewed={"nurse": 1000})
    >>> begin_anew(state)
    >>> state == MemberState()
    True
    """
    fresh = MemberState(version=int(state.profile is not None), profile=state.profile)
    for name in MemberState.__struct_fields__:
        setattr(state, name, getattr(fresh, name))


def is_over(state: JobState, now: int, kept_ms: int) -> bool:
    """Whether a job can be forgotten.

    Examples
    --------
    >>> from streamrec.events import JobPosting
    >>> posting = JobPosting(job_id="j1", title="Nurse", posted_at=400, expires_at=1000)
    >>> state = JobState(version=2, posting=posting, last_at=700)
    >>> is_over(state, 1500, 500), is_over(state, 1501, 500), is_over(JobState(version=1, last_at=9), 510, 500)
    (False, True, True)
    """
    if not kept_ms or not state.version:
        return False
    posting, newest = state.posting, state.last_at
    if posting is not None and not state.removed:
        ended = posting.expires_at if posting.expires_at is not None and posting.expires_at <= now else None
        if not posting.closed and ended is None:
            return False
        newest = max(newest, posting.posted_at or 0, ended or 0)
    return now > newest + kept_ms
