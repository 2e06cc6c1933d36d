"""The shipped topic files are the fixture; broken ones say what is wrong with them."""

from pathlib import Path

import pytest

from streamrec import codecs, topics

VIEWS = (topics.directory() / "job-views.toml").read_text()


def test_every_topic_of_the_issue_is_described() -> None:
    assert set(topics.load()) == {
        "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections", "job-postings",
        "member-profiles", "job-activity", "member-activity", "training-examples", "dead-letters", "impressions",
        "impressions-seen", "erasures",
    }  # fmt: skip


def test_the_groups_of_topics() -> None:
    assert set(topics.MEMBER_TOPICS) == {
        "job-views", "job-saves", "job-likes", "job-applications", "job-dismissals", "connections", "member-profiles",
        "impressions", "impressions-seen", "member-activity",
    }  # fmt: skip
    assert set(topics.JOB_TOPICS) == {"job-postings", "job-activity"}
    assert set(topics.load()) - set(topics.PUBLIC_TOPICS) == {
        "job-activity", "member-activity", "training-examples", "dead-letters", "impressions", "erasures",
    }  # fmt: skip
    assert {topics.JOB_ACTIVITY, topics.MEMBER_ACTIVITY, topics.TRAINING_EXAMPLES, topics.DEAD_LETTERS} <= set(
        topics.load()
    )


def test_every_schema_has_one_topic_and_every_topic_a_schema() -> None:
    assert sorted(topic.schema for topic in topics.load().values()) == sorted(codecs.RECORDS)
    assert topics.topic_of("DeadLetter").name == "dead-letters"
    with pytest.raises(KeyError):
        topics.topic_of("ImpressionItem")


def test_the_key_of_a_topic_is_the_field_that_the_codec_checks() -> None:
    for topic in topics.load().values():
        field = codecs.key_field(topic.schema)
        assert field is None or topic.key == field
        assert topic.internal or topic.keyed_by == str(field).removesuffix("_id")


def test_only_compacted_topics_have_tombstones_and_they_are_kept_forever() -> None:
    compacted = {topic.name for topic in topics.load().values() if topic.cleanup == "compact"}
    assert compacted == {"job-postings", "member-profiles", "erasures"}
    # Tombstones remove an entity or, of the examples, those of a member who was erased; the ledger itself is for good.
    tombstones = {topic.name for topic in topics.load().values() if topic.tombstones}
    assert tombstones == {"job-postings", "member-profiles", "training-examples"}
    assert all(topics.load()[name].retention_ms == -1 for name in compacted)


def test_what_a_member_must_never_be_shown_again_can_be_rebuilt_for_good() -> None:
    for name in ("job-applications", "job-dismissals", "job-saves", "job-likes", "connections"):
        assert topics.load()[name].retention_ms == -1, name


def test_a_dead_letter_has_room_for_the_largest_record() -> None:
    assert topics.load()["dead-letters"].config["max.message.bytes"] == "2097152"
    assert topics.load()["job-views"].config == {"cleanup.policy": "delete", "retention.ms": "31536000000"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('cleanup = "delete"', 'cleanup = "shred"'), "Invalid enum value 'shred'"),
        (('retention = "365d"', 'retention = "a year"'), "retention is 'a year', not such as '30d'"),
        (('partitions = "members"', "partitions = 0"), "partitions must be at least 1"),
        (("tombstones = false", "tombstones = true"), "tombstones need cleanup = 'compact'"),
        (("internal = false\n", ""), "missing required field `internal`"),
        (("internal = false", "intern = false"), "contains unknown field `intern`"),
        (('name = "job-views"', 'name = "views"'), "named 'views', not as its file"),
        (("name = ", "name : "), "line 1"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    broken = tmp_path / "job-views.toml"
    assert change[0] in VIEWS
    broken.write_text(VIEWS.replace(*change))
    with pytest.raises(topics.TopicError, match=message) as caught:
        topics.load(tmp_path)
    assert str(broken) in str(caught.value)


def test_an_empty_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(topics.TopicError, match="no topic is described"):
        topics.load(tmp_path)
