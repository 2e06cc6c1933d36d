"""A Prometheus that watches the processes on this machine by the rules in ``ops/``; where it is installed."""

import shutil
from pathlib import Path
from typing import Final

from streamrec.local.ports import free_port
from streamrec.local.servers import Server
from streamrec.settings import Settings

PORT: Final = 9090
INSTALL: Final = "apt install prometheus"
_CONFIG: Final = """\
global: {{scrape_interval: {every}, scrape_timeout: {every}, evaluation_interval: {every}}}
rule_files: ["{rules}/*.rules.yml"]
scrape_configs:
  - {{job_name: worker, static_configs: [{{targets: ["{metrics}:{settings.worker_metrics_port}"]}}]}}
  - {{job_name: trainer, static_configs: [{{targets: ["{metrics}:{settings.trainer_metrics_port}"]}}]}}
  - {{job_name: probe, static_configs: [{{targets: ["{metrics}:{settings.probe_metrics_port}"]}}]}}
  - {{job_name: lookup, static_configs: [{{targets: ["{lookup}:{settings.lookup_port}"]}}]}}
"""


def installed() -> bool:
    """Whether there is a Prometheus to start."""
    return shutil.which("prometheus") is not None


def rules() -> Path:
    """Where alerts and recording rules are: inside the package when installed, else in the checkout."""
    here = Path(__file__).parent.parent
    packaged = here / "_prometheus"
    return packaged if packaged.exists() else here.parent / "ops" / "prometheus"


def configuration(settings: Settings, every: str) -> str:
    """What Prometheus is told: whom to ask, how often, and which rules there are.

    Examples
    --------
    >>> print(configuration(Settings(), "1s").splitlines()[3])
      - {job_name: worker, static_configs: [{targets: ["127.0.0.1:9101"]}]}
    """
    return _CONFIG.format(
        settings=settings, every=every, rules=rules(), metrics=settings.metrics_host, lookup=settings.lookup_host
    )


def start_prometheus(directory: Path, settings: Settings, port: int = 0, every: str = "1s") -> Server:
    """Start one that begins empty and keeps its data in `directory`; port 0 means `PORT`, or one after it that is free.

    Raises
    ------
    ServerError
        It did not come up.
    FileNotFoundError
        It is not `installed`.
    """
    port = port or free_port(PORT)
    config = directory / "prometheus.yml"
    config.write_text(configuration(settings, every))
    command = [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    return Server("Prometheus", command, port, directory / "prometheus.log")
