"""Clips as files: their names, what they never write over, and reels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from videos import make_video, number_of, picture

from centerclip.clips import Clip, Moment, Reel, clip_name, cut, cut_moments, cutting, make_reel
from centerclip.errors import VideoError
from centerclip.records import Failed
from centerclip.video import VideoReader


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("four seasons.mkv", "03_four seasons_01-02-03.500.mp4"),
        ("A001C002.MXF", "03_A001C002_01-02-03.500.mov"),
        ('what? "a:b" <c>|*\\.mp4', "03_what_ _a_b_ _c_____01-02-03.500.mp4"),
        ("line\nbreak\t.mp4", "03_line_break__01-02-03.500.mp4"),
        ("e\u0301te\u0301.mov", "03_été_01-02-03.500.mov"),
        ("dots....mp4", "03_dots_01-02-03.500.mp4"),
        ("...mp4", "03_video_01-02-03.500.mp4"),
        ("京都 👨‍👩‍👧.mp4", "03_京都 👨‍👩‍👧_01-02-03.500.mp4"),
        ("right\u202eto left.mp4", "03_right_to left_01-02-03.500.mp4"),
    ],
)
def test_names_sort_and_tell_and_are_safe(name: str, made: str) -> None:
    assert clip_name(Moment(Path("/videos", name), 3723.4999, 3725.0, rank=3)) == made


def test_any_name_gives_a_valid_one() -> None:
    for name in ["a\nb.mp4", "\udcff.mp4", "CON.mp4", " .mp4", "-rf.mp4", "京" * 80 + ".mp4"]:
        made = clip_name(Moment(Path(name), 0.0, 1.0, rank=12), digits=4)
        assert made.startswith("0012_")
        assert made.endswith("_00-00-00.000.mp4")
        assert len(made.encode()) <= 255
        assert not set(made) & set('<>:"/\\|?*\n\r\t\0')


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_files_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4")
    moments = [Moment(film, 0.0, 1.0, rank=1), Moment(film, 2.0, 3.0, rank=2)]
    folder = tmp_path / "new" / "clips"
    (first, second) = cut_moments(moments, folder)
    assert isinstance(first, Clip)
    assert isinstance(second, Clip)
    assert names(folder) == ["01_film_00-00-00.000.mp4", "02_film_00-00-02.000.mp4"]
    before = {entry.name: entry.stat().st_mtime_ns for entry in folder.iterdir()}
    assert [made.path for made in cut_moments(moments, folder)] == [first.path, second.path]
    assert {entry.name: entry.stat().st_mtime_ns for entry in folder.iterdir()} == before
    first.path.write_text("my notes", encoding="utf-8")
    (again, _) = cut_moments(moments, folder)
    assert first.path.read_text(encoding="utf-8") == "my notes"
    assert again.path.name == "01_film_00-00-00.000 (2).mp4"
    with pytest.raises(FileExistsError):
        cut(film, 0.0, 1.0, first.path)
    assert len(names(folder)) == 3


def test_a_clip_that_fails_costs_only_itself_and_leaves_nothing(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4")
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    moments = [Moment(tmp_path / "text.mp4", 0.0, 1.0, rank=1), Moment(film, 0.0, 1.0, rank=2)]
    (lost, made) = cut_moments(moments, tmp_path / "clips")
    assert isinstance(lost, Failed)
    assert lost.path == tmp_path / "text.mp4"
    assert lost.reason.startswith("is not a video that FFmpeg can read")
    assert isinstance(made, Clip)
    assert names(tmp_path / "clips") == [made.path.name]


def test_a_clip_appears_only_once_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_video(tmp_path / "film.mp4")

    def full(path: Path, target: Path, **_: object) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cutting, "cut_clip", full)
    (lost,) = cut_moments([Moment(film, 0.0, 1.0)], tmp_path / "clips")
    assert isinstance(lost, Failed)
    assert "No space left" in lost.reason
    assert names(tmp_path / "clips") == []


def test_without_hard_links_a_clip_still_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_video(tmp_path / "film.mp4")

    def unsupported(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    for count in (1, 1):
        (made,) = cut_moments([Moment(film, 0.0, 1.0)], tmp_path / "clips")
        assert made.path.stat().st_size > 0
        assert len(names(tmp_path / "clips")) == count


def test_a_reel_shows_moments_of_different_files_one_after_the_other(tmp_path: Path) -> None:
    first = sounding(tmp_path / "first.mkv", rate=20)
    upright = make_video(tmp_path / "upright.mp4", size=(96, 48), rotation=90)
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    moments = [
        Moment(first, 1.0, 2.0, rank=1),
        Moment(tmp_path / "text.mp4", 0.0, 1.0, rank=2),
        Moment(upright, 0.5, 1.5, rank=3),
        Moment(first, 3.5, 99.0, rank=4),
    ]
    *steps, reel = make_reel(moments, tmp_path / "reel.mp4")
    assert [isinstance(step, Failed) for step in steps] == [False, True, False, False]
    assert isinstance(reel, Reel)
    assert [moment.rank for moment in reel.moments] == [1, 3, 4]
    assert names(tmp_path) == ["first.mkv", "reel.mp4", "text.mp4", "upright.mp4"]
    with VideoReader(reel.path) as reader:
        assert (reader.info.height, reader.info.width) == (96, 128)
        times = np.arange(50) / 20 + 0.01
        shown = [picture.copy() for _, picture in reader.frames_at(times)]
        assert reader.duration_seconds == pytest.approx(2.5)
    assert [number_of(one) for one in shown[:20]] == list(range(20, 40))
    # The upright film has 10 frames per second, and black on both sides.
    assert [number_of(one[:, 40:88]) for one in shown[20:40]] == [n for n in range(5, 15) for _ in (1, 2)]
    assert max(one[:, :38].max() for one in shown[20:40]) < 24
    assert [number_of(one) for one in shown[40:]] == list(range(70, 80))
    with av.open(reel.path) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.abs(heard) > 0.1
    for start, end, sounds in ((0.1, 0.9, True), (1.1, 1.9, False), (2.1, 2.4, True)):
        assert loud[int(start * 48_000) : int(end * 48_000)].any() == sounds
    assert len(heard) / 48_000 == pytest.approx(2.5, abs=0.03)


def test_sound_that_begins_late_does_so_in_a_reel(tmp_path: Path) -> None:
    film = sounding(tmp_path / "late.mkv", rate=20, late=1.0)
    *_, reel = make_reel([Moment(film, 0.5, 2.0)], tmp_path / "reel.mp4")
    assert isinstance(reel, Reel)
    with av.open(reel.path) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert np.flatnonzero(np.abs(heard) > 0.1)[0] / 48_000 == pytest.approx(0.5, abs=0.05)


def test_a_reel_of_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    with pytest.raises(VideoError, match="none of these videos can be read"):
        next(make_reel([Moment(tmp_path / "text.mp4", 0.0, 1.0)], tmp_path / "reel.mp4"))
    assert names(tmp_path) == ["text.mp4"]


def test_closing_a_reel_leaves_nothing(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4")
    steps: Iterator[Any] = make_reel([Moment(film, 0.0, 1.0)] * 2, tmp_path / "reel.mp4")
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert names(tmp_path) == ["film.mp4"]


def sounding(path: Path, *, rate: int, late: float = 0.0) -> Path:
    """Write 4 seconds of 96 x 128 pixels with a tone that begins late and lasts 4 seconds."""
    with av.open(path, "w") as container:
        video: Any = container.add_stream("libx264", rate=rate)
        video.height, video.width, video.pix_fmt = 96, 128, "yuv420p"
        sound: Any = container.add_stream("aac", rate=44_100, layout="mono")
        for number in range(4 * rate):
            frame = av.VideoFrame.from_ndarray(picture(number, (96, 128)), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        tone = 0.5 * np.sin(np.arange(4 * 44_100) / 10)[None].astype(np.float32)
        heard = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        heard.sample_rate, heard.time_base = 44_100, Fraction(1, 44_100)
        heard.pts = round(late * 44_100)
        container.mux(sound.encode(heard))
        container.mux(sound.encode())
    return path
