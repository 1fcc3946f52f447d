"""Synthetic videos in which each frame names itself, for every test that needs a file.

Frame `n` shows a flat color that codes `n` on its left half, so that a decoded picture tells which frame
it is, and a moving texture on its right half, so that a frame decoded without those it refers to looks
wrong. `make_video` writes one to order; `RECIPES` lists kinds of files found in the wild.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

_STEP = 32  # levels between neighboring digits: lossy coding moves a flat color by a few at most
_BASE = 256 // _STEP
_X264 = "scenecut=0:b-adapt=0:log-level=-1"
_TEXTURE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def picture(number: int, size: tuple[int, int] = (48, 64), *, texture: bool = True) -> np.ndarray:
    """Draw frame `number` < 512: [H, W, 3] uint8."""
    height, width = size
    drawn = np.empty((height, width, 3), np.uint8)
    drawn[:] = [(number // _BASE**place) % _BASE * _STEP + _STEP // 2 for place in range(3)]
    if texture:
        coarse = np.roll(_TEXTURE, number, axis=1).repeat(4, axis=0).repeat(4, axis=1)
        tiles = (-(-height // coarse.shape[0]), -(-width // coarse.shape[1]), 1)
        drawn[:, width // 2 :] = np.tile(coarse, tiles)[:height, width // 2 : width]
    return drawn


def number_of(shown: np.ndarray) -> int:
    """Tell which frame a decoded picture [H, W, 3] is, by the color of its left half."""
    height, width = shown.shape[:2]
    color = shown[height // 4 : -(height // 4) or None, width // 8 : max(width // 8 + 1, 3 * width // 8)]
    digits = np.clip(color.reshape(-1, 3).mean(0) // _STEP, 0, _BASE - 1).astype(int)
    return int(sum(digit * _BASE**place for place, digit in enumerate(digits)))


def make_video(
    path: Path,
    *,
    frames: int = 40,
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    rate: int = 10,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    instants: Sequence[int] | None = None,
    rotation: int = 0,
    texture: bool = True,
    draw: Callable[[int], np.ndarray] | None = None,
) -> Path:
    """Write a video.

    Args:
        path: its suffix chooses the container.
        frames: how many.
        size: (height, width) as stored.
        codec: name of an encoder.
        rate: frames a second.
        pixel_format: as FFmpeg calls it.
        options: of the encoder.
        container_options: of the muxer.
        instants: when each frame is shown, in milliseconds; without it, at `rate`.
        rotation: degrees counterclockwise by which a player must turn it.
        texture: whether the right half shows one.
        draw: the picture of each frame, in place of `picture`.
    """
    with av.open(path, "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        if instants is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            drawn = draw(number) if draw else picture(number, size, texture=texture)
            frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
            frame.pts = number if instants is None else instants[number]
            frame.time_base = Fraction(1, rate) if instants is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_audio(path: Path, *, seconds: int = 1) -> Path:
    """Write a sound without pictures."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * seconds), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_short(path: Path, source: Path, part: float) -> Path:
    """Write the first `part` of a file's bytes."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


def damage(path: Path, source: Path, *, seed: int = 0, spots: int = 12) -> Path:
    """Write a file with some bytes overwritten in its middle half."""
    data = bytearray(source.read_bytes())
    rng = np.random.default_rng(seed)
    for spot in rng.integers(len(data) // 4, len(data) * 3 // 4, spots):
        data[spot] ^= int(rng.integers(1, 256))
    path.write_bytes(data)
    return path


def _x264(more: str = "keyint=12:min-keyint=12:bframes=3") -> dict[str, str]:
    return {"x264-params": f"{_X264}:{more}"}


def _x265(more: str = "keyint=12:min-keyint=12:bframes=3") -> dict[str, str]:
    return {"x265-params": f"scenecut=0:log-level=none:pools=none:frame-threads=1:{more}"}
