"""Rendered files: valid videos, reproducible, resumable, readable as a data set."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from centerclip.datasets import DATASETS, load_dataset
from centerclip.errors import DatasetError
from centerclip.lab.toy_world import render_toy_world, sample_scene
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.render import FPS, SIZE
from centerclip.lab.toy_world.sampling import SPLITS
from centerclip.lab.toy_world.scenes import draw_frames


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_toy_world(tmp_path_factory.mktemp("world"), train=3, val=1, test=2, workers=1)


def test_videos_match_their_annotations(world: Path) -> None:
    for line in (world / "train.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert len(record["captions"]) == 4
        assert len(record["things"]) == len(record["colors"]) == len(record["motions"])
        with av.open(str(world / record["video"])) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert len(frames) == round(record["seconds"] * FPS) >= 24
        assert frames[0].shape == (*SIZE, 3)


def test_decoded_frames_are_the_drawn_ones(tmp_path: Path) -> None:
    scene = sample_scene(np.random.default_rng(0), seconds=1)
    drawn = list(draw_frames(scene, FPS, SIZE))
    write_video(tmp_path / "a.mp4", [drawn], fps=FPS, size=SIZE)
    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    errors = [np.abs(got - np.asarray(picture)).mean() for got, picture in zip(decoded, drawn, strict=True)]
    assert max(errors) < 8  # of 255: lossy, and color at half resolution


def test_files_depend_on_the_seed_but_not_on_the_workers(world: Path, tmp_path: Path) -> None:
    again = render_toy_world(tmp_path / "again", train=3, val=1, test=2, workers=2)
    assert contents(again) == contents(world)
    other = render_toy_world(tmp_path / "other", train=0, val=0, test=2, seed=1, workers=1)
    assert (other / "test.jsonl").read_bytes() != (world / "test.jsonl").read_bytes()


def test_an_interrupted_run_is_resumed(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    render_toy_world(folder, train=2, val=0, test=0, workers=1)
    kept = (folder / "train/000001.mp4").stat().st_mtime_ns
    (folder / "train/000000.mp4").unlink()
    seen: list[tuple[int, int]] = []
    render_toy_world(folder, train=3, val=1, test=2, workers=1, progress=lambda *done: seen.append(done))
    assert (folder / "train/000001.mp4").stat().st_mtime_ns == kept
    assert contents(folder) == contents(world)
    assert seen == [(done, 6) for done in range(1, 7)]


def test_worlds_are_not_mixed(world: Path) -> None:
    with pytest.raises(DatasetError, match="another folder"):
        render_toy_world(world, train=1, seed=7, workers=1)


def test_the_data_set_reads_rendered_files(world: Path) -> None:
    dataset = load_dataset("toy-world", "train", videos=world)
    assert (len(dataset.videos), len(dataset.captions)) == (3, 12)
    np.testing.assert_array_equal(dataset.video_of_caption(), np.repeat(np.arange(3), 4))
    assert all(video.path.is_file() for video in dataset.videos)
    assert len(load_dataset("toy-world", videos=world).captions) == 4
    assert set(DATASETS["toy-world"].splits) == set(SPLITS)
