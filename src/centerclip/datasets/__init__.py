"""One reader for each data set, all returning a `Dataset`; `load_dataset` finds them by name."""

from centerclip.datasets.dataset import Caption, Dataset, VideoItem
from centerclip.datasets.load import SPLITS, load_dataset, training_captions

__all__ = ["SPLITS", "Caption", "Dataset", "VideoItem", "load_dataset", "training_captions"]
