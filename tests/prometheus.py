"""A Prometheus of a test's own, and promtool; both are in Debian's package prometheus."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

import streamrec
from streamrec.local.ports import free_port
from streamrec.local.servers import Server

OPS: Final = Path(streamrec.__file__).parent.parent / "ops"
LACK: Final = (
    None if shutil.which("prometheus") and shutil.which("promtool")
    else "Prometheus is not installed: apt install prometheus"
)  # fmt: skip


def needed() -> None:
    """Skip the test where there is no Prometheus; in CI it fails."""
    if LACK is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(LACK)
        pytest.skip(LACK)


def promtool(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """What promtool says."""
    needed()
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)


class Prometheus:
    """Scrapes `targets` (job -> host:port) by the settings of ``ops/prometheus.yml``, only much more often."""

    def __init__(self, directory: Path, targets: dict[str, str], every: str = "500ms") -> None:
        needed()
        config = yaml.safe_load((OPS / "prometheus.yml").read_text())
        config["global"] |= {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}
        rules = config["rule_files"] = []
        for path in sorted((OPS / "prometheus").glob("*.rules.yml")):
            groups = yaml.safe_load(path.read_text())
            for group in groups["groups"]:
                group.pop("interval", None)
            rules.append(str(directory / path.name))
            (directory / path.name).write_text(yaml.safe_dump(groups))
        config["scrape_configs"] = [
            {"job_name": job["job_name"], "static_configs": [{"targets": [targets[job["job_name"]]]}]}
            for job in config["scrape_configs"] if job["job_name"] in targets
        ]  # fmt: skip
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        command = [
            "prometheus", f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        self._server = Server("Prometheus", command, port, directory / "prometheus.log")
        self._http = httpx.Client(base_url=f"http://{self._server.address}/api/v1", timeout=20)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query that have a number now; what is wrong with it is an AssertionError."""
        answer = self._http.get("/query", params={"query": expr}).json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return [series for series in found if series["value"][1] != "NaN"]

    def rules(self) -> list[dict[str, Any]]:
        """All rules, each with its health."""
        groups = self._http.get("/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def stop(self) -> None:
        self._http.close()
        self._server.stop()
