"""Speech recognition with Whisper models, by the package faster-whisper."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import ModelError
from centerclip.records import Cue, Track
from centerclip.subtitles import language_of
from centerclip.video import sound_pieces

__all__ = ["Recognizer"]

_RATE = 16_000
_PIECE_SECONDS = 600
"""Sound that is heard at once: 40 MB, and less than a minute of work for a small model."""
_QUIET_SECONDS = 20
"""A piece ends at the quietest moment of its last seconds, so that it cuts no word."""
_FRAME_SECONDS = 0.1
_ELSEWHERE = (
    "give the folder of a downloaded faster-whisper model (with model.bin), or one of its names, "
    "such as small, where the hub can be reached"
)


class Recognizer:
    """A speech model, which makes cues of a video's sound.

    Args:
        model: a folder, or a name that faster-whisper knows, such as `small`.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ModelError: the package is missing, or the model can't be found or loaded.
    """

    def __init__(self, model: str, *, device: str = "auto") -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise ModelError(
                "--speech needs a package that isn't installed: pip install 'centerclip[speech]'"
            ) from error
        path = os.path.expanduser(model)
        if not os.path.isdir(path) and model.startswith((".", "/", "~")):
            raise ModelError(f"there is no speech model at {model}: {_ELSEWHERE}")
        self.name = os.path.abspath(path) if os.path.isdir(path) else model
        """As the index names it."""
        try:
            self._model: Any = WhisperModel(self.name, device=device.partition(":")[0])
        except Exception as error:  # of the hub, of its HTTP client, of the runtime: without a common base
            reason = " ".join(str(error).split()).split(", expected one of")[0][:200].rstrip(".")
            raise ModelError(f"the speech model {model} can't be loaded ({reason}): {_ELSEWHERE}") from error

    def listen(self, path: Path, *, should_stop: Callable[[], bool] = lambda: False) -> Track | None:
        """Recognize what is said in a video; a worker process decodes its sound.

        Args:
            path: of the video.
            should_stop: called several times per minute of sound.

        Returns:
            The cues, none for a video without sound or speech; None if stopped.

        Raises:
            VideoError: its sound can't be decoded.
        """
        cues: list[Cue] = []
        language, start = "", 0.0
        for sound in _pieces(sound_pieces(path)):
            segments, about = self._model.transcribe(sound, language=language or None, vad_filter=True)
            for segment in segments:  # which recognizes it
                if should_stop():
                    return None
                if text := segment.text.strip():
                    cues.append(Cue(start + float(segment.start), start + float(segment.end), text))
            language = language or (str(about.language) if cues else "")
            start += len(sound) / _RATE
        return Track(f"model {os.path.basename(self.name)}", language_of(language), tuple(_apart(cues)))


def _apart(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Yield cues in order, with starts that differ by a millisecond at least."""
    last = -1.0
    for cue in sorted(cues, key=lambda one: one.start_seconds):
        start = max(round(cue.start_seconds, 3), round(last + 0.001, 3))
        last = start
        yield Cue(start, max(round(cue.end_seconds, 3), start + 0.001), cue.text)


def _pieces(minutes: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Join short pieces of sound to long ones, which end where it is quiet."""
    held = np.empty(0, np.float32)
    for minute in minutes:
        held = np.concatenate([held, minute])
        if len(held) >= _PIECE_SECONDS * _RATE:
            end = _quietest(held)
            yield held[:end]
            held = held[end:]
    if len(held):
        yield held


def _quietest(sound: NDArray[np.float32]) -> int:
    """Return where the quietest tenth of a second of the last seconds is, in samples."""
    frame = int(_FRAME_SECONDS * _RATE)
    frames = min(len(sound) // frame, int(_QUIET_SECONDS / _FRAME_SECONDS))
    begin = len(sound) - frames * frame
    loudness = np.square(sound[begin:]).reshape(frames, frame).mean(axis=1)
    return begin + int(loudness.argmin()) * frame + frame // 2
