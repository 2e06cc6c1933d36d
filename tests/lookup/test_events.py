import time
from typing import Any

import httpx
import pytest

from streamrec import topics
from streamrec.kafka.admin import Admin
from streamrec.kafka.subjects import schema_text
from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.lookup.tokens import decode
from streamrec.partitioner import partition_of
from streamrec.settings import Settings
from streamrec.stores.base import Store
from streamrec.stores.keys import Keys
from streamrec.stores.memory import MemoryStore

from .conftest import NOW

pytestmark = pytest.mark.anyio
VIEW = {"type": "JobView", "event_id": "e1", "member_id": "anna", "job_id": "n1", "occurred_at": NOW}


@pytest.fixture
def store(settings: Settings) -> Store:
    return MemoryStore(Keys(settings.namespace, settings.partitions))


async def send(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    return await client.post("/v1/events", json=body)


class TestRejected:
    """Events that cannot be used never reach Kafka: these tests have none."""

    @pytest.mark.parametrize(
        ("event", "reason", "said"),
        [
            (7, "bad_value", "object"),
            ({}, "unknown_schema", "type"),
            ({**VIEW, "type": "JobGlance"}, "unknown_schema", "JobView"),
            ({**VIEW, "type": ["JobView"]}, "unknown_schema", "JobView"),
            ({**VIEW, "type": None, "topic": "job-activity"}, "unknown_schema", "job-views"),
            ({**VIEW, "topic": "job-saves"}, "unknown_schema", "goes to job-views"),
            ({**VIEW, "member_id": ""}, "bad_id", "member_id"),
            ({**VIEW, "event_id": ""}, "bad_id", "event_id"),
            ({**VIEW, "event_id": 5}, "bad_value", "event_id"),
            ({**VIEW, "job_id": "x" * 513}, "bad_id", "job_id"),
            ({**VIEW, "occurred_at": NOW + 2 * 86_400_000}, "bad_time", "future"),
            ({**VIEW, "occurred_at": "yesterday"}, "bad_time", "RFC 3339"),
            ({**VIEW, "saved": True}, "unknown_field", "saved"),
            ({"type": "JobView", "member_id": "anna"}, "missing_field", "job_id"),
            ({"type": "JobPosting", "job_id": "n1"}, "missing_field", "title"),
            ({"type": "ImpressionSeen", "member_id": "a", "positions": [0]}, "missing_field", "request_id"),
            (
                {"type": "ImpressionSeen", "member_id": "a", "request_id": "r", "positions": [-1]},
                "bad_value",
                "below 0",
            ),
            ({"type": "Impression", "member_id": "a", "request_id": "r"}, "unknown_schema", "ImpressionSeen"),
            ({"type": "Connection", "member_id": "a", "other_member_id": "a"}, "bad_value", "itself"),
        ],
    )
    async def test_the_reason_is_said(self, client: httpx.AsyncClient, event: Any, reason: str, said: str) -> None:
        response = await send(client, {"events": [event]})
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert body["type"] == "urn:streamrec:problem:events-rejected"
        (result,) = body["results"]
        assert (result["status"], result["reason"]) == ("rejected", reason)
        assert said in result["detail"]
        assert "token" not in result

    @pytest.mark.parametrize(
        "body",
        [[], 5, "JobView", {"events": []}, {"events": {}}, {"events": [VIEW], "more": 1}, {"events": [VIEW] * 1001}],
    )
    async def test_a_body_that_is_neither_one_event_nor_many(self, client: httpx.AsyncClient, body: Any) -> None:
        response = await send(client, body)
        assert response.status_code == 422
        assert response.json()["type"] == "urn:streamrec:problem:invalid-body"


@pytest.mark.servers
class TestAccepted:
    """Events on the embedded broker."""

    @pytest.fixture
    def settings(self, broker: Server) -> Settings:
        settings = Settings(namespace="lookup-events", kafka=broker.address, produce_timeout_s=10.0)
        Admin(settings).create(topics.load())
        return settings

    async def test_one_event_is_in_kafka_where_the_token_says(
        self, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        response = await send(client, VIEW)
        assert response.status_code == 200, response.text
        (result,) = response.json()["results"]
        assert (result["event_id"], result["status"]) == ("e1", "accepted")
        token = decode(result["token"])
        assert (token.topic, token.partition) == ("job-views", partition_of("anna", settings.partitions))
        assert token.topic_id == Admin(settings).topic_ids(["job-views"])["job-views"]
        _, next_offset = Admin(settings).watermarks("job-views")[token.partition]
        assert token.offset == next_offset - 1
        again = decode((await send(client, VIEW)).json()["results"][0]["token"])
        assert again.offset == token.offset + 1

    async def test_what_is_left_out_is_filled_in(self, client: httpx.AsyncClient) -> None:
        body = {"events": [
            {"topic": "job-views", "member_id": "anna", "job_id": "n1"},
            {"type": "MemberProfile", "member_id": "anna", "headline": "Nurse"},
            {"type": "JobPosting", "job_id": "n99", "title": "Nurse"},
            {"topic": "impressions-seen", "member_id": "anna", "request_id": "r1", "positions": [0, 1, 2]},
        ]}  # fmt: skip
        response = await send(client, body)
        assert response.status_code == 200, response.text
        view, profile, posting, seen = response.json()["results"]
        assert len(view["event_id"]) == len(seen["event_id"]) == 36
        assert profile["event_id"] is None
        assert [decode(result["token"]).topic for result in (view, profile, posting, seen)] == [
            "job-views", "member-profiles", "job-postings", "impressions-seen",
        ]  # fmt: skip

    async def test_of_many_events_each_has_its_own_result_in_order(self, client: httpx.AsyncClient) -> None:
        events = [{**VIEW, "event_id": f"e{number}", "member_id": f"m{number}"} for number in range(200)]
        events[50] = {**VIEW, "member_id": ""}
        response = await send(client, {"events": events})
        assert response.status_code == 207
        results = response.json()["results"]
        assert [result["status"] for result in results] == ["accepted"] * 50 + ["rejected"] + ["accepted"] * 149
        assert [result["event_id"] for result in results[:3]] == ["e0", "e1", "e2"]

    async def test_what_was_produced_is_what_was_sent(self, client: httpx.AsyncClient, settings: Settings) -> None:
        from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415

        from streamrec import codecs  # noqa: PLC0415

        event = {
            **VIEW,
            "event_id": "exact",
            "occurred_at": "2025-10-09T08:53:20+00:00",
            "position": 3,
            "surface": "home",
        }
        token = decode((await send(client, event)).json()["results"][0]["token"])
        consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "none", "enable.auto.commit": False})
        consumer.assign([TopicPartition(token.topic, token.partition, token.offset)])
        deadline = time.monotonic() + 10
        while (message := consumer.poll(0.2)) is None or message.error():
            assert time.monotonic() < deadline
        consumer.close()
        found: Any = codecs.decode_record("JobView", message.key(), message.value(), NOW, 86_400_000)
        assert codecs.to_json(found) == {
            "event_id": "exact", "member_id": "anna", "job_id": "n1", "occurred_at": NOW, "position": 3, "surface": "home",
        }  # fmt: skip
        assert message.offset() == token.offset


@pytest.mark.servers
class TestWithoutKafka:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(namespace="lookup-no-kafka", kafka=f"127.0.0.1:{free_port()}", produce_timeout_s=1.0)

    async def test_events_fail_within_the_time_that_the_setting_gives(self, client: httpx.AsyncClient) -> None:
        began = time.monotonic()
        response = await send(client, {"events": [VIEW, {**VIEW, "member_id": ""}]})
        assert time.monotonic() - began < 2.5
        assert response.status_code == 503
        assert response.headers["retry-after"]
        body = response.json()
        assert body["type"] == "urn:streamrec:problem:kafka-unavailable"
        assert [result["status"] for result in body["results"]] == ["failed", "rejected"]
        assert body["results"][0]["event_id"] == "e1"
        assert (await client.get("/v1/members/anna/recommendations")).status_code == 200


@pytest.mark.servers
class TestWithARegistry:
    """Events in the Confluent wire format need the ids of the schemas first."""

    @pytest.fixture
    def settings(self, broker: Server, registry_server: Any) -> Settings:
        settings = Settings(
            namespace="lookup-registry", kafka=broker.address, framing="confluent", schema_registry=registry_server.url,
            registry_timeout_s=1.0,
        )  # fmt: skip
        Admin(settings).create(topics.load())
        return settings

    async def test_events_fail_with_the_reason_until_the_schema_is_registered(
        self, client: httpx.AsyncClient, registry_server: Any
    ) -> None:
        registry_server.stop()
        away = await send(client, VIEW)
        registry_server.start()
        missing = await send(client, VIEW)
        for response, says in ((away, "does not answer"), (missing, "run `streamrec schemas register`")):
            assert response.status_code == 503
            (result,) = response.json()["results"]
            assert (result["status"], result["reason"]) == ("failed", "no_schema")
            assert says in result["detail"]
        registry_server.add("job-views-value", schema_text("JobView"))
        assert (await send(client, VIEW)).status_code == 200
        registry_server.stop()
        assert (await send(client, VIEW)).status_code == 200, "an id that is known needs no registry"
