"""Read a video's subtitles: the files beside it, and its own text streams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from centerclip.errors import VideoError
from centerclip.records import Cue, Track, VideoInfo
from centerclip.subtitles import Sidecar
from centerclip.video import read_sidecar, read_streams

__all__ = ["read_subtitles", "within"]


def read_subtitles(info: VideoInfo, sidecars: Iterable[Sidecar]) -> tuple[list[Track], list[str]]:
    """Read all subtitles of a video; worker processes parse them.

    Returns:
        The tracks that have cues, and for each source that can't be read, why.
    """
    tracks: list[Track] = []
    problems: list[str] = []
    for sidecar in sidecars:
        try:
            cues = read_sidecar(sidecar.path)
        except VideoError as error:
            problems.append(f"{sidecar.path.name}: {str(error).removeprefix(f'{sidecar.path}: ')}")
            continue
        tracks.append(Track(sidecar.path.name, sidecar.language, tuple(cues)))
    try:
        tracks += read_streams(info.path)
    except VideoError as error:
        problems.append(f"its own subtitles: {str(error).removeprefix(f'{info.path}: ')}")
    kept = []
    for track in tracks:
        inside = within(track, info.duration_seconds)
        if late := len(track.cues) - len(inside.cues):
            problems.append(
                f"{track.source}: {late:,} of {len(track.cues):,} cues begin after the video's end"
            )
        if inside.cues:
            kept.append(inside)
    return kept, problems


def within(track: Track, duration_seconds: float) -> Track:
    """Return a track without cues that begin after the end, and with none that lasts longer."""
    cues = (
        Cue(cue.start_seconds, min(cue.end_seconds, duration_seconds), cue.text)
        for cue in track.cues
        if cue.start_seconds < duration_seconds
    )
    return replace(track, cues=tuple(cues))
