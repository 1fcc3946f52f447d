"""Broken, truncated and hostile files: frames if there are any, otherwise a plain reason."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from videos import BROKEN, damage, make_video, number_of, probe

from centerclip.errors import VideoError
from centerclip.records import Window
from centerclip.video import VideoReader, instants

Maker = Callable[[str], Path]

REASONS = {
    "audio.m4a": r"has no video stream: it holds only audio",
    "empty.mp4": r"is empty \(0 bytes\)",
    "text.mp4": r"is not a video that FFmpeg can read \(Invalid data found",
    "playlist.m3u8": r"is a playlist, not a video",
    "header-only.mp4": r"is not a video that FFmpeg can read",
    "index-missing.mp4": r"is not a video that FFmpeg can read",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_without_frames_is_refused_with_a_reason(name: str, video: Maker) -> None:
    video("h264.ts")  # what the playlist lists is there
    with pytest.raises(VideoError, match=REASONS[name]) as raised:
        probe(video(name))
    assert str(raised.value).startswith(f"{video(name)}: ")


def test_missing_files_folders_and_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="there is no such file"):
        probe(tmp_path / "missing.mp4")
    with pytest.raises(VideoError, match="is a folder, not a video file"):
        probe(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="is a device, not a video file"):
        probe(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("name", ["truncated.mp4", "truncated.mkv", "truncated.ts"])
def test_a_truncated_file_shows_the_frames_that_a_player_shows(name: str, video: Maker) -> None:
    """By their times: what a decoder paints over a hole depends on what was in its memory before."""
    seconds = []
    with av.open(video(name)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            with contextlib.suppress(av.FFmpegError):
                seconds += [float(frame.pts * stream.time_base) for frame in packet.decode()]
    played = np.array(seconds) - seconds[0]
    with VideoReader(video(name)) as reader:
        assert 1.0 < reader.info.duration_seconds < 3.0
        asked = instants(Window(0, reader.info.duration_seconds), 12)
        shown = [second for second, _ in reader.frames_at(asked)]
        whole = [number_of(picture) for _, picture in reader.frames_at(np.arange(15) / 10)]
    assert whole == list(range(15))
    assert shown == pytest.approx([played[played <= instant + 1e-6][-1] for instant in asked], abs=1e-6)


@pytest.mark.parametrize("name", ["overwritten.mp4", "overwritten.mkv"])
def test_damage_in_the_middle_costs_only_frames_near_it(name: str, video: Maker) -> None:
    with VideoReader(video(name)) as reader:
        asked = np.arange(40) / 10
        shown = list(reader.frames_at(asked))
        again = list(reader.frames_at(asked))
    seconds = [second for second, _ in shown]
    assert seconds == sorted(seconds)
    assert all(second <= instant + 1e-6 for second, instant in zip(seconds, asked, strict=True))
    # Bytes are overwritten from a quarter of the file on; what FFmpeg makes of them is not deterministic.
    assert [number_of(picture) for _, picture in shown[:5]] == list(range(5))
    assert len(again) == len(shown)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "vp9.webm", "mpeg4.avi", "hevc.mp4", "av1.mp4"])
def test_no_damage_crashes_or_hangs(name: str, video: Maker, tmp_path: Path) -> None:
    outcomes = set()
    for seed in range(6):
        path = damage(tmp_path / name, video(name), seed=seed, spots=4**seed)
        try:
            with VideoReader(path) as reader:
                length = reader.info.duration_seconds
                assert 0 < length < 8 * 86_400
                assert len(list(reader.frames_at(instants(Window(0, length), 12)))) == 12
                outcomes.add("frames")
        except VideoError:
            outcomes.add("error")
    assert "frames" in outcomes


def test_a_huge_picture_is_refused(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "large.mp4", "PNG")
    with pytest.raises(VideoError):
        probe(tmp_path / "large.mp4")
    Image.new("1", (60, 90)).save(tmp_path / "small.mp4", "PNG")
    assert (probe(tmp_path / "small.mp4").width, probe(tmp_path / "small.mp4").height) == (60, 90)


def test_names_and_titles_are_only_names_and_titles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colon doesn't end a protocol, a percent sign is no pattern, and a title needn't be UTF-8."""
    make_video(tmp_path / "12:30 at 100 %d.mp4", frames=3)
    monkeypatch.chdir(tmp_path)
    assert probe("12:30 at 100 %d.mp4").duration_seconds == pytest.approx(0.3)
    with av.open(tmp_path / "titled.avi", "w") as container:
        container.metadata["title"] = "caf_"
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
        container.mux(stream.encode())
    titled = (tmp_path / "titled.avi").read_bytes().replace(b"caf_", b"caf\xe9")
    (tmp_path / "titled.avi").write_bytes(titled)
    assert probe(tmp_path / "titled.avi").codec == "mjpeg"


def test_a_file_replaced_while_read_is_an_error(video: Maker, tmp_path: Path) -> None:
    path = tmp_path / "replaced.gif"
    path.write_bytes(video("animated.gif").read_bytes())
    with VideoReader(path) as reader:
        path.write_bytes(b"")
        with pytest.raises(VideoError, match="is empty"):
            list(reader.frames_at([1.0]))
