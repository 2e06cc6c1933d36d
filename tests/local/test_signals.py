"""The first signal asks for a stop, the second does not wait."""

import os
import signal
import subprocess
import sys

import pytest

from streamrec.local.signals import StopSignals

SCRIPT = """
import os
import time
from streamrec.local.signals import StopSignals
with StopSignals(lambda: os.write(1, b"killed\\n")) as stop:  # print may be in the midst of another line
    print("ready", flush=True)
    while not stop.wait(60):
        pass
    print("stopping", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", StopSignals.SIGNALS)
def test_a_signal_ends_the_waiting_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals(lambda: None) as stop:
        assert not stop.wait(0.0)
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert stop.received is number
    assert signal.getsignal(number) is before


def test_the_second_signal_kills_and_ends_the_process_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "killed\n"
        assert process.wait(5) == 128 + signal.SIGTERM
