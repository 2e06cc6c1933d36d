"""Tests of streamrec.agents.faults."""

import subprocess
import sys

import pytest

from streamrec.agents.faults import Faults


def test_an_unknown_point_is_refused() -> None:
    with pytest.raises(ValueError, match="no point 'nowhere'"):
        Faults("nowhere:1")


def test_the_process_dies_at_the_armed_passage_only() -> None:
    program = """
from streamrec.agents.faults import FAULTS
for number in range(5):
    FAULTS.reach("before-commit", "other")
    FAULTS.reach("before-ack", "job-views")
    print(number, flush=True)
    FAULTS.reach("before-commit", "job-views")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"STREAMREC_FAULT": "before-commit@job-views:3"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == -9
    assert done.stdout.split() == ["0", "1", "2"]
