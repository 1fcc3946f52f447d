"""Frames in a Lance table: the same weights as from a cache, without the videos."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from centerclip.embedding.packed import PackedFrames, pack_frames
from centerclip.errors import ConfigError, DatasetError, VideoError
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item
from centerclip.training.loop import train
from centerclip.training.packing import pack

SMALL = Preprocessing((32, 32))


def weights(run: Path) -> Any:
    return torch.load(run / "checkpoint.pt", weights_only=True)["model"]


def test_a_run_on_a_table_equals_one_with_a_cache_and_needs_no_videos(
    recipe: Any, world: Path, tmp_path: Path
) -> None:
    table = str(tmp_path / "tables/toy.lance")
    cached = {"cache": tmp_path / "cache", "cached_frames": 6}
    train(recipe(tmp_path / "cached", data=cached))
    here = shutil.copytree(world, tmp_path / "world")
    packing = {"videos": here, "frames": table, "cached_frames": 6, "cache": None}
    shown: list[tuple[int, int]] = []
    assert pack(recipe(tmp_path / "x", data=packing), progress=lambda *counts: shown.append(counts)) == 12
    assert shown[-1] == (12, 12)
    assert pack(recipe(tmp_path / "x", data=packing)) == 0
    for video in here.rglob("*.mp4"):
        video.unlink()
    packed = {"videos": None, "annotations": here, "frames": table, "cache": None}
    config = recipe(tmp_path / "packed", data=packed)
    train(config, should_stop=lambda: True)
    train(config)  # goes on exactly
    expected, found = weights(tmp_path / "cached"), weights(tmp_path / "packed")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_packing_goes_on_after_an_error_and_keeps_what_was_decoded(world: Path, tmp_path: Path) -> None:
    videos = [Item(path, id=path.name) for path in sorted((world / "train").glob("*.mp4"))[:3]]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    table = str(tmp_path / "frames.lance")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        pack_frames(table, [*videos[:2], Item(broken, id="broken")], SMALL, kept=4, workers=1)
    assert PackedFrames(table).ids == {videos[0].id, videos[1].id}
    assert pack_frames(table, videos, SMALL, kept=4) == 1
    frames = PackedFrames(table).read(videos[2], 3)
    assert (frames.dtype, tuple(frames.shape)) == (torch.uint8, (3, 3, 32, 32))
    with pytest.raises(VideoError, match="other is not in"):
        PackedFrames(table).read(Item(broken, id="other"), 3)
    with pytest.raises(ConfigError, match="has 4 frames per video, not 3"):
        pack_frames(table, videos, SMALL, kept=3)
    with pytest.raises(ConfigError, match="pack them again"):
        PackedFrames(table).check(SMALL, 5)
    with pytest.raises(ConfigError, match="pack them again"):
        PackedFrames(table).check(Preprocessing((16, 16)), 4)


def test_a_store_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = str(tmp_path / "frames.lance")
    pack_frames(table, [], SMALL, kept=4)

    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError('lance error: Status 404 "<Message>The bucket does not exist</Message>"')

    monkeypatch.setattr("lancedb.connect", fail)
    with pytest.raises(ConfigError, match=r"used \(The bucket does not exist\): check its"):
        PackedFrames(table)


def test_what_is_no_table_is_refused(recipe: Any, world: Path, tmp_path: Path) -> None:
    for place, message in (
        (str(tmp_path / "none.lance"), "no table of frames at .*none.lance: write one with centerclip pack"),
        (str(tmp_path / "frames"), "must end with .lance"),
        ("s3://bucket/.lance", "must end with .lance"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(recipe(tmp_path / "run", data={"frames": place, "cache": None}))
    assert not (tmp_path / "none.lance").exists()
    with pytest.raises(ConfigError, match=r"data\.videos, the folder of the videos, and data\.frames"):
        pack(recipe(tmp_path / "run"))
    for section, message in (
        ({"videos": None, "cache": None}, "give videos"),
        ({"frames": "x.lance", "cache": "c"}, "remove cache"),
        ({"videos": None, "frames": "x.lance", "cache": None}, "give annotations"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe(tmp_path, data=section)
    pack_frames(str(tmp_path / "few.lance"), [], SMALL, kept=12)
    with pytest.raises(DatasetError, match="videos are not in the table of frames"):
        train(recipe(tmp_path / "run", data={"frames": str(tmp_path / "few.lance"), "cache": None}))
