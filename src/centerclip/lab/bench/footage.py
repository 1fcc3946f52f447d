"""Video files to be decoded and indexed: clips drawn in the toy world, and films of such clips.

Ordinary H.264 with B-frames and a key frame every 250 frames, x264's own default. A film is made of its
clips' packets as they are, so that an hour of it costs no more to make than to copy.
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
_SIZE = (360, 640)


def make_clips(
    folder: Path, count: int, *, seconds: float = 10.0, size: tuple[int, int] = _SIZE
) -> list[Path]:
    """Draw clips of one scene each, of 25 frames a second; those already there are kept.

    Args:
        folder: made if missing.
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
    """Join clips of one size and encoder to one long stream, without encoding them anew.

    Args:
        clips: played one after another.
        repeats: how often all of them are.
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
                assert video.time_base == tick, "clips of one film have one time base"
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:  # the empty one at the end
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    film.mux(packet)
                offset += video.duration
    return path
