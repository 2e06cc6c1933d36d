"""Errors of the client become two exceptions: Kafka is not there, or it refused."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from streamrec.kafka.client import KafkaRefusedError, KafkaUnavailableError, client_config, explained
from streamrec.settings import Settings

SETTINGS = Settings(kafka="kafka:9092")


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT])
def test_no_answer_says_where_it_was_expected(code: int) -> None:
    error = explained(KafkaException(KafkaError(code)), SETTINGS)
    assert isinstance(error, KafkaUnavailableError)
    assert "kafka:9092" in str(error)


def test_a_refusal_says_what_kafka_said() -> None:
    error = explained(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), SETTINGS)
    assert isinstance(error, KafkaRefusedError)
    assert "authorization failed" in str(error)


def test_every_client_has_a_name_and_an_address() -> None:
    config = client_config(SETTINGS, "reader")
    assert (config["bootstrap.servers"], config["client.id"]) == ("kafka:9092", "streamrec-reader")


def test_lost_connections_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    client_config(SETTINGS, "reader")["error_cb"](KafkaError(KafkaError._TRANSPORT))
    assert caplog.messages == ["Kafka: Local: Broker transport failure"]
