"""Windows as the model takes them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from videos import make_video, number_of, picture

from centerclip.records import Window
from centerclip.video import VideoReader, cut_windows, instants, read_window, read_windows, resize_crop

Maker = Callable[[str], Path]


def numbers_of(frames: torch.Tensor) -> list[int]:
    return [number_of(frame.permute(1, 2, 0).numpy()) for frame in frames]


def test_the_frames_at_the_instants_at_the_size(video: Maker) -> None:
    window = Window(1.0, 3.0)
    with VideoReader(video("h264.mp4")) as reader:
        frames, _ = read_window(reader, window, 4, (48, 64))
        shown = [np.array(picture) for _, picture in reader.frames_at(instants(window, 4))]
        small, _ = read_window(reader, window, 4, (24, 24))
    assert frames.dtype == torch.uint8
    assert numbers_of(frames) == [12, 17, 22, 27]
    assert torch.equal(frames, torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2))
    assert torch.equal(small, resize_crop(frames, (24, 24)))


def test_fewer_frames_than_asked_for_are_not_repeated(video: Maker) -> None:
    for name, count in (("one-frame.mp4", 1), ("two-frames.mp4", 2)):
        with VideoReader(video(name)) as reader:
            frames, _ = read_window(reader, Window(0.0, reader.info.duration_seconds), 12, (48, 64))
        assert numbers_of(frames) == list(range(count))


def test_a_generator_draws_other_instants(video: Maker) -> None:
    window = Window(0.0, 4.0)
    with VideoReader(video("h264.mp4")) as reader:
        drawn = {
            tuple(numbers_of(read_window(reader, window, 4, (48, 64), rng=np.random.default_rng(seed))[0]))
            for seed in range(4)
        }
    assert len(drawn) > 1
    assert all(10 * place <= number < 10 * place + 10 for row in drawn for place, number in enumerate(row))


@pytest.mark.parametrize("name", ["h264.mp4", "open-groups.mp4", "uneven.mkv", "made-up-timestamps.avi"])
def test_all_windows_in_one_pass_are_those_read_one_by_one(name: str, video: Maker) -> None:
    with VideoReader(video(name)) as reader:
        windows = cut_windows(reader.info.duration_seconds, 0.9, cuts=reader.scene_cuts())
        assert len(windows) > 3
        together = list(read_windows(reader, windows, 5, (32, 32)))
        for window, (frames, thumbnail) in zip(windows, together, strict=True):
            alone, its_thumbnail = read_window(reader, window, 5, (32, 32))
            assert torch.equal(frames, alone)
            assert thumbnail == its_thumbnail
        assert list(read_windows(reader, [], 5, (32, 32))) == []


def test_a_window_is_decoded_when_it_is_asked_for(video: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    with VideoReader(video("h264.mp4")) as reader:
        windows = read_windows(reader, cut_windows(4.0, 1.0), 4, (32, 32))
        next(windows)
        assert reader._packets.position < 20  # of 40: the second and the fourth group are still to come


def test_the_thumbnail_is_the_middle_of_the_window_unless_that_is_blank(tmp_path: Path) -> None:
    def draw(number: int) -> np.ndarray:
        return np.zeros((48, 64, 3), np.uint8) if 8 <= number < 24 else picture(number)

    path = make_video(tmp_path / "blank.mp4", frames=30, draw=draw, options={"qp": "10"})
    with VideoReader(path) as reader:
        _, dark_middle = read_window(reader, Window(0.0, 3.0), 6, (32, 32))  # frames 2, 7, 12, 17, 22, 27
        _, middle = read_window(reader, Window(0.0, 0.7), 7, (32, 32))
    assert number_of(np.asarray(Image.open(io.BytesIO(dark_middle)))) == 7
    assert number_of(np.asarray(Image.open(io.BytesIO(middle)))) == 3
