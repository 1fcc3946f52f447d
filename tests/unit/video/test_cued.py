"""Large Matroska files, read by their cues: the same frames as by reading all packets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from videos import VIDEOS, make_video, number_of

from centerclip.preprocessing import Preprocessing
from centerclip.records import SAMPLINGS, Window
from centerclip.video import VideoReader, cued, cut_excerpt, cut_windows, read_windows
from centerclip.video.cued import CuedReader, open_reader
from centerclip.video.decode import DirectReader

Maker = Callable[[str], Path]

CUED = [name for name in VIDEOS if name.endswith((".mkv", ".webm"))]
READ = {"unknown-duration.webm", "uneven.mkv", "vp8-hidden-frames.webm", "vp9-hidden-frames.webm"}
"""Without cues, with a rate that varies, and with two groups of pictures: there is little to save."""


@pytest.fixture(autouse=True)
def _small_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cued, "_LARGE_BYTES", 0)
    monkeypatch.setattr(cued, "_SPAN_SECONDS", 1.0)


@pytest.mark.parametrize("name", CUED)
def test_facts_and_frames_are_those_of_reading_everything(name: str, video: Maker) -> None:
    with open_reader(video(name)) as reader, DirectReader(video(name)) as whole:
        assert isinstance(reader, DirectReader) == (name in READ)
        assert reader.facts == whole.facts
        seconds = whole._timeline.seconds
        rng = np.random.default_rng(0)
        windows = cut_windows(whole.facts.duration_seconds, 1.3)
        for wanted in (
            seconds,
            seconds[::-7][::-1] + 0.01,  # skips groups
            np.sort(rng.uniform(-1, seconds[-1] + 1, 9)),
            reader.choose(windows, 4, "cheapest"),
            reader.choose(windows, 4, "keys"),
            reader.choose(windows, 4, "center"),
        ):
            shown = list(reader.frames_at(wanted))
            for (second, picture), (its, truth) in zip(shown, whole.frames_at(wanted), strict=True):
                assert second == its
                np.testing.assert_array_equal(picture, truth)
        for sampling in SAMPLINGS:
            assert np.array_equal(reader.choose(windows, 4, sampling), whole.choose(windows, 4, sampling))
        if isinstance(reader, CuedReader):
            assert reader._reader is not None
            assert reader._reader.packets.origin is not None


def long_film(path: Path) -> Path:
    return make_video(path, frames=400, size=(16, 16), options={"g": "10", "x264-params": "scenecut=0"})


def test_scene_cuts_are_those_of_the_whole_file(tmp_path: Path) -> None:
    """The key frames of a stretch don't tell which of them come early."""
    with open_reader(long_film(tmp_path / "film.mkv")) as reader:
        assert isinstance(reader, CuedReader)
        window = Window(5.0, 6.6)
        assert reader.choose([window], 4, "keys").tolist() == pytest.approx([5, 6, 6, 6])
        reader._facts = replace(reader.facts, scene_cuts=(6.0,))
        assert reader.choose([window], 4, "keys").tolist() == pytest.approx([5, 5, 6, 6])


def test_opening_and_reading_read_few_packets(tmp_path: Path) -> None:
    read: list[None] = []
    with open_reader(long_film(tmp_path / "film.mkv"), tick=lambda: read.append(None)) as reader:
        assert reader.facts.frames == 400
        assert len(read) < 70
        ((_, picture),) = reader.frames_at([31.5])
        assert number_of(picture) == 315
        assert len(read) < 140


@pytest.mark.parametrize("wrong", ["missing", "moved", "surplus", "first"])
def test_cues_that_lie_are_not_followed(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = CuedReader._read_cues

    def lie(self: CuedReader) -> NDArray[np.int64]:
        keys = true(self)
        if wrong == "missing":
            return np.delete(keys, 20)
        if wrong == "first":
            return keys[1:]
        if wrong == "moved":
            return keys + np.where(np.arange(len(keys)) == 20, 300, 0)
        return np.insert(keys, 20, keys[20] - 300)

    monkeypatch.setattr(CuedReader, "_read_cues", lie)
    with open_reader(long_film(tmp_path / "film.mkv")) as reader:
        assert isinstance(reader, CuedReader) == (wrong != "first")
        wanted = np.arange(0, 40, 0.7)
        shown = [number_of(picture) for _, picture in reader.frames_at(wanted)]
        assert shown == [int(second * 10 + 1e-6) for second in wanted]
        held = reader._reader if isinstance(reader, CuedReader) else reader
        assert held is not None
        assert held.packets.origin is None  # of the whole file


def test_a_cut_off_or_damaged_file_is_read_as_far_as_it_goes(video: Maker, tmp_path: Path) -> None:
    whole = video("h264.mkv").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(6):
        data = bytearray(whole[: len(whole) * (5 + number) // 10])
        for spot in rng.integers(len(data) // 4, len(data), 3 * number):
            data[spot] ^= 255
        path = tmp_path / f"{number}.mkv"
        path.write_bytes(data)
        with open_reader(path) as reader, DirectReader(path) as direct:
            wanted = np.arange(0, direct.facts.duration_seconds, 0.3)
            for (second, picture), (its, truth) in zip(
                reader.frames_at(wanted), direct.frames_at(wanted), strict=True
            ):
                assert second == its
                # What a decoder makes of damage depends on what it decoded before.
                assert number > 0 or np.array_equal(picture, truth)


def test_windows_and_excerpts_are_read_by_cues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = long_film(tmp_path / "film.mkv")
    windows = cut_windows(40.0, 2.0)
    looks = []
    for large in (1 << 40, 0):
        monkeypatch.setattr(cued, "_LARGE_BYTES", large)
        with open_reader(path) as reader:
            assert isinstance(reader, CuedReader) == (large == 0)
            read = read_windows(reader, windows, 4, Preprocessing((16, 16)), sampling="cheapest")  # type: ignore[arg-type]
            looks.append(list(read))
    for one, other in zip(*looks, strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.seconds, other.seconds)


def test_parts_of_a_long_file_need_no_packets(tmp_path: Path) -> None:
    # In a worker, which has the limit of its own, the file is small and its packets are passed on.
    path = long_film(tmp_path / "film.mkv")
    with open_reader(path) as reader:
        assert reader.packets is None
    with VideoReader(path) as isolated:
        assert isolated.packets()
    cut_excerpt(path, tmp_path / "excerpt.mp4", start=30.0, end=31.0)
    with VideoReader(tmp_path / "excerpt.mp4") as excerpt:
        assert excerpt.duration_seconds == pytest.approx(1.0, abs=0.2)
