"""The command that checks a GPU: its report, time limits and exit codes, with steps that need none."""

from __future__ import annotations

import json
import os
import re
import select
import sys
from contextlib import suppress
from pathlib import Path

import gpu_check
import pytest
import torch
from gpu_check import NO_GPU, ROOT, Step, main, run_step, steps

GPU = [{"name": "a GPU", "memory_bytes": 1, "capability": "9.0"}]


def python(code: str, limit: float = 60.0, *, rows: bool = False) -> Step:
    return Step(code[:10], [sys.executable, "-c", code], limit, rows)


def test_without_a_gpu_it_says_so_with_its_own_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check, "devices", list)
    assert main(["--output", str(tmp_path / "report.json")]) == NO_GPU
    assert "There is no GPU that torch can use here, so nothing was checked" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["gpus"], report["steps"], report["failures"]) == ([], [], [])
    assert report["versions"]["torch"]


@pytest.mark.parametrize(
    ("driver", "cuda", "told"),
    [
        (None, "13.0", "finds no driver: install NVIDIA's"),
        ("570.1", None, r"there is a driver \(570.1\), but torch .* was built without CUDA: remove .venv"),
        ("470.1", "13.0", r"driver 470.1 doesn't work with torch .* CUDA 13.0: update the driver"),
    ],
)
def test_it_says_why_there_is_no_gpu(
    driver: str | None, cuda: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check, "driver_version", lambda: driver)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert re.search(told, gpu_check.missing())


def test_the_report_has_figures_and_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = [
        python("import os; print(os.environ['REQUIRE_CUDA']); print('{\"figure\": 3}')", rows=True),
        python("raise SystemExit('wrong')"),
        python("import time; print('{\"figure\": 4}', flush=True); time.sleep(99)", 2.0, rows=True),
    ]
    monkeypatch.setattr(gpu_check, "devices", lambda: GPU)
    monkeypatch.setattr(gpu_check, "steps", lambda: planned)
    assert main(["--output", str(tmp_path / "report.json")]) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["gpus"] == GPU
    assert report["failures"] == [planned[1].name, planned[2].name]
    good, wrong, slow = report["steps"]
    assert (good["state"], good["figures"]) == ("passed", [1, {"figure": 3}])
    assert (wrong["state"], wrong["output"]) == ("failed", "wrong\n")
    assert (slow["state"], slow["figures"]) == ("took too long", [{"figure": 4}])
    assert "\nwrong\n" in capsys.readouterr().out  # whoever runs it need not open the report

    monkeypatch.setattr(gpu_check, "steps", lambda: planned[:1])
    assert main(["--output", str(tmp_path / "report.json")]) == 0
    # Once the time is over, what is left counts as failed.
    assert main(["--output", str(tmp_path / "report.json"), "--seconds", "0"]) == 1
    assert json.loads((tmp_path / "report.json").read_text())["steps"][0]["state"] == "left out"


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux tells when another's child ends")
def test_what_a_step_has_started_ends_with_it() -> None:
    child = "[sys.executable, '-c', 'import time; time.sleep(99)']"
    code = f"import subprocess, sys; p = subprocess.Popen({child}); print(p.pid, flush=True); p.wait()"
    outcome = run_step(python(code), 2.0)
    assert outcome.state == "took too long"
    with suppress(ProcessLookupError):  # it has ended
        assert select.select([os.pidfd_open(int(outcome.output))], [], [], 60)[0]


def test_the_steps_fit_into_eight_minutes_and_run_every_test_for_gpus() -> None:
    planned = steps()
    assert gpu_check.TOTAL_SECONDS < 480
    tests = {argument for argument in planned[0].command if argument.endswith(".py")}
    assert {
        "tests/unit/clustering/test_kmedoids.py",
        "tests/parity/test_clustering_parity.py",
        "tests/unit/video/test_hardware.py",
        "tests/unit/lab/bench/test_timing.py",
    } <= tests
    assert all((ROOT / path).exists() for path in tests)
    assert "REQUIRE_CUDA" in (ROOT / "tests" / "token_sets.py").read_text()
