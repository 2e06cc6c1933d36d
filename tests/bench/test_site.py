"""What a benchmark runs on: it takes no broker that holds somebody's data, and leaves one as it was."""

from pathlib import Path

import msgspec
import pytest

from streamrec import topics
from streamrec.bench.site import Bench, BrokenBenchError, InterruptedBenchError
from streamrec.kafka.admin import Admin
from streamrec.local.servers import start_broker
from streamrec.settings import Settings

pytestmark = pytest.mark.servers


def test_a_broker_with_topics_of_streamrec_is_refused_and_left_alone(tmp_path: Path) -> None:
    with start_broker(tmp_path / "broker") as broker:
        settings = msgspec.structs.replace(Settings(), kafka=broker.address)
        Admin(settings).create({"job-views": topics.load()["job-views"]})
        with pytest.raises(BrokenBenchError, match="job-views"):
            Bench(settings, tmp_path, own_broker=True).installation()
        assert list(Admin(settings).partitions()) == ["job-views"]


def test_a_broker_of_ones_own_has_no_topics_afterwards(tmp_path: Path) -> None:
    with start_broker(tmp_path / "broker") as broker:
        settings = msgspec.structs.replace(Settings(), kafka=broker.address)
        with Bench(settings, tmp_path, own_broker=True).installation() as system:
            assert "job-views" in Admin(settings).partitions()
            assert system.settings.kafka == broker.address
        assert not set(topics.load()) & set(Admin(settings).partitions())


def test_waiting_ends_when_somebody_wants_it_to_or_a_process_dies(tmp_path: Path) -> None:
    wanted = False
    with Bench(Settings(), tmp_path, stopped=lambda: wanted).installation() as system:
        child = system.supervisor.start("broken", ["false"])
        with pytest.raises(BrokenBenchError, match="broken has ended by itself"):
            system.wait(lambda: False, "nothing", 20)
        system.stop(child)
        wanted = True
        with pytest.raises(InterruptedBenchError):
            system.wait(lambda: False, "nothing", 20)
