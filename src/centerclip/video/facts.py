"""What opening a file reveals."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Facts"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What opening a file reveals.

    Attributes:
        duration_seconds: from the start of the first frame to the end of the last.
        frames: number of frames with a time of their own.
        width, height: of the upright first picture, in pixels.
        frame_rate: frames per second, on average.
        codec: FFmpeg's name.
        random_access: whether reading a frame decodes only its group of pictures, so that several readers can
            share the work.
        scene_cuts: likely ones in seconds, guessed from the key frames (`Timeline.scene_cuts`).
        recorded: seconds and zone, see `Recorded`; None if the file doesn't say.
    """

    duration_seconds: float
    frames: int
    width: int
    height: int
    frame_rate: float
    codec: str
    random_access: bool
    scene_cuts: tuple[float, ...]
    recorded: tuple[float, int | None] | None
