"""One reader for each data set, all returning a `Dataset`."""

from centerclip.datasets.dataset import Caption, Dataset, VideoItem

__all__ = ["Caption", "Dataset", "VideoItem"]
