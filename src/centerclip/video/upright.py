"""Encodes pictures as viewers see them, at any size and a constant rate, for excerpts and reels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from centerclip.video.copying import Video, clock_of, timed
from centerclip.video.cued import Reader

__all__ = ["upright_video"]

_TIME_BASE = Fraction(1, 90_000)


def upright_video(
    reader: Reader,
    written: Any,
    start: float,
    end: float,
    *,
    size: tuple[int, int],
    rate: Fraction,
    options: Mapping[str, str],
) -> Video:
    """Add a stream of H.264 with what a file shows between two instants, at a constant rate.

    Args:
        reader: of the file.
        written: the container to write to.
        start, end: seconds from the first frame.
        size: (height, width) of the stream, even numbers. Pictures keep their shape: what is left is black.
        rate: frames per second.
        options: of the encoder.
    """
    stream: Any = written.add_stream("libx264", rate=rate, options=dict(options))
    (stream.height, stream.width), stream.pix_fmt = size, "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    instants = start + np.arange(max(1, round((end - start) * rate))) / float(rate)

    def packets() -> Iterator[tuple[float, Any]]:
        for number, (_, picture) in enumerate(reader.frames_at(instants)):
            frame = _fitted(VideoFrame.from_ndarray(picture, format="rgb24"), *size)
            frame.pts, frame.time_base = round(number / rate / _TIME_BASE), _TIME_BASE
            yield from timed(stream.encode(frame))
        yield from timed(stream.encode())

    return Video(start, clock_of(reader), packets())


def _fitted(frame: VideoFrame, height: int, width: int) -> VideoFrame:
    """Scale a picture into a size, with black beside or above it unless it is only a pixel off."""
    scale = min(height / frame.height, width / frame.width)
    inner = max(2, round(frame.height * scale)), max(2, round(frame.width * scale))
    if height - inner[0] <= 2 and width - inner[1] <= 2:
        return frame.reformat(width=width, height=height, format="yuv420p")
    scaled = frame.reformat(width=inner[1], height=inner[0], format="rgb24").to_ndarray()  # [h, w, 3]
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    canvas[top : top + inner[0], left : left + inner[1]] = scaled
    return VideoFrame.from_ndarray(canvas, format="rgb24").reformat(format="yuv420p")
