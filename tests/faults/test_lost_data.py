"""A Redis that lost data: it came back with older data, with none, or a replica took over that did not have all.

The log has what Redis lost. So nothing is asked of anybody, unless the log is not whole either: that is explained, never skipped.
One installation on Apache Kafka bears all of it, one fault after the other.
"""

from typing import Any, Final

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streamrec.agents.worker import slot_name
from streamrec.local.servers import start_redis
from streamrec.stores.connect import connect
from streamrec.stores.positions import Position, unpack
from tests.faults.account import judge
from tests.faults.proxy import Net
from tests.faults.report import Report
from tests.faults.site import Site
from tests.faults.test_running import PATIENCE_S, goes_on, in_time
from tests.faults.traffic import Asker, Load, Traffic

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.kafka, pytest.mark.soak]

ANEW: Final = "streamrec_begun_anew_total"


@pytest.fixture(scope="module")
def log() -> Traffic:
    return Traffic(seed=41)


def positions(site: Any, topic: str = "job-views") -> dict[int, int]:
    """Of the state, by partition."""
    found = {}
    for number in range(site.settings.partitions):
        stored = site.client.hget(site.keys.positions(slot_name(topic, number)), topic)
        found[number] = unpack(Position, bytes(stored)).next_offset if isinstance(stored, bytes) else 0
    return found


def beyond(site: Any, before: dict[int, int]) -> bool:
    """Whether the consumer group has committed more than was in the state before, of every partition."""
    committed = site.admin.committed(f"{site.settings.group}-worker", ["job-views"])
    return all(committed.get(("job-views", number), 0) > offset for number, offset in before.items())


def roll_back(site: Any) -> None:
    """Redis dies, and comes back with what it held some time ago: behind what the group has committed since."""
    aside, before = site.lasting.put_aside(), positions(site)
    site.wait(lambda: beyond(site, before), "the group to commit more", PATIENCE_S)
    site.lasting.kill()
    site.lasting.bring_back(aside)
    site.lasting.start()


def test_rolled_back_under_running_workers(site: Site, log: Traffic, report: Report, long: bool) -> None:
    """They notice within a second, also those that have nothing to write, and go on from what is there."""
    rounds = 5 if long else 1
    with Asker(site.settings.lookup_port) as asked:
        for _ in range(rounds):
            with Load(site, log):
                goes_on(site)
                told = [site.moved(name, ANEW, role=name, reason="store_set_back") for name in ("worker", "trainer")]
                roll_back(site)
                for name, condition in zip(("worker", "trainer"), told, strict=True):
                    site.wait(condition, f"the {name} to begin anew", PATIENCE_S)
                goes_on(site)
            site.settle(PATIENCE_S)
            # And once more, when nothing comes any more that would be written.
            anew = site.moved("worker", ANEW, role="worker", reason="store_set_back")
            aside = site.lasting.put_aside()
            site.produce(log.more(100))
            site.settle(PATIENCE_S)
            site.lasting.kill()
            site.lasting.bring_back(aside)
            site.lasting.start()
            site.wait(anew, "the idle worker to begin anew", PATIENCE_S)
            site.settle(PATIENCE_S)
            found = judge(site, log)
    report.add(found, asked, runs=2 * rounds)
    in_time(site, asked)
    assert "gone back behind the last commit" in site.of("worker").said


def test_rolled_back_behind_the_groups_commit(site: Site, log: Traffic, report: Report) -> None:
    """Under a worker that starts: it reads on from where the state ends, whatever the group has committed."""
    with Asker(site.settings.lookup_port) as asked, Load(site, log):
        goes_on(site)
        aside, before = site.lasting.put_aside(), positions(site)
        site.wait(lambda: beyond(site, before), "the group to commit more", PATIENCE_S)
        for name in ("worker", "trainer"):
            site.of(name).stop()
        site.lasting.kill()
        site.lasting.bring_back(aside)
        site.lasting.start()
        assert beyond(site, positions(site))
        for name in ("worker", "trainer"):
            site.start(name)
        goes_on(site)
    site.settle(PATIENCE_S)
    report.add(judge(site, log), asked)
    in_time(site, asked)


def test_restarted_without_its_data(site: Site, log: Traffic, report: Report) -> None:
    """All of the log is there: the state grows anew from its beginning, and the model from its copy on the trainer's disk."""
    with Asker(site.settings.lookup_port) as asked, Load(site, log):
        goes_on(site)
        anew = site.moved("worker", ANEW, role="worker", reason="store_set_back")
        site.lasting.kill()
        site.lasting.bring_back(None)
        site.lasting.start()
        site.wait(anew, "the worker to begin anew", PATIENCE_S)
        goes_on(site)
    site.settle(PATIENCE_S)
    assert "All is read again from the beginning" in site.of("worker").said
    assert "went on from the copy in" in site.of("trainer").said
    report.add(judge(site, log), asked)
    in_time(site, asked)


def test_failed_over_to_a_replica_that_lacks_the_last_writes(site: Site, log: Traffic, report: Report) -> None:
    """Replication had stood still when the primary died."""
    with Net(site.lasting.address) as link:
        options = ("--replicaof", "127.0.0.1", str(link.port), "--appendonly", "yes")
        replica = start_redis(site.directory / "replica", options=options)
        site.servers["replica"] = replica
        own: Any = connect(type(site.settings)(redis=f"redis://{replica.address}/0"))
        site.wait(lambda: own.info("replication")["master_link_status"] == "up", "the replica to have all", PATIENCE_S)
        with Asker(site.settings.lookup_port) as asked, Load(site, log):
            goes_on(site)
            anew = site.moved("worker", ANEW, role="worker", reason="store_set_back")
            link.hole()
            before = positions(site)
            site.wait(lambda: beyond(site, before), "the group to commit more", PATIENCE_S)
            site.lasting.kill()
            own.replicaof("NO", "ONE")
            site.fail_over(replica.address)
            site.wait(anew, "the worker to begin anew", PATIENCE_S)
            goes_on(site)
        own.close()
    site.settle(PATIENCE_S)
    report.add(judge(site, log), asked)
    in_time(site, asked)


def test_an_empty_redis_beside_a_log_that_is_not_whole_is_explained(site: Site, log: Traffic, report: Report) -> None:
    """Nothing is begun in the middle, however often it is tried; the lookup goes on answering."""
    site.settle(PATIENCE_S)
    for name in ("worker", "trainer"):
        site.of(name).stop()
    client = AdminClient({"bootstrap.servers": site.settings.kafka})
    for done in client.delete_records([TopicPartition("job-views", 1, 50)]).values():
        done.result(10)
    site.client.flushall()
    with Asker(site.settings.lookup_port) as asked:
        for _ in range(2):
            worker = site.start("worker")
            assert worker.wait(60) == 3, worker.said
            assert "job-views/1: the store holds no state, though the group has read it before" in worker.said
            assert "The log starts at 50" in worker.said
            assert "`streamrec rebuild --accept-gap` makes a state of what the log holds" in worker.said
            assert list(site.client.scan_iter("*member*")) == []
        rebuilt = site.start("rebuild", "--accept-gap", "--no-learn")
        assert rebuilt.wait(120) == 0, rebuilt.said
        site.start("worker")
        site.produce(log.more(50))
        site.settle(PATIENCE_S, trainer=False)
    report.add(asked=asked, runs=2, note="explained with exit code 3; a rebuild makes a state of what is left")
    in_time(site, asked)
