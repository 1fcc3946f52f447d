"""The examples, run as scripts."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from centerclip.clustering import Tokens, parse_reducer, reduce
from centerclip.errors import DatasetError
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP

FOLDER = Path(__file__).parents[2] / "examples"

Example = Callable[..., str]
"""Runs an example with arguments, and returns its output."""


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Example:
    def run(name: str, *args: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_list_is_complete() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in FOLDER.glob("*.py"):
        assert f"]({path.name})" in listed


def test_own_clip(example: Example) -> None:
    out = example("own_clip.py")
    assert out.startswith("embeddings (2, 512); cosine")
    code = (FOLDER / "own_clip.py").read_text(encoding="utf-8").split("\n\nmodel = ")[1]
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 10


def test_a_custom_reducer(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = example("custom_reducer.py").splitlines()
    assert len(lines) == 4
    for line in lines:
        assert sum(map(int, line.split("[")[1].split("]")[0].split(","))) == 49
    monkeypatch.syspath_prepend(FOLDER)
    patches = torch.zeros(1, 2, 3, 4)
    patches[0, 1, 0], patches[0, 0, 2] = 3, 2
    reduced = reduce(Tokens(patches, torch.zeros(1, 2, 3, 3)), 2, parse_reducer("custom_reducer:Loudest"))
    assert reduced.patches[0, :, 0].tolist() == [2, 3]
    model = CenterCLIP.from_pretrained("nano", reducer="custom_reducer:Loudest")
    other = model.with_(reducer="custom_reducer:Loudest(order=1)")
    assert model.fingerprint() != other.fingerprint()
    other.save_pretrained(tmp_path / "saved")
    again = CenterCLIP.from_pretrained(tmp_path / "saved")
    assert again.fingerprint() == other.fingerprint()


def test_a_custom_data_set(example: Example, tmp_path: Path) -> None:
    lines = example("custom_dataset.py").splitlines()
    assert [line.split(":")[0] for line in lines] == ["none", "B6-4,49"]
    assert all("over 12 captions" in line for line in lines)
    render_toy_world(tmp_path, train=0, val=0, test=1, workers=1)
    with pytest.raises(DatasetError, match=r"has no captions: write some into .*000000\.txt"):
        example("custom_dataset.py", tmp_path / "test")


def test_embeddings_to_numpy_and_parquet(example: Example, tmp_path: Path, footage: Path) -> None:
    (tmp_path / "broken.mp4").touch()
    long, short = footage / "Ferien 2024" / "long one.mp4", footage / "blue.mp4"
    out = example("embeddings.py", long, tmp_path / "broken.mp4", short, tmp_path / "out")
    assert out.startswith("4 embeddings")
    vectors = np.load(tmp_path / "out" / "embeddings.npy")
    assert (vectors.shape, vectors.dtype) == ((4, 128), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    rows = pq.read_table(tmp_path / "out" / "windows.parquet").to_pylist()
    assert [row["path"] for row in rows] == [str(long)] * 3 + [str(short)]
    segments = np.array(rows[0]["segments"])
    mean = segments.mean(0) / np.linalg.norm(segments.mean(0))
    np.testing.assert_allclose(mean, vectors[0], atol=1e-5)
    with pytest.raises(SystemExit, match="nothing is written"):
        example("embeddings.py", tmp_path / "broken.mp4", tmp_path / "none")
