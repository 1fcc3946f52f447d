"""Video files to decode and index: clips of the toy world, and films made of such clips.

They are ordinary H.264 with B-frames and a key frame every 250 frames, x264's default. A film copies the
packets of its clips, so that long films are made quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from centerclip.lab.bench.subjects import SEED
from centerclip.lab.toy_world import sample_scene
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.scenes import draw_frames

__all__ = ["FPS", "make_clips", "make_film"]

FPS = 25


def make_clips(folder: Path, count: int, *, seconds: float, size: tuple[int, int]) -> list[Path]:
    """Draw clips of one scene each, at 25 frames per second; existing files are kept.

    Args:
        folder: created if missing.
        size: (height, width), both even.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    paths = [folder / f"clip-{number:03d}.mp4" for number in range(count)]
    for path in paths:
        scene = sample_scene(rng, seconds=seconds)
        if not path.exists():
            write_video(path, [draw_frames(scene, FPS, size)], fps=FPS, size=size)
    return paths


def make_film(path: Path, clips: Sequence[Path], *, repeats: int) -> Path:
    """Concatenate clips of equal size and encoding into one file without re-encoding.

    Args:
        clips: in playing order.
        repeats: how often the whole sequence is repeated.
    """
    with av.open(str(path), "w") as film:
        with av.open(str(clips[0])) as first:
            stream = film.add_stream_from_template(first.streams.video[0])
            tick = first.streams.video[0].time_base
        offset = 0
        for clip in list(clips) * repeats:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                assert video.duration is not None
                assert video.time_base == tick, "the clips of a film must have the same time base"
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:  # the empty packet at the end
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    film.mux(packet)
                offset += video.duration
    return path
