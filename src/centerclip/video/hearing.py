"""What is said in a file: its subtitles and its sound, read by a worker process within limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Cue, Track
from centerclip.video.process import CrashError
from centerclip.video.reader import ask_once, borrowed, named, place

__all__ = ["SOUND_PIECE_SECONDS", "read_sidecar", "read_streams", "sound_pieces"]

SOUND_PIECE_SECONDS = 60.0


def read_sidecar(path: Path) -> list[Cue]:
    """Parse a subtitle file.

    Raises:
        VideoError: it can't be read; the message says why.
    """
    _, data = ask_once(path, lambda worker, place: worker.ask({"do": "sidecar", **place}))
    return _cues(json.loads(data))


def read_streams(path: Path) -> list[Track]:
    """Read the text subtitles in a video file.

    Raises:
        VideoError: it can't be opened.
    """
    _, data = ask_once(path, lambda worker, place: worker.ask({"do": "subtitles", **place}))
    return [
        Track(str(source), str(language), tuple(_cues(cues))) for source, language, cues in json.loads(data)
    ]


def sound_pieces(path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield the sound of a file in pieces of a minute: [N] float32, mono, 16,000 samples per second.

    Nothing if it has no sound.

    Raises:
        VideoError: it can't be decoded.
    """
    with borrowed() as worker:
        try:
            message, data = worker.ask({"do": "sound", "piece_seconds": SOUND_PIECE_SECONDS, **place(path)})
            while message.get("sound"):
                yield np.frombuffer(data, np.float32)
                message, data = worker.ask({"do": "more sound"})
        except (CrashError, VideoError) as error:
            raise named(path, error) from None
        finally:
            if worker.reusable:
                with suppress(CrashError, VideoError):  # it isn't needed any more
                    worker.ask({"do": "close"})


def _cues(found: list[tuple[float, float, str]]) -> list[Cue]:
    return [Cue(float(start), float(end), str(text)) for start, end, text in found]
