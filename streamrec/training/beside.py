"""A second configuration in the same pass: it ranks from the state of the first, by a workflow and a model of its own."""

from streamrec.training.configuration import Configuration
from streamrec.training.offline import Offline
from streamrec.training.system import Listed


class Beside:
    """What members did, and what jobs are, is the same for both; what is learned of it, and what is listed, is not.

    Parameters
    ----------
    world
        Whose state it ranks from, and whose actions its model learns, too, from now on.
    configured
        The workflow and the model.

    Examples
    --------
    >>> from streamrec.events import JobPosting, JobView
    >>> from streamrec.ranking.workflows import WORKFLOWS
    >>> from streamrec.settings import Settings
    >>> world = Offline(Settings())
    >>> second = Beside(world, Configuration(WORKFLOWS.find("popular")))
    >>> for job_id in ("nurse", "cook"):
    ...     world.take(JobPosting(job_id=job_id, title=job_id, posted_at=1))
    >>> world.take(JobView(event_id="e1", member_id="ann", job_id="nurse", occurred_at=1000))
    >>> second.answer("bob", 2000, 10).job_ids, second.model.examples
    (['nurse', 'cook'], 1)
    """

    def __init__(self, world: Offline, configured: Configuration) -> None:
        self.configured, self.model = configured, configured.model()
        self._world = world
        world.also.append((configured.workflow, self.model))

    def answer(self, member_id: str, now: int, size: int) -> Listed:
        """See `System.answer`; the world's `candidates` are those of this list then."""
        ranked = self._world.rank(member_id, now, self.configured.workflow, self.model)
        return Listed(ranked.job_ids[:size], ranked.scores[:size])
