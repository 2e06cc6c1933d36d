"""Status says what runs and how far everything is read, also when little of it answers."""

from typing import Any

import pytest
import redis
from confluent_kafka import Producer

from streamrec.kafka.admin import Admin
from streamrec.settings import load as load_settings
from streamrec.stores.keys import Keys
from streamrec.stores.positions import Position, pack
from streamrec.topics import load


@pytest.mark.servers
def test_where_nothing_runs_it_says_so_without_a_traceback(run: Any, run_json: Any, away: dict[str, str]) -> None:
    result = run(away, "status")
    assert result.exit_code == 0
    assert result.output.count("away") == 4
    assert "Kafka does not answer" in " ".join(result.output.split())
    assert "streamrec doctor says what to do" in result.output
    found = run_json(away, "status")
    assert [service["runs"] for service in found["services"]] == [False] * 4
    assert len(found["problems"]) >= 2


@pytest.mark.servers
def test_lag_is_what_the_stored_positions_are_behind_the_logs(
    run: Any, run_json: Any, environ: dict[str, str], client: "redis.Redis"
) -> None:
    admin = Admin(load_settings(environ=environ))
    admin.create(load())
    producer = Producer({"bootstrap.servers": environ["STREAMREC_KAFKA"], "log_level": 0})
    for number in range(5):
        producer.produce("job-views", b"anything", partition=1)
        producer.flush(10)
        if number < 2:
            producer.produce("dead-letters", b"anything", partition=0)
            producer.flush(10)
    topic_id = admin.topic_ids(["job-views"])["job-views"]
    client.hset(Keys("sr", 4).positions("m1"), "job-views", pack(Position(topic_id, 3)))

    found = run_json(environ, "status")
    assert found["problems"] == []
    rows = {row["topic"]: row for row in found["topics"]}
    assert rows["job-views"] == {"topic": "job-views", "read": 3, "lag": 2, "partitions": [0, 2, 0, 0]}
    assert rows["job-postings"]["lag"] == 0
    assert set(rows) == set(load()) - {"dead-letters", "erasures"}  # those that a position is kept for
    assert found["dead_letters"] == 2
    assert found["model"] is None

    text = run(environ, "status").output
    assert "job-views" in text
    assert "dead letters: 2" in text
    assert "model: none yet" in text
