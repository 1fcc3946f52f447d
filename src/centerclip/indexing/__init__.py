"""Keep an index up to date with files and folders: `sync`."""

from centerclip.indexing.sync import FileResult, Progress, SyncOptions, sync

__all__ = ["FileResult", "Progress", "SyncOptions", "sync"]
