"""Workers read a video at an address through this process, and little of it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from videos import make_video, number_of
from web_files import WebFiles, web_files

from centerclip.errors import VideoError
from centerclip.remote import Address, web
from centerclip.video import VideoReader, content_id, cut_clip, cut_excerpt, media_of, read_recorded, sharing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short video, and one of 1,400 s and more than 40 MB."""
    folder = tmp_path_factory.mktemp("site")
    make_video(folder / "short.mp4", container_options={"movflags": "+faststart"})
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 96, 3), np.uint8)
    with av.open(folder / "long.mp4", "w") as written:
        stream: Any = written.add_stream("mjpeg", rate=5, options={"qmin": "1", "qmax": "1"})
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        frames = (av.VideoFrame.from_ndarray(picture, "rgb24") for picture in noise)
        encoded = [bytes(packet) for frame in frames for packet in stream.encode(frame)]
        for number in range(7000):
            packet = av.Packet(encoded[number % len(encoded)])
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 5), True
            packet.pts = packet.dts = number
            packet.duration = 1
            written.mux(packet)
    return folder


@pytest.fixture
def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.0)
    with web_files(folder) as state:
        yield state


def test_same_as_a_local_file(site: WebFiles, folder: Path) -> None:
    there, here = Address(site.address("short.mp4")), folder / "short.mp4"
    instants = [0.0, 1.0, 2.05, 3.9]
    with VideoReader(there) as reader, VideoReader(here) as local:
        assert [number_of(frame) for _, frame in reader.frames_at(instants)] == [0, 10, 20, 39]
        assert reader.info.video_id == local.info.video_id == content_id(there)
        assert reader.info.path == there
        assert reader.scene_cuts() == local.scene_cuts()
    assert media_of(there) == media_of(here)
    assert read_recorded(there) == read_recorded(here)


def test_a_window_takes_little_of_a_long_file(site: WebFiles, folder: Path) -> None:
    size = (folder / "long.mp4").stat().st_size
    assert size > 40e6
    with VideoReader(Address(site.address("long.mp4"))) as reader:
        shown = [time for time, _ in reader.frames_at(np.arange(300.1, 312))]
    assert shown == list(range(300, 312))
    assert site.sent_bytes <= 0.05 * size
    assert len(site.asked) <= 8


@pytest.mark.parametrize("cut", [cut_clip, cut_excerpt])
def test_clips_and_excerpts_take_little(cut: Any, site: WebFiles, folder: Path, tmp_path: Path) -> None:
    cut(Address(site.address("long.mp4")), tmp_path / "cut.mp4", start=300.0, end=304.0)
    with VideoReader(tmp_path / "cut.mp4") as reader:
        assert 3.5 < reader.duration_seconds < 5.5
    assert site.sent_bytes <= 0.05 * (folder / "long.mp4").stat().st_size


def test_failing_server_is_not_a_damaged_video(site: WebFiles) -> None:
    with VideoReader(Address(site.address("long.mp4"))) as reader:
        site.down = True
        with pytest.raises(VideoError, match=r"long.mp4: can't be read \(its server failed \(503\)\)"):
            list(reader.frames_at([100.0]))
        site.down = False
        assert [time for time, _ in reader.frames_at([200.1])] == [200.0]


def test_server_without_ranges(site: WebFiles) -> None:
    site.ranges = False
    with pytest.raises(VideoError, match="sends whole files only, .*: it can be indexed, but not played"):
        VideoReader(Address(site.address("long.mp4")))


def test_worker_gets_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AWS_SECRET_ACCESS_KEY": "x", "CENTERCLIP_TOKEN": "x", "HTTPS_PROXY": "x", "PATH": "/bin"}
    assert sharing._harmless(given) == {"PATH": "/bin"}
