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


LOST = """
import os
import centerclip.distributed as distributed
from centerclip.cli.distributing import encoding_on
from centerclip.errors import ClusterError

class Cluster:
    nodes, is_lost = 1, False
    def __init__(self, address): pass
    def close(self): pass

class RayEncoder:
    slots = 1
    def __init__(self, encoder, cluster, workers):
        self.cluster = cluster

distributed.Cluster, distributed.RayEncoder = Cluster, RayEncoder
try:
    with encoding_on("address", None, None) as encoder:
        encoder.cluster.is_lost = True
        raise ClusterError("the cluster is lost")
except ClusterError as error:
    print(f"error: {error}", file=__import__("sys").stderr, flush=True)  # as the program does at its end
    os._exit(1)  # as Ray does, at any moment
"""


def test_a_lost_cluster_is_told_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said == ["error: the cluster is lost"], done.stderr
