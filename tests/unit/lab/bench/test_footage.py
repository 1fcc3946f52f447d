"""Recordings: readable by every codec, with key frames where they are wanted."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from centerclip.lab.bench.footage import RECORDERS, make_recording, recording_name
from centerclip.video import VideoReader


@pytest.mark.parametrize("codec", RECORDERS)
def test_a_recording_has_its_codec_length_and_key_frames(codec: str, tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.mkv", codec=codec, size=(72, 128), seconds=2, key_frames=20)
    with VideoReader(path) as reader:
        info = reader.info
        pictures = [np.array(picture) for _, picture in reader.frames_at([0.0, 1.0])]
    name = {"mpeg2": "mpeg2video"}.get(codec, codec)
    assert (info.codec, info.width, info.height, round(info.duration_seconds, 2)) == (name, 128, 72, 2.0)
    assert all(picture.std() > 10 for picture in pictures)  # texture
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 5  # movement
    with av.open(path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    assert len(packets) == 50
    keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    if codec == "mpeg2":  # whose encoder doesn't count the B-frames between two groups
        assert (keys[0], len(keys)) == (0, 3)
    else:
        assert keys == (list(range(50)) if codec == "mjpeg" else [0, 20, 40])
    before = path.stat().st_mtime_ns
    assert make_recording(path).stat().st_mtime_ns == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.mkv"]


def test_recordings_that_differ_have_different_names() -> None:
    names = {
        recording_name(codec, size, seconds, keys)
        for codec in ("h264", "av1")
        for size in ((72, 128), (128, 72))
        for seconds in (2.0, 2.5)
        for keys in (25, 50)
    }
    assert len(names) == 16
    assert recording_name("h264", (72, 128), 2, 25).startswith("h264-128x72-2s-25-")
