"""Data sets by name: `load_dataset` reads a split of any of them as a `Dataset`.

Each set is one module that describes it by a `DatasetSpec`; `DATASETS` is the table of all.
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
