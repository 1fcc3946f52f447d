"""CenterCLIP: find moments in your own videos with a sentence, and study how few tokens a video needs.

Names are imported on first use, so importing the package is fast.
"""

from typing import TYPE_CHECKING

from centerclip.errors import (
    CenterCLIPError,
    CheckpointError,
    ConfigError,
    DatasetError,
    FingerprintError,
    IndexLockedError,
    IndexStoreError,
    ModelError,
    QueryError,
    ScheduleError,
    VideoError,
)
from centerclip.lazy import lazy_names
from centerclip.schedule import Reduction, TokenSchedule

if TYPE_CHECKING:
    from centerclip import metrics
    from centerclip.clustering import kmedoids, spectral_clustering
    from centerclip.embedding import VideoEncoder
    from centerclip.evaluation import evaluate
    from centerclip.index import VideoIndex
    from centerclip.indexing.sync import sync
    from centerclip.model import CenterCLIP
    from centerclip.search import Hit, Searcher

__version__ = "0.1.0"

__all__ = [
    "CenterCLIP",
    "CenterCLIPError",
    "CheckpointError",
    "ConfigError",
    "DatasetError",
    "FingerprintError",
    "Hit",
    "IndexLockedError",
    "IndexStoreError",
    "ModelError",
    "QueryError",
    "Reduction",
    "ScheduleError",
    "Searcher",
    "TokenSchedule",
    "VideoEncoder",
    "VideoError",
    "VideoIndex",
    "evaluate",
    "kmedoids",
    "metrics",
    "spectral_clustering",
    "sync",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.clustering": ("kmedoids", "spectral_clustering"),
        "centerclip.embedding": ("VideoEncoder",),
        "centerclip.evaluation": ("evaluate",),
        "centerclip.index": ("VideoIndex",),
        "centerclip.indexing": ("sync",),
        "centerclip.metrics": ("metrics",),
        "centerclip.model": ("CenterCLIP",),
        "centerclip.search": ("Hit", "Searcher"),
    },
)
