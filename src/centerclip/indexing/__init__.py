"""Keep an index up to date with files and folders: `sync`."""

from centerclip.indexing.sync import FileResult, SyncOptions, SyncProgress, sync

__all__ = ["FileResult", "SyncOptions", "SyncProgress", "sync"]
