"""Cold starts of a made-up site, where members differ only in what they have said, and jobs come while the log goes on."""

from random import Random
from typing import Any, cast

import msgspec
import pytest

from streamrec import codecs
from streamrec.events import Event, JobEvent, JobPosting, MemberProfile
from streamrec.settings import Settings
from streamrec.simulator import World
from streamrec.topics import topic_of
from streamrec.training.evaluate import SYSTEM, Evaluation, Evaluator
from streamrec.training.replay import Due

START = 1_750_000_000_000
DAY, SECONDS_AGO = 86_400_000, 5_000
EVENTS, MEMBERS, JOBS = 2000, 900, 300


def due(record: Any, at: int) -> Due:
    kind = type(record).__name__
    return Due(at, topic_of(kind).name, getattr(record, codecs.key_field(kind) or ""), cast(codecs.Message, record))


def reduced(profile: MemberProfile, known: str) -> MemberProfile | None:
    """What a member says that tells everything, its region, or nothing."""
    if known == "nothing":
        return None
    region = MemberProfile(member_id=profile.member_id, region=profile.region, updated_at=profile.updated_at)
    return profile if known == "profile" else region


@pytest.fixture(scope="module")
def result() -> Evaluation:
    """A third of the members has a whole profile, a third a region; a third of the jobs is posted just before its first event."""
    world, draw = World(seed=5, members=MEMBERS, jobs=JOBS, now_ms=START), Random(5)
    postings, profiles = list(world.postings()), list(world.profiles())
    happened = [world.next_event(START + number * 60_000) for number in range(EVENTS)]
    events = [event for event in happened if isinstance(event, Event)]
    first: dict[str, int] = {}
    for event in events:
        if isinstance(event, JobEvent):
            first.setdefault(event.job_id, event.occurred_at)
    postings += [event for event in happened if isinstance(event, JobPosting)]
    log = [due(event, event.occurred_at) for event in events]
    for posting in {posting.job_id: posting for posting in postings[::-1]}.values():
        late = draw.random() < 1 / 3 and posting.job_id in first
        at = first[posting.job_id] - SECONDS_AGO if late else START
        log.append(due(msgspec.structs.replace(posting, posted_at=at if late else START - DAY), at))
    for profile in profiles:
        said = reduced(profile, draw.choice(("profile", "region", "nothing")))
        log += [] if said is None else [due(said, START)]
    evaluator = Evaluator("catalogue", ("popularity",), Settings())
    return evaluator.run(sorted(log, key=lambda item: item.at), lambda *_: None, lambda: False)


@pytest.mark.slow
def test_the_more_a_new_member_has_said_the_better_its_list(result: Evaluation) -> None:
    cells = [result.results[SYSTEM][f"cold_with_{known}"]["whole"] for known in ("profile", "region", "nothing")]
    assert min(cell["queries"] for cell in cells) > 80
    profile, region, nothing = (cell["hr@10"] for cell in cells)
    assert profile > region + 0.15
    assert region > nothing + 0.05
    assert sum(cell["queries"] for cell in cells) == result.results[SYSTEM]["cold_members"]["whole"]["queries"]


@pytest.mark.slow
def test_a_job_posted_seconds_ago_is_found_by_what_it_says(result: Evaluation) -> None:
    # How high it comes is flattered: nothing is posted here that nobody looks at at once. That it is found is not.
    recall = result.recall["new_jobs"]["whole"]
    assert recall["queries"] > 80
    assert recall["recall"] > 0.9
    assert sum(recall["sources"][name]["recall"] for name in ("title", "content") if name in recall["sources"]) > 0.5
    new, popular = (result.results[who]["new_jobs"]["whole"]["hr@10"] for who in (SYSTEM, "popularity"))
    assert new > popular + 0.5
