"""The indexed files as visitors know them: by id, in folders relative to the library's own.

Only this module turns ids into paths, and only while the file there is still the one that was indexed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from centerclip.errors import IndexStoreError
from centerclip.index import FileStamp, Stats, StoredVideo, VideoIndex
from centerclip.index.schema import stored_path
from centerclip.index.sql import Condition, all_of, any_of, begins, equals, shown_path
from centerclip.remote import absolute, as_place, is_address, may_exist
from centerclip.serve.memory import return_freed_memory

__all__ = ["TYPES", "GoneError", "Library", "is_playable", "is_there", "media_type"]

# What current versions of Chromium, Firefox and Safari play. QuickTime files are sent as MP4, which is
# derived from that format.
_PLAYABLE = {
    ".mp4": {"h264", "av1", "vp9"},
    ".m4v": {"h264", "av1"},
    ".mov": {"h264"},
    ".webm": {"vp8", "vp9", "av1"},
}
TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}
_CODECS = {
    "av1": "av01.0.08M.08",
    "h264": "avc1.640028",
    "hevc": "hvc1.1.6.L123.B0",
    "vp8": "vp8",
    "vp9": "vp09.00.41.08",
}
"""What browsers call a codec, at a common profile and level."""


class GoneError(IndexStoreError):
    """The file is no longer the one that was indexed."""


class Library:
    """An index's files.

    Args:
        index: knows them.
        folders: what a job indexes and what visitors see paths relative to; by default the roots that the
            index's owner gave.
    """

    def __init__(self, index: VideoIndex, folders: Iterable[Path] = ()) -> None:
        self.index = index
        self._given = tuple(map(absolute, folders))
        self._lock = Lock()
        self._read: object = None  # the index, its version and roots that the following were read from
        self._roots: tuple[Path, ...] = ()
        self._tops: dict[str, Path] = {}
        self._folders: list[str] = []
        self._stats: Stats | None = None

    @property
    def newest_roots(self) -> tuple[Path, ...]:
        """The folders and files that a job indexes, as the index says now; takes 0.03 ms."""
        return self._given or self.index.roots

    def roots(self) -> list[Path]:
        """The folders and files that a job indexes."""
        self._refresh()
        return list(self._roots)

    def root_name(self, root: Path) -> str:
        """A root's name as visitors know it."""
        return self.folder_of(root / "file") or root.name or "/"

    def folders(self) -> list[str]:
        """All folders that contain videos, as visitors know them."""
        self._refresh()
        return self._folders

    def stats(self) -> Stats | None:
        """Figures of the index; None while it is empty."""
        self._refresh()
        return self._stats

    def folder_of(self, path: Path) -> str:
        """A file's folder as visitors know it: relative to the library, never absolute."""
        known = self._root_of(path)
        if known is None:
            self._refresh()
            known = self._root_of(path)
        label, root = known or ("", path.parent.parent)
        inside = path.parent.relative_to(root).as_posix()
        return "/".join(part for part in (label, inside) if part not in {"", "."})

    def shown_path(self) -> str:
        """The SQL expression for a file's path as visitors know it: its `folder_of` and its name.

        Conditions from visitors are about this path, so they can't probe for the folders above the library.
        """
        self._refresh()
        return shown_path({str(root): label for label, root in self._tops.items()})

    def within(self, folder: str) -> Condition | None:
        """The condition that a file is in a folder, as `folder_of` names it, or below it; None for all."""
        wanted = folder.strip("/")
        return begins(self.shown_path(), f"{wanted}/") if wanted else None

    def videos(self, video_ids: Iterable[str]) -> dict[str, StoredVideo]:
        """The encoded files with these ids; of several copies, the first path."""
        return {name: copies[0] for name, copies in self.copies(video_ids).items()}

    def copies(self, video_ids: Iterable[str]) -> dict[str, list[StoredVideo]]:
        """The encoded files with these ids, each with its copies, ordered by path."""
        wanted = sorted(set(video_ids))
        if not wanted:
            return {}
        found: dict[str, list[StoredVideo]] = {}
        for video in self.index.videos(all_of(any_of("video_id", wanted), equals("state", "done"))):
            found.setdefault(video.info.video_id, []).append(video)
        return found

    def name_of(self, path: Path) -> str:
        """A file's path as visitors know it."""
        folder = self.folder_of(path)
        return f"{folder}/{path.name}" if folder else path.name

    def open(self, video_id: str) -> StoredVideo | None:
        """The file with this id, still as it was indexed; None if the index doesn't have it.

        Raises:
            GoneError: it was moved, deleted or changed.
            IndexStoreError: the store that has it can't be reached.
        """
        copies = self.copies([video_id]).get(video_id, [])
        errors: list[OSError] = []
        for video in copies:
            try:
                stamp = FileStamp.of(video.info.path)
            except OSError as error:
                errors.append(error)
                continue
            if (stamp.size_bytes, stamp.modified_seconds) == (
                video.info.size_bytes,
                video.info.modified_seconds,
            ):
                return video
        if not copies:
            return None
        name = copies[0].info.path.name
        if len(errors) < len(copies):
            raise GoneError(f"{name} was changed after it was indexed: index it again")
        others = [error for error in errors if not isinstance(error, FileNotFoundError)]
        if others and any(is_address(video.info.path) for video in copies):
            raise IndexStoreError(f"{name} can't be read at the moment: {others[0].strerror}")
        raise GoneError(f"{name} isn't there: it was moved or deleted, or its disk isn't connected")

    def missing(self, video_ids: Iterable[str]) -> set[str]:
        """Those of these ids of which no file is there; looks at each file on the disk."""
        copies = self.copies(video_ids)
        return {name for name, videos in copies.items() if not any(map(is_there, videos))}

    def hide_folders(self, text: str) -> str:
        """Remove the library's folders, and the index's location, from a message."""
        with self._lock:
            known = [*map(str, self._tops.values()), self.index.location]
        for folder in sorted(known, key=len, reverse=True):
            text = text.replace(f"{folder.rstrip('/')}/", "").replace(folder, Path(folder).name)
        return text

    def _root_of(self, path: Path) -> tuple[str, Path] | None:
        for known in list(self._tops.items()):
            if path.is_relative_to(known[1]):
                return known
        return None

    def _refresh(self) -> None:
        version = self.index.version
        state = (self.index.id, version, self.index.roots)
        with self._lock:
            if state == self._read:
                return
            parents = self.index.folders()
            self._roots = self.newest_roots
            known = self.index.videos(any_of("path", map(stored_path, self._roots))) if self._roots else []
            files = {video.info.path for video in known}
            tops = (root.parent if root in files else root for root in self._roots)
            self._tops = _labelled(as_place(stored_path(top)) for top in tops)
            self._stats = self.index.stats() if version else None
            self._read = state
        self._folders = sorted({self.folder_of(parent / "file") for parent in parents} - {""})
        return_freed_memory()  # what was read of earlier versions


def is_playable(video: StoredVideo) -> bool:
    """Whether browsers play the file itself, judging by its suffix and codec."""
    return video.info.codec in _PLAYABLE.get(video.info.path.suffix.lower(), ())


def is_there(video: StoredVideo) -> bool:
    """Whether there is a file at a video's path; see `may_exist` for addresses."""
    return may_exist(video.info.path)


def media_type(video: StoredVideo) -> str:
    """The file's type with its codec, so that a browser can tell whether it plays it; empty if none does."""
    kind = TYPES.get(video.info.path.suffix.lower())
    codec = _CODECS.get(video.info.codec)
    return f'{kind}; codecs="{codec}"' if kind and codec else ""


def _labelled(roots: Iterable[Path]) -> dict[str, Path]:
    """Name each folder: a single one has no name, others have their last part, numbered if need be."""
    unique = list(dict.fromkeys(roots))
    if len(unique) == 1:
        return {"": unique[0]}
    labelled: dict[str, Path] = {}
    for root in unique:
        label, number = root.name or "root", 2
        while label in labelled:
            label, number = f"{root.name} ({number})", number + 1
        labelled[label] = root
    return labelled
