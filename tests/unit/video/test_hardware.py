"""Decoding on a GPU: which one is found, what it decodes, and what happens where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel
from token_sets import needs_gpu
from videos import number_of

from centerclip.errors import VideoError
from centerclip.video import Decoders, VideoReader, find_gpu, hardware, packets
from centerclip.video.decode import DirectReader
from centerclip.video.hardware import accelerator, use_gpu
from centerclip.video.process import Worker

Maker = Callable[[str], Path]
INSTANTS = np.linspace(0, 3.9, 12)
ROUNDING = 3
"""Levels by which a channel may differ: the GPU's NV12 and the CPU's YUV420 are the same samples, but FFmpeg
converts them to RGB by different ways."""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    hardware._open_gpu.cache_clear()
    yield
    use_gpu(None)
    hardware._open_gpu.cache_clear()


class Fake:
    """Stands for `HWAccel`; only videotoolbox works here."""

    opened: list[tuple[str, dict[str, Any]]]

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind, self.options = kind, options

    def create(self, codec: Any) -> Fake:
        Fake.opened.append((self.kind, self.options))
        if self.kind == "cuda":
            raise av.FFmpegError(5, "Cannot load libcuda.so.1")
        return self


def fake(kinds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Fake.opened = []
    monkeypatch.setattr(hardware, "HWAccel", Fake)
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: kinds)


def test_the_first_gpu_that_works_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(["drm", "videotoolbox", "cuda"], monkeypatch)
    assert accelerator() is None
    for _ in range(2):
        use_gpu(1)
        assert accelerator().kind == "videotoolbox"  # type: ignore[union-attr]
    assert Fake.opened == [("cuda", {"device": "1", "options": {"primary_ctx": "1"}}), ("videotoolbox", {})]
    use_gpu(None)
    assert accelerator() is None


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [(["cuda"], r"no GPU 2 that .*\(cuda: Cannot load libcuda"), (["drm"], r"\(this FFmpeg supports none\)")],
)
def test_no_gpu_is_an_error_with_its_reason(
    kinds: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(kinds, monkeypatch)
    with pytest.raises(VideoError, match=reason):
        use_gpu(2)
    assert accelerator() is None


def test_a_worker_says_that_there_is_no_such_gpu() -> None:
    with pytest.raises(VideoError, match=r"^no GPU 77 that decodes videos \("):
        find_gpu(77)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_worker_may_take_all_addresses_for_a_gpu() -> None:
    # CUDA's driver reserves many times the 3 GB that a decoder may have.
    worker = Worker()
    try:
        limits = Path(f"/proc/{worker._process.pid}/limits")
        worker.ask({"do": "close"})
        assert "Max address space         3221225472" in limits.read_text()
        with pytest.raises(VideoError):
            worker.ask({"do": "find gpu", "number": 77})
        assert "Max address space         3221225472" not in limits.read_text()
    finally:
        worker.kill()


def test_a_reader_goes_on_with_the_cpu_without_the_gpu(video: Maker) -> None:
    with VideoReader(video("h264.mp4"), Decoders(gpu=77)) as reader:
        assert [number_of(picture) for _, picture in reader.frames_at(INSTANTS)][-1] == 39
    with pytest.raises(VideoError, match=r"gone\.mp4: there is no such file"):
        VideoReader("gone.mp4", Decoders(gpu=77))


def test_files_are_opened_for_the_gpu_and_decoded_by_the_cpu_if_it_cannot(
    video: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[HWAccel] = []

    def qsv() -> HWAccel:  # which FFmpeg's own decoder of H.264 doesn't know
        made.append(HWAccel("qsv"))
        return made[-1]

    monkeypatch.setattr(packets, "accelerator", qsv)
    with DirectReader(video("h264.mp4")) as reader:
        assert [number_of(picture) for _, picture in reader.frames_at(INSTANTS)][-1] == 39
    assert made


def test_a_damaged_file_is_decoded_on_the_cpu(video: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    # Or a sound one that the GPU failed to decode.
    fake(["videotoolbox"], monkeypatch)
    monkeypatch.setattr(packets, "accelerator", lambda: None)
    with DirectReader(video("h264.mp4")) as reader:
        use_gpu(0)
        reader._stream.rewind()
        assert accelerator() is None


@needs_gpu
@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "vp9.webm"])
def test_frames_of_a_gpu_are_those_of_the_cpu(name: str, video: Maker) -> None:
    with DirectReader(video(name)) as reader:
        expected = [(seconds, picture.copy()) for seconds, picture in reader.frames_at(INSTANTS)]
    use_gpu(0)
    with DirectReader(video(name)) as reader:
        assert reader.packets is not None
        assert reader._packets.stream.codec_context.is_hwaccel
        for (seconds, picture), (at, found) in zip(expected, reader.frames_at(INSTANTS), strict=True):
            assert at == seconds
            assert np.abs(picture.astype(int) - found).max() <= ROUNDING
    assert accelerator() is not None  # it wasn't given up
