"""Which core a process runs on, what it costs, and what machine this is. By Linux' own files; elsewhere less is told."""

import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cores() -> list[int]:
    """Cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def pin(pid: int, *chosen: int) -> None:
    """Keep a process to some cores, with every thread that it starts from now on; 0 is this one. Nothing on other systems."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # it has ended, or the core is not ours to give
            os.sched_setaffinity(pid, chosen)


class Places:
    """Who runs where: what is measured on the first core alone, all else on the others (on one core, all share it).

    Examples
    --------
    >>> Places([0, 1, 2]).measured, Places([0, 1, 2]).others, Places([4]).others
    ((0,), (1, 2), (4,))
    """

    def __init__(self, available: list[int] | None = None) -> None:
        available = cores() if available is None else available
        self.measured = tuple(available[:1])
        self.others = tuple(available[1:]) or self.measured
        self.all = tuple(available)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, all threads; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Memory that a process holds; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def machine() -> dict[str, str | int | float]:
    """What a reader must know to compare: processor, cores, load before the run, Python."""
    found: dict[str, str | int | float] = {
        "processor": _processor(), "cores": len(cores()), "python": platform.python_version(), "system": sys.platform,
    }  # fmt: skip
    if hasattr(os, "getloadavg"):
        found["load_before"] = round(os.getloadavg()[0], 2)
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
