"""Keep an index up to date with files and folders: `sync`."""

from centerclip.indexing.encoding import Encoder
from centerclip.indexing.results import FileResult, SyncOptions, SyncProgress
from centerclip.indexing.sharing import Shard
from centerclip.indexing.sync import sync
from centerclip.indexing.watching import FolderWatch
from centerclip.indexing.work import estimate_windows

__all__ = [
    "Encoder",
    "FileResult",
    "FolderWatch",
    "Shard",
    "SyncOptions",
    "SyncProgress",
    "estimate_windows",
    "sync",
]
