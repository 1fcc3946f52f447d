"""`centerclip train` in processes of its own: killed, interrupted, and distributed by torchrun."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import RECIPE
from thorough import THOROUGH

from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP
from centerclip.training.config import load_config
from centerclip.training.loop import train

PATIENCE_SECONDS = 300
"""How long a command may take; reaching it is a failure."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a toy world, the recipe, and the result of an undisturbed run in `run`."""
    folder = tmp_path_factory.mktemp("runs")
    render_toy_world(folder / "toy", train=8, val=2, test=2, workers=1)
    text = RECIPE.replace('"toy"', f'"{folder / "toy"}"').replace('"run"', f'"{folder / "run"}"')
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    train(load_config(folder / "recipe.toml"))
    return folder


def state(run: Path) -> dict[str, dict[str, torch.Tensor]]:
    loaded: dict[str, dict[str, torch.Tensor]] = torch.load(run / "checkpoint.pt", weights_only=True)
    return loaded


def lines(run: Path) -> list[dict[str, Any]]:
    path = run / "progress.jsonl"
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    # the last line may be half written
    return [json.loads(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]


def last_step(run: Path) -> int:
    return max((line["step"] for line in lines(run)), default=0)


@contextmanager
def command(place: Path, name: str, *launcher: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command in another process, with as many threads as the test's."""
    env = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    args = ("train", "--config", place / "recipe.toml", "--output", place / name, "--device", "cpu")
    started = [sys.executable, *launcher, "-m", "centerclip", *map(str, args)]
    with subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        try:
            yield process
        finally:
            process.terminate()  # torchrun ends its processes
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def run_until(process: subprocess.Popen[bytes], run: Path, step: int) -> None:
    while last_step(run) < step:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.005)


def assert_equal_runs(first: Path, second: Path) -> None:
    before, after = state(first), state(second)
    assert before["step"] == after["step"] == 30
    for part in ("model", "average"):
        assert before[part].keys() == after[part].keys()
        assert all(torch.equal(tensor, after[part][name]) for name, tensor in before[part].items()), part
    for name in ("model.safetensors", "temporal.safetensors"):
        assert (first / "best" / name).read_bytes() == (second / "best" / name).read_bytes()


def test_a_killed_run_continues_to_exactly_the_same_weights(
    place: Path, record_property: Callable[[str, object], None]
) -> None:
    steps = sorted({*np.random.default_rng().integers(1, 29, 18), 28}) if THOROUGH else [8]
    for step in steps:
        with command(place, "killed") as process:
            run_until(process, place / "killed", step)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    assert last_step(place / "killed") < 30
    record_property("kills of one training run", len(steps))
    train(load_config(place / "recipe.toml", output=place / "killed"))
    assert_equal_runs(place / "run", place / "killed")
    assert [line["step"] for line in lines(place / "killed")] == list(range(1, 31))


def test_an_interrupted_run_loses_nothing(place: Path) -> None:
    with command(place, "interrupted") as process:
        run_until(process, place / "interrupted", 4)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
    assert b"Run the same command to continue" in err
    assert state(place / "interrupted")["step"] == last_step(place / "interrupted") < 30
    train(load_config(place / "recipe.toml", output=place / "interrupted"))
    assert_equal_runs(place / "run", place / "interrupted")


REDUCER = """
import os
import signal
from dataclasses import dataclass
from itertools import count

from centerclip.clustering import Reducer

_CALLS = count(1)


@dataclass(frozen=True)
class Loudest(Reducer):
    order: float = 2.0

    def choose(self, tokens, k):
        calls, own = next(_CALLS), os.environ.get
        if own("KILL_AT") == str(calls) and own("RANK") == "1" and own("TORCHELASTIC_RESTART_COUNT") == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        return tokens.sequence.float().norm(self.order, dim=-1).topk(k).indices
"""
DATASET = """
from dataclasses import replace

from centerclip.datasets.toy_world import DATASET

NAMES = {"first": "train", "second": "val"}


def read(folder, split):
    return DATASET.read(folder, NAMES[split])


MINE = replace(DATASET, name="mine", read=read, splits=tuple(NAMES), reported_splits=())
"""


@pytest.fixture(scope="module")
def two(place: Path) -> Iterator[Path]:
    """A folder with a recipe that names a reducer and a data set of one's own, and two processes' `run`."""
    folder = place / "two"
    folder.mkdir()
    recipe = (place / "recipe.toml").read_text().replace("steps = 30", "steps = 8\nchunks = 2")
    recipe = recipe.replace('dataset = "toy-world"', 'dataset = "own_data:MINE"')
    recipe = recipe.replace("[data]", '[data]\ntrain_split = "first"\nval_split = "second"')
    recipe = recipe.replace("[model]", '[model]\nreducer = { name = "own_reducer:Loudest", order = 1.0 }')
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    (folder / "own_reducer.py").write_text(REDUCER, encoding="utf-8")
    (folder / "own_data.py").write_text(DATASET, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # the modules are found in the working folder
        patch.syspath_prepend(folder)
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        with command(folder, "run", *torchrun()) as process:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
            assert process.returncode == 0, err.decode()
        assert out.decode() == f"{folder / 'run' / 'best'}\n"  # only the first process prints
        assert err.decode().count("Training on 8 videos") == 1
        yield folder


def torchrun(*options: str) -> tuple[str, ...]:
    """Launch two processes on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ("--nproc-per-node=2", "--master-addr=127.0.0.1", f"--master-port={port}")
    return ("-m", "torch.distributed.run", *place, *options)


def test_two_processes_train_like_one(two: Path) -> None:
    train(load_config(two / "recipe.toml", output=two / "alone", settings=["optimization.chunks=1"]))
    together, expected = state(two / "run"), state(two / "alone")
    for part in ("model", "average"):
        for name, tensor in expected[part].items():
            torch.testing.assert_close(together[part][name], tensor, rtol=0, atol=1e-5)
    recalls = [[line.get("recall") for line in lines(two / name)] for name in ("run", "alone")]
    assert recalls[0] == recalls[1] != [None] * 8
    losses = [[line["loss"] for line in lines(two / name)] for name in ("run", "alone")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert CenterCLIP.from_pretrained(two / "run/best").reducer.label == "own_reducer:Loudest(order=1.0)"


def test_torchrun_restarts_after_a_kill_and_ends_with_the_same_weights(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILL_AT", "18")  # each chunk is computed twice, so in the fifth step
    with command(two, "killed", *torchrun("--max-restarts=3", "--monitor-interval=0.1")) as process:
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, err.decode()
    assert b"failed (exitcode: -9)" in err
    whole, killed = state(two / "run"), state(two / "killed")
    assert whole["step"] == killed["step"] == 8
    for part in ("model", "average"):
        assert all(torch.equal(tensor, killed[part][name]) for name, tensor in whole[part].items())
    assert [line["step"] for line in lines(two / "killed")] == list(range(1, 9))
