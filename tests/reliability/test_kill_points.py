"""Killed at any change to a file of the index, in the middle of a write, the next run loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import index_run
import pytest
from thorough import sample

from centerclip.index import VideoIndex

POINTS = 6


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preloaded library that counts changes and kills at one of them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C compiler")
    built = tmp_path_factory.mktemp("library") / "kill_points.so"
    source = Path(__file__).with_name("kill_points.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("before") / "index"
    index_run.first_run(str(location))
    return location


def run(library: Path, location: Path, *, kill_at: int) -> tuple[int, int]:
    """Update an index in another process; return its exit code and the number of changes it made."""
    counted = location.with_suffix(".count")
    env = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "KILL_UNDER": f"{location}/",
        "KILL_AT": str(kill_at),
        "KILL_COUNT": str(counted),
    }
    done = subprocess.run(
        [sys.executable, index_run.__file__, location, "0"], env=env, stdout=subprocess.DEVNULL, check=False
    )
    return done.returncode, int(counted.read_text()) if counted.exists() else 0


def test_killed_at_any_change_to_a_file_the_next_run_completes(
    library: Path, before: Path, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(before, whole)
    code, changes = run(library, whole, kill_at=0)
    assert code == 0
    assert changes > 400
    points = sample(range(1, changes + 1), POINTS)
    killed = 0
    for point in points:
        location = tmp_path / str(point)
        shutil.copytree(before, location)
        code, _ = run(library, location, kill_at=point)
        killed += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)  # threads make a few changes more or less
        VideoIndex(location, create=False).stats()  # readers work at once
        index_run.second_run(str(location))
        assert index_run.content(location) == index_run.content(whole), f"killed at change {point}"
        shutil.rmtree(location)
    assert killed >= 0.95 * len(points)
    record_property("instants at which indexing was killed", f"{killed} of {changes} changes to files")
