"""A broker that is another one than the state was made from, and a disk that is full when a rebuild wants to keep its work."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streamrec.kafka.admin import Admin
from streamrec.local.servers import start_broker
from streamrec.settings import Settings
from tests.faults.account import judge
from tests.faults.report import Report
from tests.faults.site import Site
from tests.faults.traffic import Asker, Traffic

pytestmark = [pytest.mark.e2e, pytest.mark.servers]


def values(site: Site) -> dict[bytes, bytes | None]:
    """All that Redis holds of members and jobs."""
    return {key: site.client.dump(key) for kind in ("member", "job") for key in site.client.scan_iter(f"*:{kind}:*")}


def test_a_fresh_broker_under_an_old_redis_is_explained(make_site: Callable[..., Site], report: Report) -> None:
    site, log = make_site(), Traffic(seed=61)
    site.begin()
    site.produce(log.more(200))
    site.settle()
    before = values(site)
    assert before
    for name in ("worker", "trainer"):
        site.of(name).stop()
    with Asker(site.settings.lookup_port) as asked, start_broker(site.directory / "fresh") as fresh:
        Admin(Settings(kafka=fresh.address)).create(site.specs)
        for name in ("worker", "trainer"):
            process = site.start(name, STREAMREC_KAFKA=fresh.address)
            assert process.wait(60) == 3, process.said
            assert "it was created anew, so its offsets mean other events" in process.said
            assert "`streamrec rebuild` makes a state that fits" in process.said
        doctor = site.start("doctor", "--json", STREAMREC_KAFKA=fresh.address)
        assert doctor.wait(60) == 1
        findings = json.loads(doctor.said.splitlines()[-1])["findings"]
        assert any(found["level"] == "broken" and "rebuild" in found["remedy"] for found in findings), findings
    assert values(site) == before
    # With the broker that it was made from all goes on.
    for name in ("worker", "trainer"):
        site.start(name)
    site.produce(log.more(50))
    site.settle()
    assert set(asked.statuses) == {200}
    report.add(judge(site, log), asked)


def test_a_rebuild_on_a_full_disk_goes_on_without_keeping_its_work(
    make_site: Callable[..., Site], report: Report
) -> None:
    site, log = make_site(), Traffic(seed=62)
    site.begin()
    site.produce(log.more(2_000))
    site.settle()
    # A full disk wherever this runs, in a container, too: no file of the process may have more than its log will need.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))"
    full = site.start("rebuild", "--checkpoint", "0.1", spoil=limit)
    assert full.wait(120) == 0, full.said
    assert "An interrupted build goes on from the beginning" in full.said
    assert not list((Path(site.settings.data_dir) / "building").glob("*"))
    site.produce(log.more(50))
    site.settle()
    report.add(judge(site, log, model=False))
