"""The first signal is recorded, the second ends the process."""

import os
import signal
import subprocess
import sys

import pytest

from centerclip.cli.stopping import StopRequest


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_recorded(
    number: signal.Signals, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with StopRequest("stopping") as request:
        assert not request
        assert request.exit_code == 0
        os.kill(os.getpid(), number)
        assert request
        assert request.exit_code == code
    assert signal.getsignal(number) is before
    assert capfd.readouterr().err == "stopping\n"


def test_the_second_signal_ends_the_process_even_if_threads_work() -> None:
    script = """
import threading, time
from centerclip.cli.stopping import StopRequest
threading.Thread(target=time.sleep, args=(600,)).start()
with StopRequest("stopping"):
    print("ready", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "stopping\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
