"""Synthetic videos whose frames identify themselves, for every test that needs a file.

The left half of frame `n` has a flat color that encodes `n`. The right half has a moving texture, so that a
frame decoded without its reference frames looks wrong. `make_video` writes any video; `make` knows many kinds
of real-world files by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from centerclip.records import VideoInfo
from centerclip.video import VideoReader

_STEP = 32  # levels between neighboring digits: lossy coding moves a flat color by a few at most
_BASE = 256 // _STEP
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


def probe(path: str | Path) -> VideoInfo:
    """Describe a file."""
    with VideoReader(path) as reader:
        return reader.info


def number_of(shown: np.ndarray) -> int:
    """Return the number of the frame in a decoded picture [H, W, 3]."""
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
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a video.

    Args:
        path: its suffix selects the container.
        size: (height, width) as displayed.
        codec: FFmpeg's name of the encoder.
        rate: frames per second.
        options: of the encoder.
        container_options: of the muxer.
        instants: when each frame is shown, in milliseconds; by default at `rate`.
        rotation: degrees counterclockwise by which a player must rotate: 0, 90, 180 or 270.
        texture: whether the right half has one.
        draw: returns the picture of each frame, instead of `picture`.
        metadata: of the container.
    """
    # Without the random numbers in Matroska files, every run writes the same bytes.
    with av.open(path, "w", options={"fflags": "bitexact"} | (container_options or {})) as container:
        container.metadata.update(metadata or {})
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = size if rotation % 180 == 0 else size[::-1]
        stream.pix_fmt = pixel_format
        if instants is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            drawn = draw(number) if draw else picture(number, size, texture=texture)
            stored = np.ascontiguousarray(np.rot90(drawn, -rotation // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame.pts = number if instants is None else instants[number]
            frame.time_base = Fraction(1, rate) if instants is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_audio(path: Path, *, seconds: int = 1) -> Path:
    """Write an audio file."""
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
    """Write a copy with some bytes overwritten in its middle half."""
    data = bytearray(source.read_bytes())
    rng = np.random.default_rng(seed)
    for spot in rng.integers(len(data) // 4, len(data) * 3 // 4, spots):
        data[spot] ^= int(rng.integers(1, 256))
    path.write_bytes(data)
    return path


def _x264(keyint: str | int = 12, more: str = "bframes=3") -> dict[str, str]:
    # With mbtree, such small pictures are encoded differently in every run.
    still = "threads=1:mbtree=0:scenecut=0:b-adapt=0:log-level=-1"
    return {"x264-params": f"{still}:keyint={keyint}:min-keyint={keyint}:{more}"}


def _x265(more: str) -> dict[str, str]:
    still = "scenecut=0:log-level=none:pools=none:frame-threads=1:keyint=12:min-keyint=12:bframes=3"
    return {"x265-params": f"{still}:{more}"}


_VPX = {"g": "12", "deadline": "realtime", "cpu-used": "8"}
_VPX_HIDDEN = {"g": "24", "deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "12"}
_MPEG = {"g": "12", "bf": "2", "qmin": "1", "qmax": "3", "sc_threshold": "1000000000"}
_UNEVEN = np.cumsum(np.random.default_rng(1).integers(5, 300, 40)).tolist()

# File name -> arguments of `make_video`. Forty frames, or as many as the kind of file needs.
_KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": _x264()},
    "h264.mkv": {"options": _x264()},
    "h264.ts": {"options": _x264()},
    "h264.flv": {"options": _x264()},
    "without-timestamps.h264": {"options": _x264()},
    "made-up-timestamps.avi": {"options": _x264()},  # AVI can't say in which order B-frames are shown
    "every-frame-a-key.mp4": {"options": _x264(1)},
    "one-long-group.mp4": {"options": _x264("infinite", "bframes=3:b-pyramid=normal"), "frames": 80},
    "open-groups.mp4": {"options": _x264(12, "bframes=3:open-gop=1"), "frames": 60},
    "open-groups.ts": {"options": _x264(12, "bframes=3:open-gop=1"), "frames": 60},
    "no-true-keys.mp4": {"options": _x264(12, "bframes=0:intra-refresh=1"), "frames": 60},
    "interlaced.ts": {"options": _x264(12, "interlaced=1"), "rate": 25},
    "hevc.mp4": {"codec": "libx265", "options": _x265("open-gop=0")},
    "hevc-open-groups.mkv": {"codec": "libx265", "options": _x265("open-gop=1"), "frames": 60},
    "hevc-leading.mp4": {"codec": "libx265", "options": _x265("open-gop=0:radl=2")},
    "hevc-layers.mp4": {"codec": "libx265", "options": _x265("temporal-layers=3:b-pyramid=1")},
    "vp9.webm": {"codec": "libvpx-vp9", "options": _VPX},
    "vp9-hidden-frames.webm": {"codec": "libvpx-vp9", "options": _VPX_HIDDEN},
    "vp8-hidden-frames.webm": {"codec": "libvpx", "options": _VPX_HIDDEN},
    "av1.mp4": {
        "codec": "libsvtav1",
        "options": {"preset": "12", "g": "12", "svtav1-params": "lp=1"},
        "size": (64, 64),
    },
    "mpeg4.avi": {"codec": "mpeg4", "options": _MPEG},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": _MPEG, "rate": 25},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "options": {"qmin": "1", "qmax": "3"}},
    "animated.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "lossless.mkv": {"codec": "ffv1"},
    "fragments.mp4": {
        "options": _x264(),
        "container_options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    },
    "unknown-duration.webm": {"codec": "libvpx-vp9", "options": _VPX, "container_options": {"live": "1"}},
    "uneven.mp4": {"options": _x264(), "instants": _UNEVEN},
    "uneven.mkv": {"options": _x264(), "instants": _UNEVEN},
    "late-start.ts": {"options": _x264(), "instants": list(range(5000, 9000, 100))},
    "edited.mp4": {  # an edit list hides the frames before time 0
        "options": _x264(),
        "instants": list(range(-1500, 2500, 100)),
        "container_options": {"avoid_negative_ts": "disabled"},
    },
    "one-frame.mp4": {"frames": 1},
    "two-frames.mp4": {"frames": 2},
    "odd-size.webm": {"codec": "libvpx-vp9", "options": _VPX, "size": (49, 67)},
    "ten-bit.mkv": {"options": _x264(), "pixel_format": "yuv420p10le"},
    "upside-down.mp4": {"options": _x264(), "rotation": 180},
    "on-its-side.mp4": {"options": _x264(), "rotation": 90},
    "on-its-other-side.mp4": {"options": _x264(), "rotation": 270},
}
VIDEOS = tuple(_KINDS)
"""Names of the intact files that `make` knows."""

FIRST_NUMBERS = {"edited.mp4": 15}
"""The number of the first frame, if it isn't 0."""

BROKEN = ("audio.m4a", "empty.mp4", "text.mp4", "playlist.m3u8", "header-only.mp4", "index-missing.mp4")
"""Names of the files that `make` knows without any decodable frame."""


def make(name: str, folder: Path) -> Path:
    """Make one of `VIDEOS` or `BROKEN`, or a `truncated` or `overwritten` file, unless the folder has it."""
    path = folder / name
    if path.exists():
        return path
    if name in _KINDS:
        return make_video(path, **_KINDS[name])
    if name == "audio.m4a":
        return make_audio(path)
    if name in ("empty.mp4", "text.mp4", "playlist.m3u8"):
        listed = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\nh264.ts\n#EXT-X-ENDLIST\n"
        path.write_text({"empty.mp4": "", "text.mp4": "No video, only words.\n" * 99}.get(name, listed))
        return path
    if name == "truncated.mp4":  # its index comes first, as in files made for streaming
        front = make_video(folder / "front.mp4", options=_x264(), container_options={"movflags": "faststart"})
        return cut_short(path, front, 0.6)
    if name.startswith("overwritten"):
        return damage(path, make(f"h264{path.suffix}", folder))
    part = {"header-only.mp4": 0.01, "index-missing.mp4": 0.5}.get(name, 0.6)
    return cut_short(path, make(f"h264{path.suffix}", folder), part)
