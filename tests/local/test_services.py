"""The services get the settings they were started with, and a taken port is said before anything starts."""

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamrec.local.ports import free_port
from streamrec.local.services import ServicesError, check_ports, register_schemas
from streamrec.settings import Settings, environ_of, load


@given(
    st.builds(
        Settings,
        kafka=st.just("a:1,b:2"),
        partitions=st.integers(1, 99),
        viewed_again_after_ms=st.none() | st.integers(0),
        rerank_cpu_share=st.floats(0, 1),
        transport=st.sampled_from(["batched", "stock"]),
    )
)
def test_settings_come_through_the_environment_unchanged(settings: Settings) -> None:
    assert load(environ=environ_of(settings)) == settings


def test_a_taken_port_is_named_with_the_setting_that_changes_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = Settings(
            lookup_port=free_port(), worker_metrics_port=port, trainer_metrics_port=free_port(),
            probe_metrics_port=free_port(),
        )  # fmt: skip
        with pytest.raises(ServicesError, match=f"port {port} .*STREAMREC_WORKER_METRICS_PORT"):
            check_ports(settings)


def test_our_schemas_are_registered_before_anything_is_written_by_them(registry_server: Any) -> None:
    settings = Settings(schema_registry=registry_server.url, framing="confluent")
    said: list[str] = []
    register_schemas(settings, said.append)
    assert len(said) == 1
    assert "job-views-value" in said[0]
    register_schemas(settings, said.append)
    assert len(said) == 1
    registry_server.mock.delete_subject("job-views-value")
    registry_server.add("job-views-value", {"type": "record", "name": "JobView", "fields": []})
    with pytest.raises(ServicesError, match=r"job-views-value: .*incompatible"):
        register_schemas(settings, said.append)
