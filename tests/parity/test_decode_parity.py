"""Planned, sought and skipped frames equal those of PyAV decoding every packet from the start, bit for
bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from videos import FIRST_NUMBERS, VIDEOS, number_of

from centerclip.records import Sampling, Window
from centerclip.video import VideoReader, cut_windows, instants, packets, strides
from centerclip.video.decode import DirectReader

# Files without reliable timestamps: their frames are shown at this rate.
RATES = {"without-timestamps.h264": 25, "made-up-timestamps.avi": 10}
# Files that have to be decoded from the start. For all others decoding is planned, and frames are skipped if
# the decoder can: falling back would give the same frames, but slowly.
PLAYED = {*RATES, "animated.gif", "no-true-keys.mp4"}


def decode_everything(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the times, in seconds from the first frame, and pictures of all frames in display order."""
    with av.open(path) as container:
        frames = [
            (frame.pts, frame.time_base, frame.rotation, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]
    rate = RATES.get(path.name)
    seconds = [
        n / rate if rate else float((frames[n][0] - frames[0][0]) * frames[n][1]) for n in range(len(frames))
    ]
    return np.array(seconds), [np.rot90(picture, rotation // 90) for _, _, rotation, picture in frames]


def shown_at(seconds: np.ndarray, instant: float) -> int:
    """Return the last frame up to a microsecond after an instant, or the first."""
    return max([n for n, second in enumerate(seconds) if second <= instant + 1e-6], default=0)


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_are_those_of_decoding_everything(name: str, video: Callable[[str], Path]) -> None:
    path = video(name)
    seconds, pictures = decode_everything(path)
    first = FIRST_NUMBERS.get(name, 0)
    assert [number_of(picture) for picture in pictures] == list(range(first, first + len(pictures)))
    rng = np.random.default_rng(0)
    end = seconds[-1] + 0.3
    with DirectReader(path) as reader, VideoReader(path) as isolated:
        np.testing.assert_allclose(reader._timeline.seconds, seconds, atol=1e-6)
        asked = [
            rng.choice(seconds, 9),  # exactly at frames
            rng.uniform(-0.3, end, 5),
            rng.uniform(end * 0.6, end, 20),  # near the end, then back to the beginning
            rng.uniform(0, end * 0.2, 3),
            *(instants(Window(start * end, (start + 0.25) * end), 4) for start in (0, 0.25, 0.5, 0.75)),
            [end + 100],
        ]
        for wanted in map(np.sort, asked):
            shown = list(reader.frames_at(wanted))
            assert len(shown) == len(wanted)
            for (second, picture), other in zip(shown, isolated.frames_at(wanted), strict=True):
                assert other[0] == second
                np.testing.assert_array_equal(other[1], picture)
            for instant, (second, picture) in zip(wanted, shown, strict=True):
                number = shown_at(seconds, instant)
                assert second == pytest.approx(seconds[number], abs=1e-6)
                np.testing.assert_array_equal(
                    picture, pictures[number], err_msg=f"frame {number} at {instant}"
                )
        assert reader._planning == (name not in PLAYED)
        skips = reader.facts.codec in {"h264", "hevc", "mpeg4", "mpeg2video"} and name not in PLAYED
        assert reader._stream.skipping == skips


@pytest.mark.parametrize("sampling", ["cheapest", "keys"])
@pytest.mark.parametrize("name", VIDEOS)
def test_frames_chosen_by_their_cost_are_those_of_decoding_everything(
    name: str, sampling: Sampling, video: Callable[[str], Path]
) -> None:
    path = video(name)
    seconds, pictures = decode_everything(path)
    with VideoReader(path) as reader:
        windows = cut_windows(reader.duration_seconds, 1.3, cuts=reader.scene_cuts(), frames=reader.frames)
        wanted = reader.choose(windows, 4, sampling)
        assert len(wanted) == 4 * len(windows)
        assert (np.diff(wanted) >= 0).all()
        for row, window in zip(wanted.reshape(-1, 4), windows, strict=True):
            edges = strides(window, 4)
            slack = edges[1] - edges[0] if sampling == "keys" else 0
            assert (row >= np.maximum(edges[:-1] - slack, edges[0]) - 1e-6).all()
            assert (row <= np.minimum(edges[1:] + slack, edges[-1]) + 1e-6).all()
        for instant, (second, picture) in zip(wanted, reader.frames_at(wanted), strict=True):
            number = shown_at(seconds, instant)
            assert second == pytest.approx(seconds[number], abs=1e-6)
            np.testing.assert_array_equal(picture, pictures[number], err_msg=f"frame {number} at {instant}")


@pytest.mark.parametrize(
    "name",
    ["open-groups.mp4", "open-groups.ts", "hevc-open-groups.mkv", "mpeg2.mpg", "uneven.mkv", "edited.mp4"],
)
def test_any_frame_can_be_the_first_to_be_read(
    name: str, video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame by its own reader, always by seeking."""
    monkeypatch.setattr(packets, "_SKIM", 0)
    seconds, pictures = decode_everything(video(name))
    for number in range(0, len(pictures), 2):
        with DirectReader(video(name)) as reader:
            ((_, picture),) = reader.frames_at([seconds[number]])
        np.testing.assert_array_equal(picture, pictures[number], err_msg=f"frame {number}")
