"""A program that Ray ends without a word has said why all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal
from centerclip.cli.distributing import LastWords
words = LastWords()
{}
"""


@pytest.mark.parametrize(
    ("ends", "code"),
    [("os._exit(1)", 1), ("os.kill(os.getpid(), signal.SIGKILL)", -9), ("words.unsay(); os._exit(1)", 1)],
)
def test_what_is_said_of_a_program_that_has_ended(ends: str, code: int) -> None:
    command = [sys.executable, "-c", PROGRAM.format(ends)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert done.stdout == ""
    if "unsay" in ends:
        assert done.stderr == ""
    else:
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert line.endswith("What was reported is kept; run the same command to continue")
