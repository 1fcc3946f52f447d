"""Sets an encoder up for pictures as they are: their size, colors, depth, pixel aspect and rotation."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from av.sidedata.sidedata import SideDataContainer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from centerclip.cores import available_cores

__all__ = ["encoder_for"]

_THREADS = 4
"""More would take more memory than a worker has, for large pictures."""
_TICK = Fraction(1, 90_000)
_X264 = {"preset": "veryfast", "crf": "17"}
_X265 = {"preset": "veryfast", "crf": "18"}
_BT709 = 1
_VIDEO_RANGE = 1
_MASTERING = struct.Struct("20i2i")
"""Red, green, blue and white as x and y, lowest and highest luminance, all as fractions; which are set."""
_LIGHT = struct.Struct("2I")


def encoder_for(
    first: VideoFrame, written: Any, *, rate: Fraction, aspect: Fraction, tick: Fraction
) -> tuple[Any, Callable[[VideoFrame], VideoFrame]]:
    """Add a stream for pictures like the first one.

    Args:
        first: as the decoder returned it.
        written: the container to write to.
        rate: frames per second, for the rate control.
        aspect: width of a pixel per height.
        tick: seconds per unit of timestamp in the source.

    Returns:
        The stream, and a function that makes each decoded frame ready for it.
    """
    made = _pixel_format(first.format)
    deep = made.endswith("10le")
    sides = _sides(first)
    options = {**(_X265 if deep else _X264), "g": str(max(1, round(rate)))}
    if deep:
        pools = f"log-level=none:pools={min(_THREADS, available_cores())}"
        options["x265-params"] = ":".join([pools, *_mastering(sides)])
    elif first.interlaced_frame:
        options["flags"] = "+ildct+ilme"
    stream = written.add_stream("libx265" if deep else "libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, made
    _make_even(stream, made)
    context = stream.codec_context
    context.thread_count = min(_THREADS, available_cores())
    context.time_base = tick if tick > 0 and tick.denominator <= 1_000_000 else _TICK
    context.sample_aspect_ratio = aspect
    rgb = first.format.is_rgb
    context.color_range = _VIDEO_RANGE if rgb else first.color_range
    context.colorspace = _BT709 if rgb else first.colorspace
    context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
    if deep:
        context.codec_tag = "hvc1"
    if "DISPLAYMATRIX" in sides:
        stream.set_display_matrix(list(struct.unpack("9i", bytes(sides["DISPLAYMATRIX"])[:36])))
    maker = VideoReformatter()

    def prepare(frame: VideoFrame) -> VideoFrame:
        size = (stream.width, stream.height)
        if (frame.format.name, (frame.width, frame.height)) != (made, size):
            matrix = _BT709 if rgb else None
            frame = maker.reformat(frame, *size, made, dst_colorspace=matrix, threads=1)
        frame.pict_type = 0  # the encoder decides where its key frames are
        return frame

    return stream, prepare


def _make_even(stream: Any, made: str) -> None:
    """Scale an odd width or height by one pixel, because half the color resolution needs an even one."""
    if "420" in made or "422" in made:
        stream.width -= stream.width % 2 if stream.width > 1 else 0
    if "420" in made:
        stream.height -= stream.height % 2 if stream.height > 1 else 0


def _pixel_format(source: VideoFormat) -> str:
    """The format to encode: that of the source as far as players know it."""
    luma = source.components[0]
    depth = "10le" if luma.bits > 8 else ""
    if source.is_rgb or source.has_palette or len(source.components) < 3:
        return f"yuv420p{depth}"
    across, down = source.chroma_width(64), source.chroma_height(64)
    chroma = {(64, 64): "444", (32, 64): "422"}.get((across, down), "420")
    full = "j" if source.name.startswith("yuvj") else ""
    return f"yuv{full}{chroma}p{depth}"


def _sides(frame: VideoFrame) -> dict[str, bytes]:
    try:
        sides = SideDataContainer(frame)  # type: ignore[call-arg]  # PyAV's stub lacks the argument
    except ValueError:  # a kind that PyAV doesn't know
        return {}
    wanted = ("DISPLAYMATRIX", "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
    return {name: bytes(sides[name]) for name in wanted if name in sides}


def _mastering(sides: dict[str, bytes]) -> list[str]:
    """What HDR10 says of the display and the light, for x265."""
    said = []
    display = sides.get("MASTERING_DISPLAY_METADATA", b"")
    if len(display) >= _MASTERING.size:
        *parts, has_primaries, has_luminance = _MASTERING.unpack(display[: _MASTERING.size])
        if has_primaries and has_luminance and all(parts[1::2]):
            values = [Fraction(*parts[at : at + 2]) for at in range(0, 20, 2)]
            red, green, blue, white = (
                f"({round(values[at] * 50_000)},{round(values[at + 1] * 50_000)})" for at in (0, 2, 4, 6)
            )
            low, high = (round(value * 10_000) for value in values[8:])
            said.append(f"master-display=G{green}B{blue}R{red}WP{white}L({high},{low})")
    light = sides.get("CONTENT_LIGHT_LEVEL", b"")
    if len(light) >= _LIGHT.size:
        most, average = _LIGHT.unpack(light[: _LIGHT.size])
        said.append(f"max-cll={most},{average}")
    return said
