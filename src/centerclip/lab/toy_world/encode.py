"""Encodes pictures as H.264 files. The only module of the toy world that uses PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from PIL import Image

from centerclip.atomic import write_atomically

__all__ = ["write_video"]

_X264: dict[str, object] = {
    "preset": "veryfast",
    "crf": "23",
    "sc_threshold": "0",
    # The macroblock tree reads uninitialized memory: with it, MALLOC_PERTURB_ changed 6 of 18 videos (x264
    # of PyAV 18), without it none.
    "x264-params": "no-mbtree=1",
}


def write_video(
    path: Path, scenes: Iterable[Iterable[Image.Image]], *, fps: int, size: tuple[int, int]
) -> None:
    """Encode an mp4 file in memory, then write it atomically.

    Every scene begins with a key frame, so that readers can find the cuts. One thread and bit-exact headers
    make the bytes reproducible.

    Args:
        path: the file; its folder must exist.
        scenes: the pictures of every scene, RGB and of `size`.
        fps: frames per second.
        size: (height, width), both even as 4:2:0 chroma requires.
    """
    file = BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
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
    write_atomically(path, file.getvalue())
