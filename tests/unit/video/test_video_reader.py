"""What a reader knows about a file, and how little it decodes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from videos import make_video, number_of, probe

from centerclip.video import VideoReader, content_id
from centerclip.video.decode import DirectReader
from centerclip.video.frames import FrameStream
from centerclip.video.packets import PacketReader

Maker = Callable[[str], Path]


def test_a_file_is_described(video: Maker) -> None:
    path = video("h264.mp4")
    info = probe(path)
    assert info.path == path
    assert info.video_id == content_id(path)
    assert (info.width, info.height, info.codec) == (64, 48, "h264")
    assert info.duration_seconds == pytest.approx(4.0)
    assert info.frame_rate == pytest.approx(10.0)
    assert info.size_bytes == path.stat().st_size
    assert info.modified_seconds == path.stat().st_mtime


@pytest.mark.parametrize(
    "name", ["h264.mp4", "unknown-duration.webm", "fragments.mp4", "late-start.ts", "h264.flv"]
)
def test_the_duration_is_that_of_the_packets(name: str, video: Maker) -> None:
    assert probe(video(name)).duration_seconds == pytest.approx(4.0)


@pytest.mark.parametrize("name", ["hevc.mp4", "vp9.webm", "av1.mp4", "mpeg4.avi", "vp8-hidden-frames.webm"])
def test_the_codec_has_its_common_name(name: str, video: Maker) -> None:
    assert probe(video(name)).codec == name.split(".")[0].split("-")[0]


def test_instants_of_one_frame_share_its_picture(video: Maker) -> None:
    with VideoReader(video("two-frames.mp4")) as reader:
        pictures = [picture for _, picture in reader.frames_at(np.linspace(0, 0.2, 5))]
        assert list(reader.frames_at([])) == []
    assert len({id(picture) for picture in pictures}) == 2


@pytest.mark.parametrize("seconds", [[1.0, 0.5], [float("nan")], [0.0, float("inf")]])
def test_instants_that_descend_or_are_not_finite_are_refused(seconds: list[float], video: Maker) -> None:
    with VideoReader(video("h264.mp4")) as reader, pytest.raises(ValueError, match="finite and ascend"):
        reader.frames_at(seconds)


def test_an_abandoned_iterator_leaves_the_reader_usable(video: Maker) -> None:
    with VideoReader(video("h264.mp4")) as reader:
        for stop in (0.5, 2.0, 1.0, 3.9):
            next(reader.frames_at([stop, stop + 0.05]))
        assert [number_of(picture) for _, picture in reader.frames_at([0.7, 2.5])] == [7, 25]


@pytest.mark.parametrize("name", ["h264.mp4", "open-groups.ts", "hevc-open-groups.mkv"])
def test_frames_requested_one_by_one_are_decoded_even_if_skipped_before(name: str, video: Maker) -> None:
    with DirectReader(video(name)) as reader:
        one_by_one = [next(reader.frames_at([second])) for second in reader._timeline.seconds]
        shown = [number_of(picture) for _, picture in one_by_one]
        assert shown == list(range(len(shown)))
        assert reader._planning
        assert reader._stream.skipping


@pytest.fixture
def packets_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the packets that go to the decoder; every seek is made."""
    numbers: list[int] = []
    read = PacketReader.read

    def count(self: PacketReader) -> object:
        numbers.append(self.position)
        return read(self)

    monkeypatch.setattr("centerclip.video.packets._SKIM", 0)
    monkeypatch.setattr(PacketReader, "read", count)
    return numbers


def test_only_the_wanted_groups_are_decoded(video: Maker, packets_read: list[int]) -> None:
    with DirectReader(video("h264.mp4")) as reader:  # groups begin at packets 0, 12, 24 and 36
        packets_read.clear()
        assert [number_of(picture) for _, picture in reader.frames_at([2.6])] == [26]
    assert set(packets_read) <= set(range(24, 36))
    with DirectReader(video("every-frame-a-key.mp4")) as reader:
        packets_read.clear()
        shown = [number_of(picture) for _, picture in reader.frames_at([0.5, 1.5, 2.5, 3.9])]
    assert shown == [5, 15, 25, 39]
    assert sorted(set(packets_read) - {40}) == shown  # 40 is the end of the file


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "mpeg4.avi", "mpeg2.mpg"])
def test_frames_that_no_other_refers_to_are_skipped(
    name: str, video: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    following = FrameStream.next

    def note(self: FrameStream, until: int | None = None) -> VideoFrame | None:
        decoded.append(following(self, until))
        return decoded[-1]

    monkeypatch.setattr(FrameStream, "next", note)
    with DirectReader(video(name)) as reader:
        asked = reader._timeline.seconds[[10, 20, 30]]
        shown = [number_of(picture) for _, picture in reader.frames_at(asked)]
    assert shown == [10, 20, 30]
    assert len(decoded) < 24  # of the 31 up to there, more than a third are B-frames


@pytest.mark.parametrize("name", ["h264.mp4", "open-groups.ts", "uneven.mkv"])
def test_a_file_that_seeks_elsewhere_is_read_from_its_start(
    name: str, video: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek = PacketReader._seek

    def miss(self: PacketReader, number: int) -> bool:
        landed = seek(self, number)
        self.position += 7 if landed and number else 0
        return landed

    monkeypatch.setattr("centerclip.video.packets._SKIM", 0)
    monkeypatch.setattr(PacketReader, "_seek", miss)
    with DirectReader(video(name)) as reader:
        for number in (35, 15, 25, 5):
            ((_, picture),) = reader.frames_at([reader._timeline.seconds[number]])
            assert number_of(picture) == number


def test_a_file_without_random_access_is_played_in_one_pass(video: Maker, packets_read: list[int]) -> None:
    with DirectReader(video("animated.gif")) as reader:
        packets_read.clear()
        for start in (0.5, 1.5, 2.5):
            shown = [number_of(picture) for _, picture in reader.frames_at([start, start + 0.5])]
            assert shown == [start * 10, start * 10 + 5]
    assert sorted(packets_read) == list(range(max(packets_read) + 1))  # each packet once


def test_scene_cuts_come_from_early_keys(tmp_path: Path) -> None:
    scenes = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)

    def draw(number: int) -> np.ndarray:
        return scenes[int(number >= 17)]

    options = {"x264-params": "keyint=25:min-keyint=1:log-level=-1"}
    path = make_video(tmp_path / "cut.mp4", frames=100, options=options, draw=draw)
    with VideoReader(path) as reader:
        assert reader.scene_cuts() == pytest.approx([1.7])


def test_a_closed_reader_frees_its_frames_at_once(video: Maker) -> None:
    gc.collect()
    gc.disable()
    try:
        for name in ("h264.mp4", "animated.gif", "on-its-side.mp4"):
            with DirectReader(video(name)) as reader:
                assert len(list(reader.frames_at([0.5, 2.5]))) == 2
            del reader
        assert not {type(thing) for thing in gc.get_objects()} & {VideoFrame, PacketReader}
    finally:
        gc.enable()
