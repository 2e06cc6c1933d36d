"""The look whether Redis holds what was committed to it, taken away: what `test_lost_data` asks for fails then."""

from typing import Any

import pytest

from tests.e2e.judging import differences
from tests.faults.account import account
from tests.faults.test_lost_data import roll_back
from tests.faults.test_running import PATIENCE_S, goes_on
from tests.faults.traffic import Load, Traffic

pytestmark = [pytest.mark.e2e, pytest.mark.servers, pytest.mark.control]

BLIND = """
from streamrec.stores.redis import RedisSlot
RedisSlot._see = lambda self, epoch: None         # whatever the epoch is: the store is believed to hold what we wrote
"""


def test_whoever_does_not_look_loses_what_redis_lost(make_site: Any) -> None:
    site, log = make_site(), Traffic(seed=42)
    site.begin()
    site.of("worker").stop()
    site.start("worker", spoil=BLIND)
    with Load(site, log):
        goes_on(site)
        roll_back(site)
    site.produce(log.more(300))
    site.settle(PATIENCE_S, trainer=False)  # the positions are at the end of the log: what was lost lies before them
    assert account(site, log).lost > 0
    assert differences(site, log) != []
