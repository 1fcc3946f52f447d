"""Excerpts: their sound and their size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from videos import number_of

from centerclip.video import VideoReader, cut_excerpt, excerpt

RATE = 48_000


def make_film(path: Path, codec: str) -> Path:
    """Write 4 seconds of video, with a key frame each second and a tone in the third second only."""
    with av.open(path, "w") as container:
        video: Any = container.add_stream(codec, rate=10, options={"g": "10", "bf": "0"})
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sound: Any = container.add_stream("aac", rate=RATE, layout="mono")
        for number in range(40):
            drawn = np.full((48, 64, 3), 5 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        seconds = np.arange(4 * RATE) / RATE
        tone = np.sin(2000 * seconds) * ((seconds >= 2) & (seconds < 3))
        heard = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
        heard.sample_rate = RATE
        container.mux(sound.encode(heard))
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_excerpts_have_the_sound_of_their_moment(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film(tmp_path / "film.mkv", codec)
    if codec == "libx264":  # the ways that aren't taken
        monkeypatch.delattr(excerpt, "_encode")
    else:
        monkeypatch.setattr(excerpt, "_COPIED", frozenset({"h264"}))
    excerpt.encode_excerpt(film, tmp_path / "here.mp4", start=1.0, end=4.0)
    cut_excerpt(film, tmp_path / "excerpt.mp4", start=1.0, end=4.0)
    assert (tmp_path / "excerpt.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()
    with av.open(tmp_path / "excerpt.mp4") as cut:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in cut.decode(audio=0)])
    loud = np.flatnonzero(np.abs(heard) > 0.1) / RATE
    assert loud[0] == pytest.approx(1.0, abs=0.06)
    assert loud[-1] == pytest.approx(2.0, abs=0.06)
    assert len(heard) / RATE == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(("name", "codec"), [("h264.mp4", "h264"), ("vp9.webm", "vp9"), ("av1.mp4", "av1")])
def test_what_browsers_play_is_copied(
    name: str, codec: str, video: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(excerpt, "_encode")
    excerpt.encode_excerpt(video(name), tmp_path / "excerpt.mp4", start=1.3, end=2.3)
    with VideoReader(tmp_path / "excerpt.mp4") as reader:
        assert reader.info.codec == codec
        assert reader.duration_seconds >= 1
        assert [number_of(picture) for _, picture in reader.frames_at([0.0])] == [12]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1080, 1920), (720, 1280)), ((3840, 2160), (720, 404)), ((480, 640), (480, 640)), ((47, 63), (48, 64))],
)
def test_excerpts_have_even_sizes_and_are_small(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert excerpt._shown_size(*size) == shown
