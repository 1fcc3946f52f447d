"""The vector store: windows and videos in LanceDB tables; one writer, any number of readers.

Names are imported on first use, because commands that read only a summary don't need the store.
"""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.index.card import ModelCard
    from centerclip.index.changes import Changes, FileStamp, Moved
    from centerclip.index.health import TableReport, examine, repair
    from centerclip.index.mirror import Mirror
    from centerclip.index.neighbors import contents_near, windows_of
    from centerclip.index.schema import StoredVideo, StoredWindow
    from centerclip.index.snapshot import EXACT_LIMIT
    from centerclip.index.spoken import KnownTranscript, StoredCue
    from centerclip.index.summary import Stats, Summary, summarize
    from centerclip.index.video_index import VideoIndex
    from centerclip.index.windows import Matches, Windows
    from centerclip.index.writer import Finished, Writer

__all__ = [
    "EXACT_LIMIT",
    "Changes",
    "FileStamp",
    "Finished",
    "KnownTranscript",
    "Matches",
    "Mirror",
    "ModelCard",
    "Moved",
    "Stats",
    "StoredCue",
    "StoredVideo",
    "StoredWindow",
    "Summary",
    "TableReport",
    "VideoIndex",
    "Windows",
    "Writer",
    "contents_near",
    "examine",
    "repair",
    "summarize",
    "windows_of",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.index.card": ("ModelCard",),
        "centerclip.index.changes": ("Changes", "FileStamp", "Moved"),
        "centerclip.index.health": ("TableReport", "examine", "repair"),
        "centerclip.index.mirror": ("Mirror",),
        "centerclip.index.neighbors": ("contents_near", "windows_of"),
        "centerclip.index.schema": ("StoredVideo", "StoredWindow"),
        "centerclip.index.snapshot": ("EXACT_LIMIT",),
        "centerclip.index.spoken": ("KnownTranscript", "StoredCue"),
        "centerclip.index.summary": ("Stats", "Summary", "summarize"),
        "centerclip.index.video_index": ("VideoIndex",),
        "centerclip.index.windows": ("Matches", "Windows"),
        "centerclip.index.writer": ("Finished", "Writer"),
    },
)
