"""Windows as the model needs them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from videos import make_video, number_of, picture

from centerclip.preprocessing import Preprocessing
from centerclip.records import Window
from centerclip.video import VideoReader, cut_windows, fit, instants, read_window, read_windows
from centerclip.video.decode import DirectReader

Maker = Callable[[str], Path]
WHOLE = Preprocessing((48, 64))
"""The size of the tests' videos."""
SMALL = Preprocessing((24, 24))


def numbers_of(frames: torch.Tensor) -> list[int]:
    return [number_of(frame.permute(1, 2, 0).numpy()) for frame in frames]


def shown_in(jpeg: bytes) -> int:
    return number_of(np.asarray(Image.open(io.BytesIO(jpeg))))


def test_frames_are_those_at_the_instants_resized_for_the_model(video: Maker) -> None:
    window = Window(1.0, 3.0)
    with VideoReader(video("h264.mp4")) as reader:
        look = read_window(reader, window, 4, WHOLE)
        shown = [np.array(picture) for _, picture in reader.frames_at(instants(window, 4))]
        small = read_window(reader, window, 4, SMALL).frames
    assert look.frames.dtype == torch.uint8
    assert numbers_of(look.frames) == [12, 17, 22, 27]
    assert look.seconds.tolist() == pytest.approx([1.2, 1.7, 2.2, 2.7])
    assert look.bounds.tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert torch.equal(look.frames, torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2))
    assert torch.equal(small, fit(look.frames, SMALL))


def test_a_frame_that_several_instants_show_comes_once_and_represents_them_all(video: Maker) -> None:
    with VideoReader(video("one-frame.mp4")) as reader:
        look = read_window(reader, Window(0.0, reader.info.duration_seconds), 12, WHOLE)
        assert numbers_of(look.frames) == [0]
        assert look.bounds.tolist() == [0.0, reader.info.duration_seconds]
    with VideoReader(video("h264.mp4")) as reader:  # frames 1, 1, 1, 2, 2, 2, 2 at seven instants
        look = read_window(reader, Window(0.13, 0.27), 7, WHOLE)
    assert numbers_of(look.frames) == [1, 2]
    assert look.seconds.tolist() == pytest.approx([0.1, 0.2])
    assert look.bounds.tolist() == pytest.approx([0.13, 0.13 + 0.02 * 3, 0.27])


def test_a_generator_draws_other_instants_in_the_same_strides(video: Maker) -> None:
    window = Window(0.0, 4.0)
    with VideoReader(video("h264.mp4")) as reader:
        looks = [read_window(reader, window, 4, WHOLE, rng=np.random.default_rng(seed)) for seed in range(4)]
    drawn = {tuple(numbers_of(look.frames)) for look in looks}
    assert len(drawn) > 1
    assert all(10 * place <= number < 10 * place + 10 for row in drawn for place, number in enumerate(row))
    assert {tuple(look.bounds) for look in looks} == {(0.0, 1.0, 2.0, 3.0, 4.0)}


@pytest.mark.parametrize("name", ["h264.mp4", "open-groups.mp4", "uneven.mkv", "made-up-timestamps.avi"])
def test_windows_read_in_one_pass_equal_those_read_one_by_one(name: str, video: Maker) -> None:
    with VideoReader(video(name)) as reader:
        windows = cut_windows(reader.info.duration_seconds, 0.9, cuts=reader.scene_cuts())
        assert len(windows) > 3
        together = list(read_windows(reader, windows, 5, SMALL, pictures=2))
        for window, look in zip(windows, together, strict=True):
            alone = read_window(reader, window, 5, SMALL, pictures=2)
            for name in ("frames", "seconds", "bounds"):
                assert np.array_equal(getattr(look, name), getattr(alone, name))
            assert (look.bounds[0], look.bounds[-1]) == (window.start_seconds, window.end_seconds)
            assert look.pictures == alone.pictures
        assert list(read_windows(reader, [], 5, SMALL)) == []


def test_a_window_is_decoded_when_it_is_requested(video: Maker) -> None:
    with DirectReader(video("h264.mp4")) as reader:
        windows = read_windows(reader, cut_windows(4.0, 1.0), 4, SMALL)  # type: ignore[arg-type]
        next(windows)
        assert reader._packets.position < 20  # of 40: two of the groups are still to come


@pytest.fixture(scope="module")
def blank_middle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames at ten a second, of which 8 to 23 are black."""

    def draw(number: int) -> np.ndarray:
        return np.zeros((48, 64, 3), np.uint8) if 8 <= number < 24 else picture(number)

    path = tmp_path_factory.mktemp("pictures") / "blank.mp4"
    return make_video(path, frames=30, draw=draw, options={"qp": "10"})


def test_the_picture_shows_the_middle_of_the_window_unless_that_is_blank(blank_middle: Path) -> None:
    with VideoReader(blank_middle) as reader:
        dark_middle = read_window(reader, Window(0.0, 3.0), 6, SMALL).pictures  # frames 2, 7, 12, 17, 22, 27
        middle = read_window(reader, Window(0.0, 0.7), 7, SMALL).pictures
        black = read_window(reader, Window(0.9, 2.3), 3, SMALL).pictures
        none = read_window(reader, Window(0.0, 3.0), 6, SMALL, pictures=0).pictures
    assert [(seconds, shown_in(jpeg)) for seconds, jpeg in dark_middle] == [(0.0, 7)]
    assert [(seconds, shown_in(jpeg)) for seconds, jpeg in middle] == [(0.0, 3)]
    assert [seconds for seconds, _ in black] == [0.9]  # a black picture is better than none
    assert none == ()


def test_every_part_of_a_window_has_a_picture(video: Maker, blank_middle: Path) -> None:
    with VideoReader(video("h264.mp4")) as reader:
        thirds = read_window(reader, Window(0.0, 3.6), 9, SMALL, pictures=3).pictures
        uneven = read_window(reader, Window(0.0, 2.0), 5, SMALL, pictures=2).pictures  # 2 and 3 strides
        many = read_window(reader, Window(0.0, 2.0), 2, SMALL, pictures=5).pictures
    assert [(round(seconds, 9), shown_in(jpeg)) for seconds, jpeg in thirds] == [(0, 6), (1.2, 18), (2.4, 30)]
    assert [(round(seconds, 9), shown_in(jpeg)) for seconds, jpeg in uneven] == [(0, 2), (0.8, 14)]
    assert [seconds for seconds, _ in many] == [0.0, 1.0]
    with VideoReader(blank_middle) as reader:
        halves = read_window(reader, Window(0.0, 3.0), 6, SMALL, pictures=2).pictures
    assert [shown_in(jpeg) for _, jpeg in halves] == [7, 27]


def test_a_part_without_its_own_frame_has_no_picture(video: Maker) -> None:
    with VideoReader(video("two-frames.mp4")) as reader:
        length = reader.info.duration_seconds
        still = read_window(reader, Window(0.0, length / 2), 8, SMALL, pictures=4).pictures
        both = read_window(reader, Window(0.0, length), 8, SMALL, pictures=4).pictures
    assert [(seconds, shown_in(jpeg)) for seconds, jpeg in still] == [(0.0, 0)]
    assert [(seconds, shown_in(jpeg)) for seconds, jpeg in both] == [(0.0, 0), (length / 2, 1)]


def test_one_of_several_pictures_is_smaller_than_a_single_one(tmp_path: Path) -> None:
    path = make_video(tmp_path / "large.mp4", frames=8, size=(180, 360))
    with VideoReader(path) as reader:
        for pictures, width in ((1, 320), (2, 224)):
            made = read_window(reader, Window(0.0, 0.8), 4, SMALL, pictures=pictures).pictures
            assert [Image.open(io.BytesIO(jpeg)).width for _, jpeg in made] == [width] * pictures
