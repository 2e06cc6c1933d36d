"""What `ops/compose.yaml` runs fits the code: settings, commands, ports, what Prometheus scrapes, and the version of Kafka.

No container is started: there may be no Docker here.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command, Group
from confluent_kafka.admin import AdminClient

import streamrec
from streamrec import settings
from streamrec.cli import cli
from streamrec.local.jars import kafka_version
from streamrec.local.kafka import Installation, start_kafka
from streamrec.local.prometheus import PORT
from streamrec.settings import Settings

OPS = Path(streamrec.__file__).parent.parent / "ops"
COMPOSE: dict[str, Any] = yaml.safe_load((OPS / "compose.yaml").read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((OPS / "prometheus.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "streamrec:local"}


def loaded(service: dict[str, Any]) -> Settings:
    """What the processes of a service are set up with."""
    return settings.load(environ=service["environment"])


def test_all_that_a_site_needs_is_there() -> None:
    assert set(SERVICES) == {
        "kafka",
        "redis",
        "topics",
        "worker",
        "trainer",
        "lookup",
        "probe",
        "prometheus",
        "grafana",
        "grafana-demo",
    }
    assert SERVICES["grafana-demo"]["profiles"], "it starts by name only"
    assert set(OURS) == {"topics", "worker", "trainer", "lookup", "probe"}


def test_every_setting_is_known_and_leads_to_a_service() -> None:
    for name, service in OURS.items():
        known = {f"STREAMREC_{field.upper()}" for field in Settings.__struct_fields__}
        assert set(service["environment"]) <= known, name
        ours = loaded(service)
        assert ours.kafka.split(":")[0] in SERVICES
        assert ours.redis == "redis://redis:6379/0"
        assert ours.probe_url == f"http://lookup:{ours.lookup_port}"
        assert (ours.metrics_host, ours.lookup_host) == ("0.0.0.0", "0.0.0.0"), "others reach it"


def test_every_command_exists() -> None:
    for service in OURS.values():
        found: Command | None = cli
        for word in service["command"]:
            assert isinstance(found, Group)
            found = found.get_command(None, word)  # type: ignore[arg-type]
        assert found is not None
        assert not isinstance(found, Group)


def test_prometheus_scrapes_every_process_where_it_listens() -> None:
    scraped = set()
    for job in PROMETHEUS["scrape_configs"]:
        for found in job.get("static_configs", ()):
            scraped |= {tuple(target.rsplit(":", 1)) for target in found["targets"]}
        for found in job.get("dns_sd_configs", ()):
            scraped |= {(name, str(found["port"])) for name in found["names"]}
    ours = loaded(OURS["worker"])
    assert scraped == {
        ("worker", str(ours.worker_metrics_port)), ("trainer", str(ours.trainer_metrics_port)),
        ("lookup", str(ours.lookup_port)), ("probe", str(ours.probe_metrics_port)), ("127.0.0.1", "9090"),
    }  # fmt: skip


def test_health_is_asked_for_where_it_is_answered() -> None:
    ours = loaded(OURS["worker"])
    urls = {name: re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", " ".join(OURS[name]["healthcheck"]["test"]))
            for name in ("worker", "trainer", "lookup", "probe")}  # fmt: skip
    assert urls == {
        "worker": [(str(ours.worker_metrics_port), "/metrics")], "trainer": [(str(ours.trainer_metrics_port), "/metrics")],
        "lookup": [(str(ours.lookup_port), "/health/ready")], "probe": [(str(ours.probe_metrics_port), "/metrics")],
    }  # fmt: skip


def test_processes_have_the_time_that_they_take_to_stop() -> None:
    for service in OURS.values():
        ours, given = loaded(service), float(service["stop_grace_period"].removesuffix("s"))
        assert given >= ours.drain_timeout_s + ours.lookup_drain_s + 5  # README, "For operators"


def test_images_are_pinned_and_kafka_is_the_one_that_the_tests_run_on() -> None:
    for service in SERVICES.values():
        name, _, tag = service["image"].partition(":")
        assert name == "streamrec" or re.match(r"v?\d+\.\d+\.\d+", tag), service["image"]
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_what_is_waited_for_can_come() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], other
            else:
                assert (wanted["condition"], SERVICES[other]["restart"]) == (
                    "service_completed_successfully", "on-failure",
                )  # fmt: skip


def test_only_the_loopback_interface_is_opened() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            host, outside, inside = port.split(":")
            assert (host, outside) == ("127.0.0.1", inside)


def test_the_demos_grafana_uses_the_network_of_the_machine_on_the_loopback_interface_only() -> None:
    demo = SERVICES["grafana-demo"]
    assert (demo["network_mode"], demo["environment"]["GF_SERVER_HTTP_ADDR"]) == ("host", "127.0.0.1")
    assert demo["environment"]["PROMETHEUS_URL"] == f"${{PROMETHEUS_URL:-http://127.0.0.1:{PORT}}}"


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (OPS / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume


def test_what_the_image_is_built_from_is_there_and_not_ignored() -> None:
    context, dockerfile = OPS.parent, OPS / "Dockerfile"
    kept = {line[1:] for line in (OPS / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [shlex.split(line)[1:-1] for line in dockerfile.read_text().splitlines() if line.startswith("COPY ")]
    sources = {source for line in copied for source in line if not source.startswith(("--", "/"))}
    assert sources == kept
    assert all((context / source).exists() for source in sources)


@pytest.mark.servers
@pytest.mark.kafka
def test_kafka_takes_the_settings_of_its_container(tmp_path: Path, kafka_installed: Installation) -> None:
    """All but those that say where it is: names that it does not know it would only warn of."""
    environ = SERVICES["kafka"]["environment"]
    properties = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in environ.items()}
    own = ("process", "node", "controller", "listener", "advertised", "inter", "log.dirs")
    wanted = {name: value for name, value in properties.items() if not name.startswith(own)}
    assert len(wanted) >= 6
    with start_kafka(tmp_path, kafka_installed, changes=wanted) as server:
        assert AdminClient({"bootstrap.servers": server.address}).list_topics(timeout=10).brokers
        said = server.log.read_text()
    assert "were supplied but are not used" not in said
    for name, value in wanted.items():
        assert re.search(rf"^\s*{re.escape(name)} = {re.escape(value)}$", said, re.MULTILINE), name
