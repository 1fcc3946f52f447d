"""Subtitles of all kinds, and videos with streams of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

CueTuple = tuple[float, float, str]

ASS_HEAD = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, \
MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def clock(seconds: float, mark: str = ",", digits: int = 3) -> str:
    minutes, rest = divmod(seconds, 60)
    whole, part = divmod(round(rest * 10**digits), 10**digits)
    return f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{whole:02}{mark}{part:0{digits}}"


def srt(*cues: CueTuple) -> str:
    parts = [
        f"{number}\n{clock(start)} --> {clock(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, start=1)
    ]
    return "\n".join(parts)


def vtt(*cues: CueTuple) -> str:
    parts = [f"{clock(start, '.')} --> {clock(end, '.')}\n{text}\n" for start, end, text in cues]
    return "\n".join(["WEBVTT\n", *parts])


def ass(*cues: CueTuple) -> str:
    lines = [
        f"Dialogue: 0,{clock(start, '.', 2)[1:]},{clock(end, '.', 2)[1:]},Default,,0,0,0,,{text}"
        for start, end, text in cues
    ]
    return ASS_HEAD + "\n".join(lines) + "\n"


_PACKETS: dict[str, Callable[[str], bytes]] = {
    "subrip": str.encode,
    "mov_text": lambda text: struct.pack(">H", len(text.encode())) + text.encode(),
    "ass": lambda text: f"0,0,Default,,0,0,0,,{text}".encode(),
}


def add_subtitles(
    target: Path, source: Path, cues: Sequence[CueTuple], *, codec: str = "subrip", language: str = "eng"
) -> Path:
    """Copy a video, and add a stream of subtitles; times are those of the container."""
    with av.open(source) as read, av.open(target, "w") as written:
        video = read.streams.video[0]
        copy = written.add_stream_from_template(video)
        stream: Any = written.add_stream(codec)
        stream.metadata["language"] = language
        stream.codec_context.subtitle_header = ASS_HEAD.encode()
        for packet in read.demux(video):
            if packet.dts is not None:
                packet.stream = copy
                written.mux(packet)
        for start, end, text in cues:
            made = av.Packet(_PACKETS[codec](text))
            made.stream, made.time_base = stream, Fraction(1, 1000)
            made.pts = made.dts = round(start * 1000)
            made.duration = round((end - start) * 1000)
            written.mux(made)
    return target


def make_talking(path: Path, loud: Sequence[bool], *, rate: int = 44_100) -> Path:
    """Write a video with a second of sound per item: a tone or silence."""
    with av.open(path, "w") as written:
        video: Any = written.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound: Any = written.add_stream("aac", rate=rate)
        for number in range(10 * len(loud)):
            picture = np.full((48, 64, 3), number % 256, np.uint8)
            written.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        written.mux(video.encode())
        tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
        for second, is_loud in enumerate(loud):
            frame = av.AudioFrame.from_ndarray(np.tile(tone * is_loud, (2, 1)), "fltp", "stereo")
            frame.sample_rate, frame.pts = rate, second * rate
            written.mux(sound.encode(frame))
        written.mux(sound.encode())
    return path
