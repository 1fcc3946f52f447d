"""Read the frames a model needs from a video file.

Owns the choice of instants, decoding exactly those frames in worker processes, and resizing them; knows no
model. Names are imported on first use, because a worker needs few of them.
"""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.video.cuts import Cut, cut_clip, cut_excerpt, cut_part, join_parts, media_of
    from centerclip.video.files import VIDEO_SUFFIXES, content_id, find_videos
    from centerclip.video.hearing import read_sidecar, read_streams, sound_pieces
    from centerclip.video.process import Decoders
    from centerclip.video.reader import VideoReader, find_gpu, read_recorded, read_still, stop_readers
    from centerclip.video.reading import Look, read_window, read_windows
    from centerclip.video.transforms import fit
    from centerclip.video.windows import cut_windows, instants, strides

__all__ = [
    "VIDEO_SUFFIXES",
    "Cut",
    "Decoders",
    "Look",
    "VideoReader",
    "content_id",
    "cut_clip",
    "cut_excerpt",
    "cut_part",
    "cut_windows",
    "find_gpu",
    "find_videos",
    "fit",
    "instants",
    "join_parts",
    "media_of",
    "read_recorded",
    "read_sidecar",
    "read_still",
    "read_streams",
    "read_window",
    "read_windows",
    "sound_pieces",
    "stop_readers",
    "strides",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.video.cuts": (
            "Cut",
            "cut_clip",
            "cut_excerpt",
            "cut_part",
            "join_parts",
            "media_of",
        ),
        "centerclip.video.files": ("VIDEO_SUFFIXES", "content_id", "find_videos"),
        "centerclip.video.hearing": ("read_sidecar", "read_streams", "sound_pieces"),
        "centerclip.video.process": ("Decoders",),
        "centerclip.video.reader": (
            "VideoReader",
            "find_gpu",
            "read_recorded",
            "read_still",
            "stop_readers",
        ),
        "centerclip.video.reading": ("Look", "read_window", "read_windows"),
        "centerclip.video.transforms": ("fit",),
        "centerclip.video.windows": ("cut_windows", "instants", "strides"),
    },
)
