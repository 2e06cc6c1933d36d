"""Work in progress survives the process, and nothing else is taken for it."""

from pathlib import Path

import pytest

from streamrec.building import checkpoint
from streamrec.building.builder import Builder, Past
from streamrec.building.checkpoint import Span, UnusableCheckpointError, Work
from streamrec.events import Connection, Tombstone
from streamrec.models.passed import Passed, Showings
from streamrec.settings import Settings
from streamrec.stores.positions import Mark
from tests.building.test_builder import IDS, START, history, impression

MARKS = {"job-views/0": Mark("another", 3, 0)}


def work() -> Work:
    return Work(
        "kind", IDS, (4,), 7, 2, [Span("job-views", 0, 0, 50, 100)], rows=9, records=130, unusable={"bad_key": 1}
    )


def test_going_on_from_a_checkpoint_is_as_if_nothing_had_happened(tmp_path: Path) -> None:
    friends = Connection(event_id="c", member_id="m1", other_member_id="m2", occurred_at=START)
    gone = Past(START, "member-profiles", Tombstone("m3"), 0, 0)
    past = [
        *history(),
        Past(START, "connections", friends, 0, 0),
        gone,
        Past(START, "impressions", impression("r1", START + 500_000), 1, 5),
        *history(400)[230:],
    ]
    whole, first = Builder(Settings(), IDS, MARKS), Builder(Settings(), IDS, MARKS)
    for builder in (whole, first):
        builder.passed["m1"] = Passed(1, {"never": Showings(1.0, START)})
    for item in past:
        whole.take(item)
    for item in past[:300]:
        first.take(item)
    path = tmp_path / "made" / "work"
    checkpoint.save(path, work(), first, MARKS)
    found = checkpoint.load(path, "kind", Settings(), 1.0)
    assert found is not None
    again, second, marks = found
    assert (again, marks) == (work(), MARKS)
    for item in past[300:]:
        second.take(item)
    assert (second.members, second.jobs, second.neighbours) == (whole.members, whole.jobs, whole.neighbours)
    assert (second.shown, second.due, second.closed, second.clock) == (
        whole.shown,
        whole.due,
        whole.closed,
        whole.clock,
    )
    assert second.passed == whole.passed != {}
    assert (second.networks, second.erased) == (whole.networks, whole.erased)
    assert second.networks["m1"].acts
    assert second.counts() == whole.counts()
    assert second.model.state() == whole.model.state()


def test_no_file_is_no_work(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "none", "kind", Settings(), 1.0) is None


def spoiled(path: Path, change: str) -> None:
    value = path.read_bytes()
    match change:
        case "format":
            path.write_bytes(b"\x09" + value[1:])
        case "cut short":
            path.write_bytes(value[:-20])
        case "a bit":
            path.write_bytes(value[:200] + bytes([value[200] ^ 1]) + value[201:])
        case "empty":
            path.write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "words"),
    [("format", "another version"), ("cut short", "damaged"), ("a bit", "damaged"), ("empty", "another version")],
)
def test_what_is_not_whole_is_refused_with_what_to_do(tmp_path: Path, change: str, words: str) -> None:
    path = tmp_path / "work"
    checkpoint.save(path, work(), Builder(Settings(), IDS, {}), {})
    spoiled(path, change)
    with pytest.raises(UnusableCheckpointError, match=rf"{words}.*--restart"):
        checkpoint.load(path, "kind", Settings(), 1.0)


def test_other_work_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "work"
    checkpoint.save(path, work(), Builder(Settings(), IDS, {}), {})
    with pytest.raises(UnusableCheckpointError, match="other work"):
        checkpoint.load(path, "another kind", Settings(), 1.0)
