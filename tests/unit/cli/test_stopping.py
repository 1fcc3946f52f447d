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
threading.Thread(target=time.sleep, args=(60,)).start()
with StopRequest("stopping"):
    print("ready", flush=True)
    time.sleep(60)
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


def test_a_stopped_program_does_not_wait_for_threads_but_cleans_up() -> None:
    script = """
import atexit, threading, time
from centerclip.cli import app
atexit.register(print, "cleaned up")
def stopped():
    threading.Thread(target=time.sleep, args=(600,)).start()
    print("stopped")
    return 130
app.main = stopped
app.program()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "stopped\ncleaned up\n", "")
