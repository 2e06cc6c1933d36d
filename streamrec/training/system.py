"""The contract of what is evaluated: it takes records in the order of a log, and answers with ranked lists in between."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from streamrec.events import Connection, JobEvent, JobPosting, MemberProfile

Record = JobEvent | Connection | MemberProfile | JobPosting


class Listed(NamedTuple):
    """The top of a list: jobs, best first, and the score of each."""

    job_ids: list[str]
    scores: list[float]


class System(ABC):
    """Members, jobs and a model, as of the last record taken."""

    @abstractmethod
    def take(self, record: Record) -> None:
        """Learn from a record and fold it; what is asked after that knows of it. A duplicate changes nothing."""

    @abstractmethod
    def answer(self, member_id: str, now: int, size: int) -> Listed:
        """The first `size` jobs that would be served to a member, known or not, at `now` (ms)."""
