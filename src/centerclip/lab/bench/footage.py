"""Video files to decode and index: clips of the toy world, films made of such clips, and recordings.

Clips and films are ordinary H.264 with B-frames and a key frame every 250 frames, x264's default. A film
copies the packets of its clips, so that long films are made quickly. Recordings have what drawings lack:
texture, movement and grain in every part of the picture, so that they take as long to decode as a camera's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from centerclip.lab.bench.subjects import SEED
from centerclip.lab.toy_world import sample_scene
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.scenes import draw_frames

__all__ = ["FPS", "RECORDERS", "make_clips", "make_film", "make_recording", "recording_name"]

FPS = 25

_PAN = 1
"""Version of `_pan`, whose recordings may be kept."""
_GRAIN = 64
"""In how many places, across and down, the same grain is put over a picture."""
_X264 = "log-level=-1:scenecut=0:keyint={0}:min-keyint={0}"
_X265 = "log-level=none:scenecut=0:open-gop=0:keyint={0}:min-keyint={0}"

RECORDERS: dict[str, tuple[str, Callable[[int], dict[str, str]]]] = {
    "h264": ("libx264", lambda keys: {"preset": "fast", "crf": "24", "x264-params": _X264.format(keys)}),
    "hevc": ("libx265", lambda keys: {"preset": "superfast", "crf": "28", "x265-params": _X265.format(keys)}),
    "vp9": (
        "libvpx-vp9",
        lambda keys: {"g": str(keys), "deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "36"},
    ),
    "av1": ("libsvtav1", lambda keys: {"g": str(keys), "preset": "11", "crf": "38"}),
    "mpeg2": ("mpeg2video", lambda keys: {"g": str(keys), "bf": "2", "q": "6", "sc_threshold": "1000000000"}),
    "mjpeg": ("mjpeg", lambda keys: {"q": "6"}),
}
"""A codec's encoder in FFmpeg, and its settings for a key frame every so many frames."""


def make_clips(folder: Path, count: int, *, seconds: float, size: tuple[int, int]) -> list[Path]:
    """Draw clips of one scene each, at 25 frames per second; existing files are kept.

    Args:
        folder: created if missing.
        size: (height, width), both even.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    paths = [folder / f"clip-{number:03d}.mp4" for number in range(count)]
    for path in paths:
        scene = sample_scene(rng, seconds=seconds)
        if not path.exists():
            write_video(path, [draw_frames(scene, FPS, size)], fps=FPS, size=size)
    return paths


def make_film(path: Path, clips: Sequence[Path], *, repeats: int) -> Path:
    """Concatenate clips of equal size and encoding into one file without re-encoding.

    Args:
        clips: in playing order.
        repeats: how often the whole sequence is repeated.
    """
    with av.open(str(path), "w") as film:
        with av.open(str(clips[0])) as first:
            stream = film.add_stream_from_template(first.streams.video[0], opaque=True)  # no encoder
            tick = first.streams.video[0].time_base
        offset = 0
        for clip in list(clips) * repeats:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                assert video.duration is not None
                assert video.time_base == tick, "the clips of a film must have the same time base"
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:  # the empty packet at the end
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    film.mux(packet)
                offset += video.duration
    return path


def make_recording(
    path: Path,
    *,
    codec: str = "h264",
    size: tuple[int, int] = (1080, 1920),
    seconds: float = 20.0,
    key_frames: int = 50,
) -> Path:
    """Write what a camera might record: a pan with grain, at 25 frames per second; an existing file is kept.

    The file is complete or missing, so that it can be kept for other runs.

    Args:
        path: its suffix selects the container.
        codec: one of `RECORDERS`.
        size: (height, width), both even.
        key_frames: frames from one key frame to the next.
    """
    if path.exists():
        return path
    encoder, settings = RECORDERS[codec]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{os.getpid()}-{path.name}")
    with av.open(str(unfinished), "w") as recording:
        stream: Any = recording.add_stream(encoder, rate=FPS, options=settings(key_frames))
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number, picture in enumerate(_pan(round(seconds * FPS), size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            recording.mux(stream.encode(frame))
        recording.mux(stream.encode())
    return unfinished.rename(path)


def recording_name(codec: str, size: tuple[int, int], seconds: float, key_frames: int) -> str:
    """Name a recording by all that decides its content, so that it can be kept for other runs."""
    encoder, settings = RECORDERS[codec]
    rest = (FPS, SEED, _PAN, _GRAIN, encoder, settings(key_frames))
    digest = hashlib.sha256(repr(rest).encode()).hexdigest()[:8]
    return f"{codec}-{size[1]}x{size[0]}-{seconds:g}s-{key_frames}-{digest}.mp4"


def _pan(count: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Draw a wandering view of a picture twice as large, with grain: [H, W, 3] each."""
    height, width = size
    rng = np.random.default_rng(SEED)
    wide = torch.zeros(1, 3, 2 * height, 2 * width)
    # Each octave of detail is half as strong as the one before, as in photographs.
    for octave in range(2, max(3, width.bit_length())):
        across = 2**octave
        down = max(2, across * height // width)
        drawn = torch.from_numpy(rng.standard_normal((1, 3, down, across), np.float32))
        wide += interpolate(drawn, size=wide.shape[2:], mode="bilinear") * 2.0**-octave
    scene = ((wide - wide.min()) / (wide.max() - wide.min()) * 255).byte()[0].permute(1, 2, 0).numpy()
    grain = rng.integers(-4, 5, (height + _GRAIN, width + _GRAIN, 1), np.int16)
    for number in range(count):
        top = round((1 + np.sin(number / 60)) / 2 * height)
        left = round((1 + np.cos(number / 45)) / 2 * width)
        row, column = rng.integers(0, _GRAIN, 2)
        view = scene[top : top + height, left : left + width]  # [H, W, 3]
        noisy = view + grain[row : row + height, column : column + width]
        yield noisy.clip(0, 255).astype(np.uint8)
