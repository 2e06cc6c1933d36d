"""The process that probes: for ever, or each partition once."""

import itertools
import logging
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

import prometheus_client

from streamrec import metrics, tracing
from streamrec.probe.probe import RESULTS, Outcome, Prober
from streamrec.settings import Settings

log = logging.getLogger(__name__)

_SLICE_S: Final = 0.05  # of a wait, so that a signal is noticed
_FINE: Final = ("fresh", "no_jobs")


class _Stop:
    """Notes the first SIGTERM or SIGINT; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        self.asked = True
        signal.signal(number, signal.SIG_DFL)

    def wait(self, seconds: float) -> bool:
        """Sleep; whether to stop."""
        deadline = time.monotonic() + seconds
        while not self.asked and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
        return self.asked


def run(settings: Settings) -> int:
    """Probe one partition after another until SIGTERM or SIGINT; the exit code.

    Whatever is away is counted and tried again: that is what a probe is for.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("streamrec").setLevel(logging.INFO)
    metrics.started("probe")
    tracing.start("probe", settings)
    for partition in range(settings.partitions):
        for result in RESULTS:  # from 0 on, so that the first one is a growth
            metrics.PROBES.labels(partition, result)
    prometheus_client.start_http_server(settings.probe_metrics_port, settings.metrics_host)
    stop = _Stop()
    prober = Prober(settings, stop.wait)
    bad: dict[int, str] = {}
    for partition in itertools.cycle(range(settings.partitions)):
        began = time.monotonic()
        outcome = prober.probe(partition)
        if outcome is None:
            break
        _count(outcome)
        _tell(bad, outcome)
        if stop.wait(began + settings.probe_interval_s - time.monotonic()):
            break
    prober.close()
    return 0


def once(settings: Settings) -> Iterator[Outcome]:
    """Probe each partition once."""
    prober = Prober(settings, _slept)
    for partition in range(settings.partitions):
        if (outcome := prober.probe(partition)) is not None:
            yield outcome
    prober.close()


def _slept(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _count(outcome: Outcome) -> None:
    metrics.PROBES.labels(outcome.partition, outcome.result).inc()
    if outcome.seconds is not None:
        metrics.PROBE_SECONDS.labels(outcome.partition).observe(outcome.seconds)


def _tell(bad: dict[int, str], outcome: Outcome) -> None:
    """Log a partition that goes bad, or well again; not each time."""
    before = bad.get(outcome.partition)
    if outcome.result in _FINE:
        if before is not None:
            del bad[outcome.partition]
            log.info("partition %d: events are in answers again", outcome.partition)
    elif before != outcome.result:
        bad[outcome.partition] = outcome.result
        log.warning("partition %d: %s: %s", outcome.partition, outcome.result, outcome.why)
