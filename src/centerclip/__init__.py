"""CenterCLIP: find moments in your own videos with a sentence, and study how few tokens a video needs.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from centerclip import metrics as metrics
    from centerclip.clustering import kmedoids as kmedoids
    from centerclip.clustering import spectral_clustering as spectral_clustering
    from centerclip.embedding import VideoEncoder as VideoEncoder
    from centerclip.evaluation import evaluate as evaluate
    from centerclip.index import VideoIndex as VideoIndex
    from centerclip.model import CenterCLIP as CenterCLIP
    from centerclip.search import Hit as Hit
    from centerclip.search import Searcher as Searcher

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
from centerclip.schedule import Reduction, TokenSchedule

__version__ = version("centerclip")

_LAZY = {
    "CenterCLIP": "centerclip.model",
    "Hit": "centerclip.search",
    "Searcher": "centerclip.search",
    "VideoEncoder": "centerclip.embedding",
    "VideoIndex": "centerclip.index",
    "evaluate": "centerclip.evaluation",
    "kmedoids": "centerclip.clustering",
    "spectral_clustering": "centerclip.clustering",
}

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
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("centerclip.metrics")
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'centerclip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
