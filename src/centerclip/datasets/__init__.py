"""Data sets: `load_dataset` reads a split as a `Dataset`.

Each data set has a module with its `DatasetSpec`; `DATASETS` contains all of them by name.
"""

from centerclip.datasets.dataset import Caption, Dataset
from centerclip.datasets.load import DATASETS, find_dataset, load_dataset, training_captions
from centerclip.datasets.spec import Annotations, DatasetSpec

__all__ = [
    "DATASETS",
    "Annotations",
    "Caption",
    "Dataset",
    "DatasetSpec",
    "find_dataset",
    "load_dataset",
    "training_captions",
]
