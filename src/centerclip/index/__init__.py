"""The vector store: windows and videos in LanceDB tables; one writer, any number of readers."""

from centerclip.index.card import ModelCard
from centerclip.index.changes import Changes, FileStamp, Moved
from centerclip.index.schema import StoredVideo, StoredWindow
from centerclip.index.snapshot import EXACT_LIMIT, Matches
from centerclip.index.video_index import Stats, VideoIndex
from centerclip.index.writer import IndexSummary, Writer

__all__ = [
    "EXACT_LIMIT",
    "Changes",
    "FileStamp",
    "IndexSummary",
    "Matches",
    "ModelCard",
    "Moved",
    "Stats",
    "StoredVideo",
    "StoredWindow",
    "VideoIndex",
    "Writer",
]
