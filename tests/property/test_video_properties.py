"""What is true for all durations, cuts and pictures."""

import itertools

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from centerclip.preprocessing import Preprocessing
from centerclip.records import Window
from centerclip.video import cut_windows, fit, instants

durations = st.floats(0.01, 20_000.0)
longest = st.floats(0.5, 60.0)


@given(durations, longest, st.lists(st.floats(-10.0, 20_010.0), max_size=300))
def test_windows_tile_the_video(duration: float, max_seconds: float, cuts: list[float]) -> None:
    windows = cut_windows(duration, max_seconds, cuts=cuts)
    assert windows[0].start_seconds == 0
    assert windows[-1].end_seconds == duration
    assert all(left.end_seconds == right.start_seconds for left, right in itertools.pairwise(windows))
    lengths = [window.end_seconds - window.start_seconds for window in windows]
    assert min(lengths) > 0
    assert max(lengths) <= 1.25 * max_seconds * (1 + 1e-9)
    assert len(windows) == len(cut_windows(duration, max_seconds))


@given(st.floats(0, 1e5), st.floats(0.01, 1e4), st.integers(1, 64), st.none() | st.integers(0, 9))
def test_instants_ascend_inside_the_window(
    start: float, length: float, frames: int, seed: int | None
) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    drawn = instants(Window(start, start + length), frames, rng=rng)
    assert drawn.shape == (frames,)
    assert (np.diff(drawn) > 0).all()
    assert drawn[0] >= start
    assert drawn[-1] <= start + length


@given(*(st.integers(1, 90) for _ in range(4)), st.integers(0, 255), st.sampled_from(["crop", "squash"]))
def test_a_flat_picture_stays_flat_at_any_size(
    tall: int, wide: int, height: int, width: int, level: int, resize: str
) -> None:
    assume((height, width) != (1, 1))  # torch 2.13's kernel fails on a single pixel
    frames = torch.full((2, 3, tall, wide), level, dtype=torch.uint8)
    resized = fit(frames, Preprocessing((height, width), resize=resize))
    assert resized.shape == (2, 3, height, width)
    assert resized.is_contiguous()
    assert (resized == level).all()
