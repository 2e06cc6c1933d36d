"""A Prometheus of a test's own, and promtool; both are in Debian's package prometheus."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

import streamrec
from streamrec.local.ports import free_port
from streamrec.local.prometheus import INSTALL, installed, start_prometheus
from streamrec.settings import Settings

OPS: Final = Path(streamrec.__file__).parent.parent / "ops"
LACK: Final = None if installed() and shutil.which("promtool") else f"Prometheus is not installed: {INSTALL}"


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
    """Watches a system by the rules in ``ops/``, only much more often."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        needed()
        self._server = start_prometheus(directory, settings, free_port(), every="500ms")
        self._http = httpx.Client(base_url=f"http://{self._server.address}/api/v1", timeout=20)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self._server.address}"

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
