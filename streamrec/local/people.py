"""What a person who watches wants to know of the members: who they are, and what they did last, in words."""

from collections import Counter, deque
from typing import Final

from streamrec.events import (
    JobApplication,
    JobDismissal,
    JobEvent,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)

_KEPT: Final = 4  # deeds of a member
_VERBS: Final = {
    JobView: "viewed", JobSave: "saved", JobLike: "liked", JobApplication: "applied for", JobDismissal: "dismissed",
}  # fmt: skip


class People:
    """Told each record by the feed's thread, asked by another.

    Attributes
    ----------
    about
        What members say of themselves, by id.
    titles
        Of jobs, by id.
    acts
        How often each member has acted.
    last_actor
        The member who acted last.

    Examples
    --------
    >>> people = People()
    >>> people.note(JobPosting(job_id="j1", title="Night nurse"))
    >>> people.note(JobView(event_id="e", member_id="m1", job_id="j1", occurred_at=0))
    >>> people.deeds("m1", 3), people.last_actor
    (('viewed Night nurse',), 'm1')
    """

    def __init__(self) -> None:
        self.about: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self.acts: Counter[str] = Counter()
        self.last_actor: str | None = None
        self._deeds: dict[str, deque[tuple[str, str]]] = {}

    def note(self, record: object) -> None:
        """Take in a posting, a profile or something that a member did; anything else is nobody's business."""
        if isinstance(record, JobPosting):
            self.titles[record.job_id] = record.title
        elif isinstance(record, MemberProfile):
            wants = record.desired_titles[0] if record.desired_titles else record.headline
            self.about[record.member_id] = ", ".join(word for word in (wants, record.city) if word)
        elif isinstance(record, JobEvent):
            kept = self._deeds.setdefault(record.member_id, deque(maxlen=_KEPT))
            kept.appendleft((_VERBS[type(record)], record.job_id))
            self.acts[record.member_id] += 1
            self.last_actor = record.member_id

    def deeds(self, member_id: str, limit: int) -> tuple[str, ...]:
        """What the member did last, newest first."""
        newest = list(self._deeds.get(member_id, ()))[:limit]
        return tuple(f"{verb} {self.titles.get(job_id, job_id)}" for verb, job_id in newest)
