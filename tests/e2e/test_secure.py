"""The whole system over TLS with logins: Apache Kafka with SASL/SCRAM, Redis with a user; and what is said when that fails."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.client import AIOKafkaClient
from click.testing import CliRunner
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from streamrec.agents.security import credentials
from streamrec.cli import cli
from streamrec.kafka.admin import Admin
from streamrec.kafka.client import KafkaUnavailableError
from streamrec.local import kafka, servers
from streamrec.local.servers import Server, ServerError, start_redis
from streamrec.settings import Settings, environ_of
from tests.e2e.conftest import System
from tests.e2e.judging import POSTINGS, Log
from tests.secure_servers import MECHANISMS, PASSWORD, USER, SecureKafka, SecureRedis

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.kafka]


@pytest.fixture(scope="module")
def secure_kafka(
    tmp_path_factory: pytest.TempPathFactory, kafka_installed: kafka.Installation
) -> Iterator[SecureKafka]:
    made = SecureKafka(Path(tmp_path_factory.mktemp("secure-kafka")), kafka_installed)
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, secure_kafka: SecureKafka) -> Iterator[dict[str, Any]]:
    """Settings of both; where this machine's Redis knows no TLS, one with a password only."""
    directory = Path(tmp_path_factory.mktemp("secure-redis"))
    made = secure_kafka.certificates
    password = directory / "kafka-password"
    password.write_text(f"{PASSWORD}\n")
    server: Server
    try:
        keeper = SecureRedis(directory, f"user {USER} on >{PASSWORD} ~* +@all")
        server, ours = keeper.server, keeper.certificates
        redis: dict[str, Any] = {
            "redis": keeper.url, "redis_ca_file": str(ours.authority), "redis_certificate_file": str(ours.client),
            "redis_key_file": str(ours.client_key), "redis_username": USER,
        }  # fmt: skip
    except ServerError:
        server = start_redis(directory, options=("--requirepass", PASSWORD))
        redis = {"redis": f"redis://{server.address}/0"}
    yield redis | {
        "redis_password_file": str(password), "kafka": secure_kafka.server.address, "kafka_security_protocol": "SASL_SSL",
        "kafka_username": USER, "kafka_password_file": str(password), "kafka_ca_file": str(made.authority),
    }  # fmt: skip
    server.stop()


@pytest.fixture
def settings(secure: dict[str, Any]) -> Settings:
    return msgspec.structs.replace(Settings(), **secure)


def test_worker_trainer_and_lookup_work_and_no_secret_is_told(tmp_path: Path, secure: dict[str, Any]) -> None:
    system = System(tmp_path, servers.start_broker, **secure)
    try:
        log = Log(seed=8)
        system.produce(("job-postings", posting) for posting in POSTINGS)
        system.start_all()
        system.settle(trainer=False)  # what is learned of views needs the jobs
        system.produce(log.more(200))
        view = {"type": "JobView", "member_id": "by-http", "job_id": POSTINGS[0].job_id}
        posted = system.http.post("/v1/events", json={"events": [view]})
        assert posted.status_code in (200, 202), posted.text
        system.settle()
        system.wait(lambda: system.recommendations("nobody")["model"] is not None, "a list by the model", 10)
        result = CliRunner().invoke(cli, ["doctor", "--json"], env=environ_of(system.settings), catch_exceptions=False)
        assert json.loads(result.stdout)["broken"] == 0, result.stdout
        status = CliRunner().invoke(cli, ["status", "--json"], env=environ_of(system.settings), catch_exceptions=False)
        assert json.loads(status.stdout)["problems"] == []
        assert system.client.get(system.keys.member("by-http")) is not None
        for said in (result.output, status.output, repr(system.settings), *(each.said for each in system.processes)):
            assert PASSWORD not in said
        wrong = msgspec.structs.replace(system.settings, kafka_password="guessed", kafka_password_file=None)
        system.settings = wrong
        refused = system.start("worker")
        assert refused.wait(30) == 1
        assert "does not let us log in with SCRAM-SHA-512" in refused.said
        assert "guessed" not in refused.said
    finally:
        system.close()


async def joins(settings: Settings) -> bool:
    """Whether Faust's driver gets the topics of Kafka with these settings."""
    auth = credentials_to_aiokafka_auth(credentials(settings))
    client = AIOKafkaClient(bootstrap_servers=settings.kafka, **auth)
    await client.bootstrap()
    await client.close()
    await asyncio.sleep(0.05)  # the good-byes of TLS: asyncio complains of a loop that ends without them
    return True


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_is_spoken_by_both_clients(settings: Settings, mechanism: str) -> None:
    chosen = msgspec.structs.replace(settings, kafka_sasl_mechanism=mechanism)
    Admin(chosen).partitions()
    assert asyncio.run(joins(chosen))


def test_a_certificate_is_as_good_as_a_login(settings: Settings, secure_kafka: SecureKafka) -> None:
    made = secure_kafka.certificates
    mutual = msgspec.structs.replace(
        settings, kafka=secure_kafka.mutual, kafka_security_protocol="SSL", kafka_username=None, kafka_password_file=None,
        kafka_certificate_file=str(made.client), kafka_key_file=str(made.client_key),
    )  # fmt: skip
    Admin(mutual).partitions()
    assert asyncio.run(joins(mutual))
    without = msgspec.structs.replace(mutual, kafka_certificate_file=None, kafka_key_file=None)
    with pytest.raises(KafkaUnavailableError, match="kafka_certificate_file and kafka_key_file"):
        Admin(without, patience_s=2).partitions()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kafka_password": "guessed", "kafka_password_file": None}, "does not let us log in .*correct kafka_username"),
        ({"kafka_username": "nobody"}, "does not let us log in with SCRAM-SHA-512"),
        ({"kafka_ca_file": "other"}, "shows a certificate that is not trusted .*let kafka_ca_file name the authority"),
        ({"kafka_security_protocol": "PLAINTEXT"}, "does it speak PLAINTEXT there"),
        ({"kafka_security_protocol": "SASL_PLAINTEXT"}, "does it speak SASL_PLAINTEXT there"),
        ({"kafka_security_protocol": "SSL"}, "does it speak SSL there"),
        (
            {"kafka": "plain"},
            "speaks another protocol on this port .*correct kafka_security_protocol, which is SASL_SSL",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    settings: Settings, secure_kafka: SecureKafka, wrong: dict[str, Any], said: str
) -> None:
    if "kafka_ca_file" in wrong:
        wrong = {"kafka_ca_file": str(secure_kafka.certificates.other)}
    if "kafka" in wrong:
        wrong = {"kafka": secure_kafka.plain}
    spoilt = msgspec.structs.replace(settings, **wrong)
    with pytest.raises(KafkaUnavailableError) as caught:
        Admin(spoilt, patience_s=2).partitions()
    assert re.search(said, str(caught.value)), str(caught.value)
    assert "guessed" not in str(caught.value)
