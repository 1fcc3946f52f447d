"""Writes pictures to an H.264 file. The only module of the toy world that knows PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from PIL import Image

__all__ = ["write_video"]

_X264: dict[str, object] = {
    "preset": "veryfast",
    "crf": "23",
    "sc_threshold": "0",
    # The macroblock tree reads memory that it hasn't written: with it, 6 of 18 videos changed with
    # MALLOC_PERTURB_ (x264 of PyAV 18), without it none.
    "x264-params": "no-mbtree=1",
}


def write_video(
    path: Path, scenes: Iterable[Iterable[Image.Image]], *, fps: int, size: tuple[int, int]
) -> None:
    """Write an mp4 file that is either complete or not there.

    Every scene begins with a key frame, so that a reader finds the cuts. One thread and bit-exact headers
    turn equal pictures into equal bytes.

    Args:
        path: the file; its folder exists.
        scenes: the pictures of every scene, RGB and of `size`.
        fps: frames per second.
        size: (height, width), both even as 4:2:0 chroma needs.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        with av.open(str(partial), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("libx264", rate=fps)
            stream.height, stream.width = size
            stream.pix_fmt = "yuv420p"
            stream.thread_count = 1
            stream.options = _X264
            for scene in scenes:
                for i, picture in enumerate(scene):
                    frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                    frame.pict_type = PictureType.I if i == 0 else PictureType.NONE
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
        partial.replace(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
