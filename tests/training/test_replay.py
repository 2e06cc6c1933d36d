"""From a log in files to the records that its events would have been."""

from pathlib import Path

import pytest

from streamrec import codecs
from streamrec.codecs import Message
from streamrec.events import (
    Connection,
    Event,
    JobApplication,
    JobDismissal,
    JobLike,
    JobPosting,
    JobSave,
    JobView,
    MemberProfile,
)
from streamrec.training.replay import Due, Replay, first_events
from streamrec.training.rows import BadRow, FileError


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def log_of(tmp_path: Path, *rows: str, header: str = "ts,user_id,item_id,event", name: str = "log.csv") -> Path:
    return _write(tmp_path / name, "\n".join((header, *rows)) + "\n")


def events_of(items: Replay | list[Due | BadRow]) -> list[Message]:
    return [item.event for item in items if isinstance(item, Due)]


def ids_of(replay: Replay) -> list[str]:
    return [event.event_id for event in events_of(replay) if isinstance(event, Event)]


def bad_of(replay: Replay) -> list[BadRow]:
    return [item for item in replay if isinstance(item, BadRow)]


def test_a_row_becomes_the_event_that_it_names_at_its_time(tmp_path: Path) -> None:
    [item] = Replay(log_of(tmp_path, "1415272551,7,42,view"))
    assert isinstance(item, Due)
    assert (item.at, item.topic, item.key) == (1415272551000, "job-views", "7")
    assert isinstance(item.event, JobView)
    assert (item.event.member_id, item.event.job_id, item.event.occurred_at) == ("7", "42", 1415272551000)
    assert codecs.decode("JobView", codecs.encode(item.event)) == item.event


@pytest.mark.parametrize(
    ("names", "topic", "record"),
    [
        ("view click View", "job-views", JobView),
        ("like comment", "job-likes", JobLike),
        ("save bookmark follow", "job-saves", JobSave),
        ("apply application reply", "job-applications", JobApplication),
        ("dismiss delete", "job-dismissals", JobDismissal),
    ],
)
def test_the_usual_event_names_are_known(tmp_path: Path, names: str, topic: str, record: type) -> None:
    for name in names.split():
        [item] = Replay(log_of(tmp_path, f"5,m,j,{name}"))
        assert isinstance(item, Due)
        assert item.topic == topic
        assert type(item.event) is record


def test_event_names_can_be_mapped_or_ignored(tmp_path: Path) -> None:
    log = log_of(tmp_path, "5,m,j,Purchase", "6,m,j,view", "7,m,other,befriend", "8,m,j,ping")
    replay = Replay(log, event_names={"purchase": "job-applications", "view": "ignore", "befriend": "connections"})
    application, connection = events_of(items := list(replay))
    assert isinstance(application, JobApplication)
    assert isinstance(connection, Connection)
    assert connection.other_member_id == "other"
    assert replay.ignored == 1
    [bad] = (item for item in items if isinstance(item, BadRow))
    assert (bad.line, bad.reason) == (5, "unknown_event")
    assert "'ping' has no topic: give it one with --map NAME=TOPIC" in bad.detail


def test_a_mapping_to_no_topic_of_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="buy cannot be mapped to 'job-postings'"):
        Replay(log_of(tmp_path), event_names={"buy": "job-postings"})


def test_further_columns_are_fields_where_the_record_has_them(tmp_path: Path) -> None:
    header = "ts,user_id,item_id,event,session_id,position,dwell_ms,request_id,saved,colour"
    replay = Replay(log_of(tmp_path, "5,m,j,view,s1,3,1500,r1,,", "6,m,j,save,s1,3,,,false,red", header=header))
    view, save = events_of(replay)
    assert isinstance(view, JobView)
    assert (view.session_id, view.position, view.dwell_ms, view.request_id) == ("s1", 3, 1500, "r1")
    assert isinstance(save, JobSave)
    assert not save.saved
    assert replay.warnings == ["log.csv: nothing is known of the column colour: left out"]


def test_bad_rows_are_told_with_their_lines_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = (
        "soon,m,j,view",
        "5,,j,view",
        "5,m,,view",
        ",m,j,view",
        "-5,m,j,view",
        "5,m,j",
        "9999999999,m,j,view",
        "6,m,j,view",
    )
    replay = Replay(log_of(tmp_path, *rows), now_ms=1_750_000_000_000, skew_ms=1000)
    assert [(bad.line, bad.reason) for bad in bad_of(replay)] == [
        (2, "bad_value"), (3, "missing_field"), (4, "missing_field"), (5, "missing_field"), (6, "bad_time"),
        (7, "cell_count"), (8, "bad_time"),
    ]  # fmt: skip
    assert len(events_of(replay)) == 1
    assert str(bad_of(replay)[1]) == "log.csv:3: missing_field: user_id is empty"


def test_the_same_rows_make_the_same_ids_whatever_the_file_is_called_and_has_besides(tmp_path: Path) -> None:
    one = log_of(tmp_path, "5,m,j,view", "5,m,j,view", "6,m,j,view", "6,m,j,save")
    other = log_of(tmp_path, "view,x,m,5.0,j", "view,y,m,1970-01-01T00:00:05Z,j", "click,z,m,6,j", "save,z,m,6,j",
                   header="event,colour,member_id,occurred_at,job_id", name="other.csv")  # fmt: skip
    ids = ids_of(Replay(one))
    assert ids == ids_of(Replay(one)) == ids_of(Replay(other))
    assert len(set(ids)) == 4  # equal rows are events of their own


def test_ids_are_never_those_of_other_events(tmp_path: Path) -> None:
    rows = [
        f"{ts},{member},{job},{name}"
        for ts in (5, 6)
        for member in ("a", "ab")
        for job in ("b", "bb")
        for name in ("view", "like")
    ]
    assert len(set(ids_of(Replay(log_of(tmp_path, *rows))))) == len(rows)
    [given] = ids_of(Replay(log_of(tmp_path, "5,m,j,view,mine", header="ts,user_id,item_id,event,event_id")))
    assert given == "mine"


def test_the_catalogue_comes_first_and_later_postings_at_their_time(tmp_path: Path) -> None:
    log = log_of(tmp_path, "100,m,1,view", "200,m,2,view")
    catalogue = _write(
        tmp_path / "jobs.csv",
        "item_id,title,state,skills,remote,salary_min,posted_at,position\n"
        "1,Cook,OH,grill|menu,true,41000.5,,x\n2,Nurse,,,,,150,x\n3,,,,,,,\n4,Baker,,,maybe,,,\n",
    )
    replay = Replay(log, catalogue)
    assert replay.warnings == ["jobs.csv: nothing is known of the column position: left out"]
    items = list(replay)
    order = [(item.at, type(item.event).__name__) for item in items if isinstance(item, Due)]
    assert order == [(100_000, "JobPosting"), (100_000, "JobView"), (150_000, "JobPosting"), (200_000, "JobView")]
    assert events_of(items)[0] == JobPosting(
        job_id="1", title="Cook", region="OH", skills=("grill", "menu"), remote=True, salary_min=41000.5
    )
    assert [(bad.file, bad.line, bad.reason) for bad in items if isinstance(bad, BadRow)] == [
        ("jobs.csv", 4, "missing_field"), ("jobs.csv", 5, "bad_value"),
    ]  # fmt: skip


def test_rows_of_one_member_are_merged_as_they_become_known(tmp_path: Path) -> None:
    log = log_of(tmp_path, "100,m,1,view", "200,m,2,view")
    members = _write(
        tmp_path / "members.csv",
        'user_id,position_of_interest,created_ts,city\nm,"Cook, part time",150,Lowell\n'
        "m,Waiter,50,Boston\nm,Waiter,160,\nn,Nurse,10,\n,Ghost,10,\n",
    )
    items = list(Replay(log, members=members))
    profiles = [
        (item.at, item.event) for item in items if isinstance(item, Due) and isinstance(item.event, MemberProfile)
    ]
    assert [
        (at, profile.member_id, profile.desired_titles, profile.city, profile.updated_at) for at, profile in profiles
    ] == [
        (100_000, "n", ("Nurse",), None, 10_000),
        (100_000, "m", ("Waiter",), "Boston", 50_000),
        (150_000, "m", ("Waiter", "Cook, part time"), "Lowell", 150_000),
        (160_000, "m", ("Waiter", "Cook, part time"), "Lowell", 160_000),
    ]
    assert [(bad.line, bad.reason) for bad in items if isinstance(bad, BadRow)] == [(6, "missing_field")]


def test_members_without_times_are_as_they_are_since_the_log_begins(tmp_path: Path) -> None:
    members = _write(tmp_path / "members.csv", "member_id,skills\nm,a;b\n")
    [profile, _] = events_of(Replay(log_of(tmp_path, "100,m,1,view"), members=members))
    assert profile == MemberProfile(member_id="m", skills=("a", "b"), updated_at=100_000)


def test_a_log_out_of_order_is_replayed_whole(tmp_path: Path) -> None:
    rows = [f"{ts},m,j{ts},view" for ts in (300, 100, 200, 50)]
    catalogue = _write(tmp_path / "jobs.csv", "item_id,title,posted_at\n1,Cook,150\n2,Nurse,900\n")
    assert len(events_of(Replay(log_of(tmp_path, *rows), catalogue))) == 6


def test_columns_can_be_renamed(tmp_path: Path) -> None:
    log = log_of(tmp_path, "5,m,j,view", header="when,who,what,did")
    names = {"ts": "when", "user_id": "who", "item_id": "what", "event": "did"}
    assert len(events_of(Replay(log, columns=names))) == 1
    with pytest.raises(FileError, match="no column day, which ts was said to be, in any of the files"):
        Replay(log_of(tmp_path, name="other.csv"), columns={"ts": "day"})
    with pytest.raises(FileError, match="no column ts, user_id, item_id, event"):
        Replay(log)


def test_progress_ends_at_one(tmp_path: Path) -> None:
    replay = Replay(log_of(tmp_path, *(f"{ts},m,j,view" for ts in range(1, 5000))))
    assert replay.progress == 0
    list(replay)
    assert replay.progress == 1


def test_a_log_is_cut_after_so_many_events() -> None:
    posting = Due(1, "job-postings", "j", JobPosting(job_id="j", title="Cook"))
    view = Due(2, "job-views", "m", JobView(event_id="e", member_id="m", job_id="j", occurred_at=2))
    log = [posting, view, posting, view, posting]
    assert first_events(log, 1) == [posting, view]
    assert first_events(log, 2) == first_events(log, 3) == first_events(log, None) == log


def test_a_log_is_cut_at_its_event_of_that_number() -> None:
    view = Due(2, "job-views", "m", JobView(event_id="e", member_id="m", job_id="j", occurred_at=2))
    assert first_events([view, view, view], 2) == [view, view]
