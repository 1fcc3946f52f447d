"""Opening by the container's own index: the same as by reading all packets, or not at all."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from videos import VIDEOS, make_video, number_of

from centerclip.video import VideoReader, cut_windows, packets
from centerclip.video.decode import DirectReader
from centerclip.video.mp4 import read_composition_offsets
from centerclip.video.packet_index import PacketIndex

Maker = Callable[[str], Path]

MP4S = [name for name in VIDEOS if name.endswith(".mp4")]
READ = {"fragments.mp4", "edited.mp4"}
"""Their indexes are in pieces, or begin before the file does."""


def opened(path: Path) -> tuple[PacketIndex, object, list[tuple[float, int]]]:
    """Return the index, the facts, and the times and numbers of all frames."""
    with DirectReader(path) as reader:
        shown = reader.frames_at(reader._timeline.seconds)
        return reader.packets, reader.facts, [(seconds, number_of(picture)) for seconds, picture in shown]


@pytest.mark.parametrize("name", MP4S)
def test_the_index_says_what_the_packets_say(
    name: str, video: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, facts, frames = opened(video(name))
    assert index.confirmed == (name in READ)
    monkeypatch.setattr(packets, "has_stored_index", lambda _: False)
    scanned, *others = opened(video(name))
    assert scanned.confirmed
    assert others == [facts, frames]
    for field, value in vars(replace(scanned, confirmed=index.confirmed)).items():
        np.testing.assert_array_equal(getattr(index, field), value, err_msg=field)
        np.testing.assert_array_equal(getattr(PacketIndex.from_bytes(index.to_bytes()), field), value)


def test_opening_reads_few_packets(tmp_path: Path) -> None:
    path = make_video(tmp_path / "long.mp4", frames=500, size=(16, 16), options={"g": "20"})
    read: list[None] = []
    with DirectReader(path, tick=lambda: read.append(None)) as reader:
        assert reader.facts.frames == 500
        assert len(read) < 70
        ((_, picture),) = reader.frames_at([31.0])
        assert number_of(picture) == 310
        assert len(read) < 110


def lie(path: Path, source: Path, which: int, shift: int) -> Path:
    """Write a copy whose list of key frames (`stss`) names another packet instead of one of them."""
    data = bytearray(source.read_bytes())
    place = data.index(b"stss") + 12 + 4 * which
    (packet,) = struct.unpack(">I", data[place : place + 4])
    data[place : place + 4] = struct.pack(">I", packet + shift)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "open-groups.mp4"])
@pytest.mark.parametrize(("which", "shift"), [(1, 4), (2, -5), (3, 2)])
def test_an_index_that_lies_about_a_key_frame_is_not_followed(
    name: str, which: int, shift: int, video: Maker, tmp_path: Path
) -> None:
    path = lie(tmp_path / "lie.mp4", video(name), which, shift)
    truth = opened(video(name))[2]
    with DirectReader(path) as reader:
        seconds = [second for second, _ in truth][::-3][::-1]
        shown = [(second, number_of(picture)) for second, picture in reader.frames_at(seconds)]
        assert shown == [frame for frame in truth if frame[0] in seconds]
        assert reader.packets.confirmed or not reader._planning
    with VideoReader(path) as isolated:
        wanted = isolated.choose(cut_windows(isolated.duration_seconds, 1.7), 5, "keys")
        for instant, (second, picture) in zip(wanted, isolated.frames_at(wanted), strict=True):
            assert (second, number_of(picture)) == max(frame for frame in truth if frame[0] <= instant + 1e-6)


def test_packets_beyond_the_end_of_the_file_are_not_believed(tmp_path: Path) -> None:
    front = make_video(
        tmp_path / "front.mp4", frames=60, options={"g": "10"}, container_options={"movflags": "faststart"}
    )
    whole = opened(front)[2]
    short = tmp_path / "short.mp4"
    short.write_bytes(front.read_bytes()[: int(front.stat().st_size * 0.7)])
    index, _, frames = opened(short)
    assert index.confirmed
    assert 20 < len(frames) < 60
    assert frames[:20] == whole[:20]


def test_a_file_that_grows_while_it_is_read_shows_what_it_had(video: Maker, tmp_path: Path) -> None:
    data = video("h264.ts").read_bytes()
    path = tmp_path / "growing.ts"
    path.write_bytes(data[: len(data) // 2 // 188 * 188])
    with DirectReader(path) as reader:
        seconds = reader._timeline.seconds[:-4]
        with path.open("ab") as file:
            file.write(data[len(data) // 2 // 188 * 188 :])
        shown = [number_of(picture) for _, picture in reader.frames_at(seconds)]
    assert shown == list(range(len(seconds)))
    assert len(opened(path)[2]) == 40


def test_a_forged_index_is_refused_rather_than_trusted(video: Maker, tmp_path: Path) -> None:
    path = tmp_path / "forged.mp4"
    whole = video("h264.mp4").read_bytes()
    assert read_composition_offsets(video("h264.mp4"), 1, 40) is not None
    assert read_composition_offsets(video("h264.mp4"), 1, 41) is None
    assert read_composition_offsets(video("h264.mp4"), 2, 40) is None
    assert read_composition_offsets(video("fragments.mp4"), 1, 40) is None
    begin = whole.index(b"moov") - 4
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for spot in rng.integers(begin, len(whole), 6):
            data[spot] = rng.integers(256)
        path.write_bytes(data[: rng.integers(begin, len(data) * 2)])
        offsets = read_composition_offsets(path, 1, 40)
        refused += offsets is None
        assert offsets is None or offsets.shape == (40,)
    assert 50 < refused < 300
