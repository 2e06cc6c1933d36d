"""A world in files, read again by the replay."""

import gzip
from pathlib import Path

import pytest

from streamrec.events import JobEvent, JobPosting, MemberProfile
from streamrec.simulator import World
from streamrec.simulator.files import CONNECT, FileOutlet
from streamrec.simulator.simulation import Limits, Run, simulate
from streamrec.training.replay import Due, Replay

NOW = 1_736_121_600_000
DAY_MS = 86_400_000


def written(log: Path, seed: int = 3) -> FileOutlet:
    world = World(seed, members=80, jobs=60, now_ms=NOW)
    with FileOutlet(log) as outlet:
        simulate(Run(world, outlet, Limits(duration_ms=5 * DAY_MS), lambda _: False, lambda *_: None))
    return outlet


def test_a_replay_reads_back_what_happened(tmp_path: Path) -> None:
    names = written(tmp_path / "log.csv.gz").names
    world = World(3, members=80, jobs=60, now_ms=NOW)
    postings, profiles = world.postings(), world.profiles()
    records = [record for _, record in world.advance(NOW + 5 * DAY_MS)]
    replay = Replay(names.log, names.jobs, names.members)
    assert replay.warnings == []
    items = list(replay)
    assert all(isinstance(item, Due) for item in items)
    read = [item.event for item in items if isinstance(item, Due)]
    assert [event for event in read if isinstance(event, JobEvent)] == [
        record for record in records if isinstance(record, JobEvent)
    ]
    opened = [*postings, *(one for one in records if isinstance(one, JobPosting) and not one.closed)]
    told = {posting.job_id: posting for posting in read if isinstance(posting, JobPosting)}
    assert set(told) == {posting.job_id for posting in opened}
    for posting in opened:
        assert told[posting.job_id].title == posting.title
        assert told[posting.job_id].skills == posting.skills
        assert told[posting.job_id].expires_at == posting.expires_at
    first: dict[str, MemberProfile] = {}
    for profile in read:
        if isinstance(profile, MemberProfile):
            first.setdefault(profile.member_id, profile)
    assert first == {profile.member_id: profile for profile in profiles}


def test_connections_have_a_file_that_can_be_replayed_too(tmp_path: Path) -> None:
    names = written(tmp_path / "log.csv.gz").names
    items = list(Replay(names.connections, event_names={CONNECT: "connections"}))
    world = World(3, members=80, jobs=60, now_ms=NOW)
    assert [item.event for item in items if isinstance(item, Due)][: len(world.graph.initial)] == world.connections()


def test_the_same_world_makes_the_same_bytes(tmp_path: Path) -> None:
    one, same, other = (
        written(tmp_path / name, seed) for name, seed in (("a.csv.gz", 3), ("b.csv.gz", 3), ("c.csv.gz", 4))
    )
    for field in ("log", "jobs", "members", "connections"):
        assert getattr(one.names, field).read_bytes() == getattr(same.names, field).read_bytes()
    assert one.names.log.read_bytes() != other.names.log.read_bytes()


def test_a_name_without_gz_is_a_plain_file(tmp_path: Path) -> None:
    names = written(tmp_path / "log.csv").names
    assert names.jobs.name == "log-jobs.csv"
    gzipped = written(tmp_path / "log.csv.gz").names
    assert gzip.decompress(gzipped.log.read_bytes()) == names.log.read_bytes()


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FileOutlet(tmp_path / "nowhere" / "log.csv")
