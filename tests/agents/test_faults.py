"""Tests of streamrec.agents.faults."""

import os
import signal
import subprocess
import sys

import pytest

from streamrec.agents.faults import Faults


def test_an_unknown_point_is_refused() -> None:
    with pytest.raises(ValueError, match="no point 'nowhere'"):
        Faults("nowhere:1")


PROGRAM = """
from streamrec.agents.faults import FAULTS
for number in range(5):
    FAULTS.reach("before-commit", "other")
    FAULTS.reach("before-ack", "job-views")
    print(number, flush=True)
    FAULTS.reach("before-commit", "job-views")
"""


def test_the_process_dies_at_the_armed_passage_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"STREAMREC_FAULT": "before-commit@job-views:3"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == -9
    assert done.stdout.split() == ["0", "1", "2"]


def test_the_process_falls_asleep_at_the_armed_passage_and_goes_on_when_it_is_woken() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env={"STREAMREC_FAULT": "sleep-before-commit@job-views:3"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output.split()) == (0, ["0", "1", "2", "3", "4"])
