"""What the processes of one service take together, under the names that a single process has for it (``process_…``).

The Python client tells of the process that is asked, and of none where several share one page of metrics.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_START: Final = "process_start_time_seconds"
_CPU: Final = "process_cpu_seconds"
_DIED: Final = slice(
    13, 15
)  # after the name in ``/proc/PID/stat``: the times of children that are gone, user and system
_LIVING: Final = "gauge_livesum_*.db"  # of each process there is one, since each counts itself (`metrics.PROCESSES`)


class Processes(Collector):
    """Sums over the processes that answer and the one that watches over them; the start is the first one's.

    CPU time of processes that have died goes on counting, so that the sum never falls. Pages of memory that they share
    count for each. Nothing, where there is no ``/proc``.

    Parameters
    ----------
    directory
        Where the processes keep their values.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        watcher = os.getppid()
        pids = {watcher, *(int(path.stem.rpartition("_")[2]) for path in self._directory.glob(_LIVING))}
        found: dict[str, Metric] = {}
        for pid in sorted(pids):
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                first = found.setdefault(metric.name, metric)
                if first is not metric:
                    values = (first.samples[0].value, metric.samples[0].value)
                    _set(first, min(values) if metric.name == _START else sum(values))
        if _CPU in found:
            _set(found[_CPU], found[_CPU].samples[0].value + _gone(watcher))
        yield from found.values()


def _set(metric: Metric, value: float) -> None:
    metric.samples[:] = [metric.samples[0]._replace(value=value)]


def _gone(parent: int) -> float:
    """CPU seconds of its children that have died."""
    try:
        stat = Path(f"/proc/{parent}/stat").read_bytes()
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(b")")[2].split()[_DIED])) / os.sysconf("SC_CLK_TCK")
