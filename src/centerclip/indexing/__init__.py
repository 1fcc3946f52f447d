"""Keep an index up to date with files and folders: `sync`."""

from centerclip.indexing.sync import FileResult, SyncOptions, SyncProgress, sync
from centerclip.indexing.watching import FolderWatch
from centerclip.indexing.work import estimate_windows

__all__ = ["FileResult", "FolderWatch", "SyncOptions", "SyncProgress", "estimate_windows", "sync"]
