"""The streams of a file beside its pictures: text subtitles and sound, decoded in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError
from av.stream import Discard
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Track
from centerclip.subtitles.languages import language_of
from centerclip.subtitles.parsing import MOST_CUES, tidy_cues
from centerclip.video.packets import open_video

__all__ = ["SOUND_RATE", "read_sound", "read_subtitle_streams"]

SOUND_RATE = 16_000
"""Samples per second that speech models expect."""
_TEXT_CODECS = frozenset(
    {"ass", "mov_text", "mpl2", "srt", "ssa", "subrip", "subviewer", "text", "ttml", "webvtt"}
)
"""Of subtitles; in others they are pictures, which aren't read."""
_MOST_STREAMS = 50
_GAP_SECONDS = 0.05
"""Sound that is missing for longer is filled with silence, so that later sound keeps its time."""
_LONGEST_GAP_SECONDS = 6 * 3600


def read_subtitle_streams(path: Path, tick: Callable[[], None] = lambda: None) -> list[Track]:
    """Read the text subtitles in a file; only their own packets are decoded.

    Args:
        path: of the video.
        tick: called for every packet.

    Raises:
        VideoError: the file can't be opened, or has too many cues.
    """
    container, video = open_video(path)
    try:
        with container:
            streams: list[Any] = [
                stream
                for stream in container.streams.subtitles[:_MOST_STREAMS]
                if stream.codec_context is not None and stream.codec_context.name in _TEXT_CODECS
            ]
            if not streams:
                return []
            _read_only(container, streams)
            origin = _origin(video)
            languages = {one.index: language_of(one.metadata.get("language", "")) for one in streams}
            events: dict[int, list[tuple[float, float, str]]] = {at: [] for at in languages}
            for packet in container.demux(streams):
                tick()
                if packet.size and packet.pts is not None and packet.time_base:
                    start = float(packet.pts * packet.time_base) - origin
                    end = start + float((packet.duration or 0) * packet.time_base)
                    events[packet.stream.index] += [(start, end, text) for text in _texts(packet)]
                    if sum(map(len, events.values())) > MOST_CUES:
                        raise VideoError(f"{path}: has more than {MOST_CUES:,} cues")
    except (FFmpegError, OSError) as error:
        raise VideoError(f"{path}: its subtitles can't be read ({error.strerror})") from error
    found = {at: tidy_cues(_with_ends(some)) for at, some in events.items()}
    return [Track(f"stream {at}", languages[at], tuple(cues)) for at, cues in found.items() if cues]


def _with_ends(events: list[tuple[float, float, str]]) -> Iterator[tuple[float, float, str]]:
    """Let a cue without duration last until the next one."""
    for (start, end, text), (following, _, _) in pairwise([*events, events[-1]] if events else []):
        yield start, (following if end <= start < following else end), text


def _texts(packet: Any) -> list[str]:
    """Return the texts of a subtitle packet; none if it is damaged."""
    try:
        rectangles = packet.decode()
    except FFmpegError:
        return []
    events = [getattr(rectangle, "ass", b"") for rectangle in rectangles]
    return [event.decode("utf-8", "replace").split(",", 8)[-1] for event in events if event]


def read_sound(
    path: Path, piece_seconds: float, tick: Callable[[], None] = lambda: None
) -> Iterator[NDArray[np.float32]]:
    """Decode the first sound track in pieces.

    Args:
        path: of the video.
        piece_seconds: length of each piece but the last.
        tick: called for every packet.

    Yields:
        [N] float32, mono, `SOUND_RATE` samples per second. The first sample is heard with the file's first
        frame. Nothing if there is no sound.

    Raises:
        VideoError: it can't be decoded.
    """
    container, video = open_video(path)
    size = round(piece_seconds * SOUND_RATE)
    held: list[NDArray[np.float32]] = []
    count = 0
    try:
        with container:
            stream = container.streams.best("audio")
            if stream is None:
                return
            if stream.codec_context is None:
                raise VideoError(f"{path}: its sound uses a codec that this FFmpeg can't decode")
            _read_only(container, [stream])
            for samples in _samples(container, stream, _origin(video), tick):
                held.append(samples)
                count += len(samples)
                while count >= size:
                    whole = np.concatenate(held)
                    yield whole[:size]
                    held, count = [whole[size:]], count - size
    except (FFmpegError, OSError) as error:
        raise VideoError(f"{path}: its sound can't be decoded ({error.strerror})") from error
    if count:
        yield np.concatenate(held)


def _samples(
    container: Any, stream: Any, origin: float, tick: Callable[[], None]
) -> Iterator[NDArray[np.float32]]:
    """Yield samples from the first frame of the video on, without gaps; damaged packets are silent."""
    from av.audio.resampler import AudioResampler

    resampler = AudioResampler(format="flt", layout="mono", rate=SOUND_RATE)
    given = 0
    for packet in container.demux(stream):
        tick()
        try:
            frames = [made for frame in packet.decode() for made in resampler.resample(frame)]
        except (FFmpegError, ValueError):  # damaged, or the layout changes
            continue
        for frame in frames:
            samples = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            if frame.pts is not None and frame.time_base:
                at = round((float(frame.pts * frame.time_base) - origin) * SOUND_RATE)
                if at < 0 and given == 0:
                    samples = samples[-at:]
                missing = at - given
                if _GAP_SECONDS * SOUND_RATE < missing < _LONGEST_GAP_SECONDS * SOUND_RATE:
                    for start in range(0, missing, SOUND_RATE * 60):
                        yield np.zeros(min(missing - start, SOUND_RATE * 60), np.float32)
                    given += missing
            given += len(samples)
            yield samples


def _read_only(container: Any, streams: list[Any]) -> None:
    """Skip the packets of all other streams without reading them, where the container can."""
    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = Discard.default if stream.index in wanted else Discard.all


def _origin(video: Any) -> float:
    """Return the time of the first picture as the container states it, in seconds."""
    if video.start_time is None or not video.time_base:
        return 0.0
    return float(video.start_time * video.time_base)
