"""From a video file to the frames a model looks at.

Owns which instants to look at, how to decode exactly those frames, and their size; knows no model.
"""

from centerclip.video.decode import VideoReader, probe
from centerclip.video.files import VIDEO_SUFFIXES, content_id, find_videos
from centerclip.video.reading import Look, read_window, read_windows
from centerclip.video.sampling import instants
from centerclip.video.transforms import fit
from centerclip.video.windows import cut_windows

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
