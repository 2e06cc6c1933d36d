"""On the embedded broker: what is missing is created, what is wrong is said, and a recreated topic has another id."""

import uuid

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from streamrec.kafka.admin import Admin, Problem
from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError
from streamrec.kafka.producer import Producer, Record
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings
from streamrec.topics import Topic, load
from tests.brokers import make_topic

Specs = dict[str, Topic]


@pytest.fixture
def settings(broker: Server) -> Settings:
    return Settings(kafka=broker.address, partitions=3)


@pytest.fixture
def specs() -> Specs:
    """The shipped topics under names of this test's own."""
    prefix = uuid.uuid4().hex[:8]
    return {f"{prefix}-{name}": msgspec.structs.replace(spec, name=f"{prefix}-{name}") for name, spec in load().items()}


@pytest.fixture
def client(broker: Server) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.address})


def named(specs: Specs, ending: str) -> str:
    return next(name for name in specs if name.endswith(ending))


@pytest.mark.servers
def test_missing_topics_are_created_once_as_described(settings: Settings, specs: Specs) -> None:
    admin = Admin(settings)
    assert {problem.what for problem in admin.check(specs)} == {"it does not exist"}
    assert sorted(admin.create(specs)) == sorted(specs)
    assert admin.check(specs) == []
    assert admin.create(specs) == []
    found = admin.describe(specs)
    assert {name: (topic.partitions, topic.cleanup) for name, topic in found.items()} == {
        name: (spec.partition_count(3), spec.cleanup) for name, spec in specs.items()
    }


@pytest.mark.servers
def test_only_what_is_missing_is_created(settings: Settings, specs: Specs) -> None:
    views = named(specs, "job-views")
    make_topic(settings.kafka, views, 3)
    assert set(Admin(settings).create(specs)) == set(specs) - {views}


@pytest.mark.servers
def test_unequal_partition_counts_are_named(settings: Settings, specs: Specs) -> None:
    views = named(specs, "job-views")
    make_topic(settings.kafka, views, 2)
    admin = Admin(settings)
    admin.create(specs)
    assert admin.check(specs) == [
        Problem(
            views,
            "it has 2 partitions, not 3 as the other member- and job-keyed topics",
            f"delete {views} and run `streamrec topics create`; what is in it must be produced again",
        )
    ]


@pytest.mark.servers
def test_equal_counts_that_are_not_the_settings_point_at_the_setting(settings: Settings, specs: Specs) -> None:
    Admin(msgspec.structs.replace(settings, partitions=5)).create(specs)
    problems = Admin(settings).check(specs)
    assert {problem.topic for problem in problems} == {
        name for name, spec in specs.items() if spec.partitions == "members"
    }
    assert {problem.what for problem in problems} == {"it has 5 partitions, the setting partitions is 3"}
    assert all(problem.remedy.startswith("set partitions = 5") for problem in problems)


@pytest.mark.servers
def test_a_single_partition_topic_with_more_is_named(settings: Settings, specs: Specs) -> None:
    examples = named(specs, "training-examples")
    make_topic(settings.kafka, examples, 3, **{"cleanup.policy": "compact,delete"})
    admin = Admin(settings)
    admin.create(specs)
    assert [(problem.topic, problem.what) for problem in admin.check(specs)] == [
        (examples, "it has 3 partitions, not 1")
    ]


@pytest.mark.servers
def test_a_wrong_cleanup_policy_is_named(settings: Settings, specs: Specs) -> None:
    postings, profiles = named(specs, "job-postings"), named(specs, "member-profiles")
    make_topic(settings.kafka, postings, 3)
    make_topic(settings.kafka, profiles, 3, **{"cleanup.policy": "compact,delete"})
    admin = Admin(settings)
    admin.create(specs)
    assert [(problem.topic, problem.what) for problem in admin.check(specs)] == [
        (postings, "its cleanup.policy is delete, not compact")
    ]


@pytest.mark.servers
def test_a_topic_created_anew_has_another_id(settings: Settings, client: AdminClient) -> None:
    name = uuid.uuid4().hex
    make_topic(settings.kafka, name, 1)
    admin = Admin(settings)
    first = admin.topic_ids([name])
    assert admin.topic_ids([name]) == Admin(settings).topic_ids([name]) == first
    client.delete_topics([name])[name].result(10)
    make_topic(settings.kafka, name, 1)
    second = admin.topic_ids([name])
    assert second.keys() == first.keys()
    assert second != first
    assert all(second.values())


@pytest.mark.servers
def test_ids_of_topics_that_do_not_exist_are_refused_with_the_remedy(settings: Settings) -> None:
    with pytest.raises(KafkaRefusedError, match="no topic nowhere: run `streamrec topics create`"):
        Admin(settings).topic_ids(["nowhere"])
    assert Admin(settings).describe(["nowhere"]) == {}
    assert Admin(settings).watermarks("nowhere") == {}
    assert "nowhere" not in Admin(settings).partitions()


@pytest.mark.servers
def test_watermarks_are_the_first_offset_and_the_next_one(settings: Settings) -> None:
    name = uuid.uuid4().hex
    make_topic(settings.kafka, name, 2)
    admin = Admin(settings)
    assert admin.watermarks(name) == {0: (0, 0), 1: (0, 0)}
    producer = Producer(settings)
    for number in range(5):
        producer.send_now(Record(name, None, b"x", partition=number % 2))
    producer.flush(10)
    producer.close()
    assert admin.watermarks(name) == {0: (0, 3), 1: (0, 2)}


def test_an_absent_broker_is_an_error_within_the_patience() -> None:
    admin = Admin(Settings(kafka=f"127.0.0.1:{free_port()}"), patience_s=0.3)
    for call in (
        admin.partitions,
        lambda: admin.topic_ids(["a"]),
        lambda: admin.create(load()),
        lambda: admin.watermarks("a"),
    ):
        with pytest.raises(KafkaUnavailableError, match=r"Kafka does not answer at 127\.0\.0\.1"):
            call()


@pytest.mark.servers
def test_what_a_group_has_committed_is_told_and_nothing_of_a_group_that_is_none(
    settings: Settings, specs: Specs
) -> None:
    admin, views = Admin(settings), named(specs, "job-views")
    admin.create({views: specs[views]})
    group = f"group-{views}"
    assert admin.committed(group, [views]) == {}
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": group})
    consumer.commit(offsets=[TopicPartition(views, 1, 17)], asynchronous=False)
    consumer.close()
    assert admin.committed(group, [views, "no-such-topic"]) == {(views, 1): 17}
