"""`make gpu-check`: what this project does on a GPU, in one command of at most eight minutes.

Runs the tests that need a GPU and the parts of the bench that say something there, each with a time limit,
and writes what was measured and what failed to one JSON file. Exit code: 0 if all went well, 1 if something
failed or took too long, 3 if there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
NO_GPU = 3
TOTAL_SECONDS = 470
"""Of all steps; the rest of the eight minutes is for starting and writing."""
_KEPT = 20_000
"""Characters of a step's output that the report keeps: its end, where errors are."""
_SHOWN = 2_000
"""Characters of a failed step's output that are printed too."""
_MARKS = re.compile(r"\bmark\.cuda\b|\bDEVICES\b|\bneeds_gpu\b")
"""How files of tests show that some need a GPU. Collecting all others would take a minute."""
_PACKAGES = ("centerclip", "torch", "torchvision", "transformers", "av", "numpy")


@dataclass(frozen=True)
class Step:
    """A command with a time limit.

    Attributes:
        rows: whether its output has a JSON object per line, which the report keeps as figures.
    """

    name: str
    command: Sequence[str]
    limit_seconds: float
    rows: bool = False


@dataclass
class Outcome:
    """What became of a step: `passed`, `failed`, `took too long`, or `left out`."""

    name: str
    state: str
    seconds: float = 0.0
    command: str = ""
    figures: list[Any] = field(default_factory=list)
    output: str = ""


def steps() -> list[Step]:
    """The tests first: figures of code that is wrong mean nothing."""
    folders = [ROOT / "tests" / part for part in ("unit", "parity", "property", "e2e")]
    tests = [path for folder in folders for path in sorted(folder.rglob("test_*.py"))]
    marked = [str(path.relative_to(ROOT)) for path in tests if _MARKS.search(path.read_text("utf-8"))]
    test = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider"]
    bench = [sys.executable, "-m", "centerclip", "bench", "--device", "cuda", "--rounds", "3", "--json"]
    return [
        Step("tests", [*test, *marked], 180),
        Step("bench clustering", [*bench, "clustering"], 60, rows=True),
        Step("bench gpu", [*bench, "gpu"], 140, rows=True),
        Step("bench encoder", [*bench, "encoder"], 150, rows=True),
    ]


def devices() -> list[dict[str, Any]]:
    """Describe the GPUs that torch can use."""
    import torch

    if not torch.cuda.is_available():
        return []
    every = []
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        capability = f"{about.major}.{about.minor}"
        every.append({"name": about.name, "memory_bytes": about.total_memory, "capability": capability})
    return every


def driver_version() -> str | None:
    """Return the version of NVIDIA's driver, or None without one."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.check_output(query, text=True, timeout=20).strip() or None
    return None


def missing() -> str:
    """Say why torch can use no GPU here, and what to do."""
    import torch

    driver = driver_version()
    if driver is None:
        return "nvidia-smi finds no driver: install NVIDIA's, or in a container pass the GPU (--gpus all)"
    if torch.version.cuda is None:
        return (
            f"there is a driver ({driver}), but torch {torch.__version__} was built without CUDA: remove "
            ".venv and set it up where pip finds torch's builds for CUDA"
        )
    return (
        f"driver {driver} doesn't work with torch {torch.__version__}, which was built for CUDA "
        f"{torch.version.cuda}: update the driver, and check CUDA_VISIBLE_DEVICES"
    )


def surroundings() -> dict[str, Any]:
    """Describe driver and versions."""
    import torch
    from av.codec.hwaccel import hwdevices_available

    versions = {}
    for package in _PACKAGES:
        with suppress(Exception):
            versions[package] = version(package)
    return {
        "driver": driver_version(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
        "python": sys.version.split()[0],
        "versions": versions,
        "decoders": list(hwdevices_available()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def run_step(step: Step, seconds: float, environment: Mapping[str, str] = os.environ) -> Outcome:
    """Run a step for at most so many seconds; what it has written until then counts."""
    outcome = Outcome(step.name, "left out", command=" ".join(step.command))
    if seconds < 1:
        return outcome
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        written = Path(folder, "out")
        with written.open("wb") as out:
            process = subprocess.Popen(
                step.command,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**environment, "REQUIRE_CUDA": "1", "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
            try:
                outcome.state = "passed" if process.wait(seconds) == 0 else "failed"
            except subprocess.TimeoutExpired:
                outcome.state = "took too long"
            finally:
                with suppress(ProcessLookupError, PermissionError):  # also what it has started
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = written.read_text("utf-8", errors="replace")
    outcome.seconds = round(time.monotonic() - began, 1)
    for line in text.splitlines() if step.rows else ():
        with suppress(ValueError):
            outcome.figures.append(json.loads(line))
    outcome.output = "" if step.rows and outcome.state == "passed" else text[-_KEPT:]
    return outcome


def check(found: list[dict[str, Any]], planned: Sequence[Step], seconds: float) -> dict[str, Any]:
    """Run steps one after the other, and return the report."""
    ends = time.monotonic() + seconds
    outcomes = []
    for step in planned if found else ():
        print(f"{step.name} (at most {step.limit_seconds:g} s)", flush=True)
        outcomes.append(run_step(step, min(step.limit_seconds, ends - time.monotonic())))
        print(f"  {outcomes[-1].state} in {outcomes[-1].seconds:g} s", flush=True)
        if outcomes[-1].state != "passed":
            print(outcomes[-1].output[-_SHOWN:], flush=True)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpus": found,
        **surroundings(),
        "failures": [outcome.name for outcome in outcomes if outcome.state != "passed"],
        "steps": [asdict(outcome) for outcome in outcomes],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, write the report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("gpu-check.json"), metavar="FILE")
    parser.add_argument("--seconds", type=float, default=TOTAL_SECONDS, help="of all steps together")
    options = parser.parse_args(arguments)
    report = check(devices(), steps(), options.seconds)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not report["gpus"]:
        print(f"There is no GPU that torch can use here, so nothing was checked: {missing()}.")
        return NO_GPU
    failed = ", ".join(report["failures"]) or "nothing"
    print(f"{report['gpus'][0]['name']}: {failed} failed. See {options.output}.")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
