"""What a benchmark is fed with: records of the simulated job site, encoded beforehand, so that sending them costs little.

The simulator's open loop shows no lists. Here each session gets one, as the lookup would have written it: twenty jobs, those
that the member goes on to open among them, and a report of what was seen. So labels are joined as in operation.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import numpy as np

from streamrec import codecs
from streamrec.events import Impression, ImpressionItem, ImpressionSeen, JobEvent, JobView
from streamrec.features.library import FEATURE_SET, feature_names
from streamrec.kafka.producer import Record
from streamrec.simulator.calendar import DAY_MS
from streamrec.simulator.scribe import Happening, is_deed
from streamrec.simulator.world import EVENTS_A_SESSION, PAGE, SESSIONS_A_DAY, World
from streamrec.topics import topic_of

_MARGIN: Final = 2.5  # worlds differ in how much goes on; none may reach into the future
_SEEN: Final = 10  # places of each list that its member looked at


class Site:
    """A made-up site, and its records from the beginning on.

    Parameters
    ----------
    members, jobs
        How many there are.
    events
        About how many things members do altogether: the world begins so long ago that they are done by now.
    seed
        Of everything random in it.
    """

    def __init__(self, members: int, jobs: int, events: int, seed: int = 1) -> None:
        self.members, self.jobs = members, jobs
        now = time.time_ns() // 1_000_000
        span = int(_MARGIN * events / (members * SESSIONS_A_DAY * EVENTS_A_SESSION) * DAY_MS) + DAY_MS
        self.world = World(seed, members, jobs, now - span)
        self.mix: Counter[str] = Counter()  # records of `happenings` so far, by topic
        self._draw = np.random.default_rng(seed)
        self._width = len(feature_names())
        self._known: deque[str] = deque((posting.job_id for posting in self.world.postings()[-500:]), maxlen=500)
        self._made: list[Record] = []  # and not handed out yet
        self._lists: dict[tuple[str, str], str] = {}  # member and session -> request_id
        self._places: dict[tuple[str, str], int] = {}  # request and job -> place

    def beginning(self) -> list[Record]:
        """Postings, profiles and connections: what there was before anything happens."""
        world = self.world
        return [encoded(each) for each in (*world.postings(), *world.profiles(), *world.connections())]

    def happenings(self, events: int, show: Callable[[float], None] = lambda _: None) -> list[Record]:
        """The next `events` records, in order."""
        while len(self._made) < events:
            self._made += map(encoded, self._shown(self.world.advance(self.world.now + self.world.window_ms)))
            show(min(1.0, len(self._made) / events))
        found, self._made = self._made[:events], self._made[events:]
        self.mix.update(record.topic for record in found)
        return found

    def _shown(self, happenings: list[Happening]) -> Iterator[Any]:
        viewed: dict[tuple[str, str], list[JobView]] = {}
        for _, record in happenings:
            if isinstance(record, JobView) and record.session_id:
                viewed.setdefault((record.member_id, record.session_id), []).append(record)
        for at, record in happenings:
            if not isinstance(record, JobEvent) or not is_deed(record) or not record.session_id:
                yield record
                continue
            key = (record.member_id, record.session_id)
            if key not in self._lists and isinstance(record, JobView):
                yield from self._list(key, at, [view.job_id for view in viewed[key]])
            request = self._lists.get(key)
            place = None if request is None else self._places.get((request, record.job_id))
            yield record if place is None else msgspec.structs.replace(record, request_id=request)
            if isinstance(record, JobView):
                self._known.append(record.job_id)
        if len(self._lists) > 100_000:  # sessions long over
            self._lists.clear()
            self._places.clear()

    def _list(self, key: tuple[str, str], at: int, viewed: list[str]) -> Iterator[Impression | ImpressionSeen]:
        member, session = key
        request = self._lists[key] = f"list-{member}-{session}"
        jobs = list(dict.fromkeys([*viewed[: PAGE // 2], *reversed(self._known)]))[:PAGE]
        order = self._draw.permutation(len(jobs)).tolist()
        values = self._draw.random((len(jobs), self._width), np.float32)
        items = []
        for place, which in enumerate(order):
            self._places[request, jobs[which]] = place
            items.append(
                ImpressionItem(
                    job_id=jobs[which],
                    position=place,
                    score=0.5,
                    p_check=0.1,
                    propensity=1.0,
                    features=values[place].tobytes(),
                    sources=("covisited",),
                )
            )
        yield Impression(
            request_id=request, member_id=member, served_at=at - 2, surface="home", workflow="jobs@2",
            model_name="job_check", model_version=1, feature_set=FEATURE_SET, items=tuple(items),
        )  # fmt: skip
        seen = tuple(range(min(_SEEN, len(items))))
        yield ImpressionSeen(
            event_id=f"{request}-seen", member_id=member, occurred_at=at - 1, request_id=request, positions=seen
        )


_routes: dict[type, tuple[str, str]] = {}  # topic, and the field that is the key


def encoded(record: Any) -> Record:
    """A record as it is produced."""
    kind = type(record)
    if kind not in _routes:
        _routes[kind] = topic_of(kind.__name__).name, codecs.key_field(kind.__name__) or ""
    topic, field = _routes[kind]
    return Record(topic, getattr(record, field).encode(), codecs.encode(record))
