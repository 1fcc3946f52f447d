"""Read the frames a model needs from a video file.

Owns the choice of instants, decoding exactly those frames, and resizing them; knows no model.
"""

from centerclip.video.decode import VideoReader, probe
from centerclip.video.files import VIDEO_SUFFIXES, content_id, find_videos
from centerclip.video.reading import Look, read_window, read_windows
from centerclip.video.transforms import fit
from centerclip.video.windows import cut_windows, instants

__all__ = [
    "VIDEO_SUFFIXES",
    "Look",
    "VideoReader",
    "content_id",
    "cut_windows",
    "find_videos",
    "fit",
    "instants",
    "probe",
    "read_window",
    "read_windows",
]
