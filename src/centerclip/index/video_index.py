"""`VideoIndex`: embedded videos in a folder or a bucket, searched by vector.

Readers need no lock and see what a writer commits without opening anew; see `writer` for how the index
stays whole. The package knows vectors and files' descriptions, and neither models nor how videos are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from centerclip.errors import FingerprintError, IndexStoreError, QueryError
from centerclip.index.card import ModelCard
from centerclip.index.changes import Changes, FileStamp, Known, compare
from centerclip.index.export import write_export
from centerclip.index.lock import writer_lock
from centerclip.index.schema import VIDEO_COLUMNS, StoredVideo, StoredWindow, to_video
from centerclip.index.snapshot import Matches, Snapshot, unit_vectors
from centerclip.index.sql import all_of, equals, store_errors, where_errors
from centerclip.index.store import Store
from centerclip.index.writer import Writer

__all__ = ["Stats", "VideoIndex"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stats:
    """An index in figures: `videos` are the done ones, `footage_seconds` their length in all.

    `search` is `exact` or `ann`; `version` grows with every write.
    """

    location: str
    model: ModelCard
    videos: int
    windows: int
    failed: int
    footage_seconds: float
    size_bytes: int
    search: str
    version: int


class VideoIndex:
    """The vector store of windows and videos; safe to use from many threads.

    Args:
        location: a folder, or an address in object storage (`s3://bucket/prefix`).
        create: whether the index may be new; it then comes into being with `bind`.

    Raises:
        IndexStoreError: not there and `create` is false, or the place holds something else.
    """

    def __init__(self, location: str | Path, *, create: bool = True) -> None:
        self._store = Store(location)
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._card = self._store.card()
        if self._card is None and not create:
            raise self._missing()

    @property
    def location(self) -> str:
        return self._store.location

    @property
    def model(self) -> ModelCard | None:
        """The model all vectors are of; None while the index is new."""
        if self._card is None:
            self._card = self._store.card()
        return self._card

    @property
    def version(self) -> int:
        """A number that grows with each write, by whichever process; 0 while the index is new."""
        if self.model is None:
            return 0
        return self._store.version("windows") + self._store.version("videos")

    def __len__(self) -> int:
        """How many windows it holds."""
        return 0 if self.model is None else self._read(lambda snapshot: snapshot.count)

    def bind(self, card: ModelCard) -> None:
        """Make the index one of this model, or check that it is.

        Raises:
            FingerprintError: it belongs to another model, or to windows of another length.
        """
        if self.model is None:
            with writer_lock(self.location, remote=self._store.remote, wait_seconds=60):
                if self.model is None:  # nobody was quicker
                    self._store.create(card)
                    self._card = card
        self.check(card.fingerprint, card.name)
        bound = self._bound()
        if bound.window_seconds != card.window_seconds:
            raise FingerprintError(
                f"the index {self.location} has windows of {bound.window_seconds:g} seconds, not "
                f"{card.window_seconds:g}: use --window {bound.window_seconds:g}, or another --index"
            )

    def check(self, fingerprint: str, name: str = "another model") -> None:
        """Make sure that vectors of the model with this fingerprint may be compared with the index's.

        Raises:
            FingerprintError: they may not.
        """
        bound = self._bound()
        if bound.fingerprint != fingerprint:
            raise FingerprintError(
                f"the index {self.location} was made by {bound}, not by {name} (fingerprint {fingerprint}): "
                f"use that model (--model {bound.name} --schedule {bound.schedule}), or another --index"
            )

    @contextmanager
    def writer(self, *, wait_seconds: float = 0.0) -> Iterator[Writer]:
        """Hold the index for writing, after repairing what a killed writer left half done.

        Args:
            wait_seconds: how long to wait for another writer; 0 not at all, negative for ever.

        Raises:
            IndexLockedError: another process is writing; says which.
            IndexStoreError: the index is not yet bound to a model.
        """
        card = self._bound()
        with writer_lock(self.location, remote=self._store.remote, wait_seconds=wait_seconds):
            yield Writer(self._store, card.embed_size)

    def changes(self, files: Iterable[FileStamp], *, roots: Sequence[Path] = ()) -> Changes:
        """Compare files with what the index has of them.

        Args:
            files: what is on the disk.
            roots: files and folders under which an indexed path that is no longer there counts as gone.
        """
        if self.model is None:
            return compare(files, {}, roots)
        table = self._column_values("path", "state", "video_id", "size_bytes", "modified_seconds")
        known = {row.pop("path"): Known(**row) for row in table.to_pylist()}
        return compare(files, known, roots)

    def search(
        self, vectors: ArrayLike, *, top: int = 10, where: str | None = None, per_video: int | None = None
    ) -> list[Matches]:
        """Find the windows nearest to each query vector.

        Args:
            vectors: [Q, E] or [E]; of any length, compared by cosine.
            top: windows a query, at least 1.
            where: SQL condition on the windows' columns.
            per_video: at most so many windows of the same content; None for no limit.

        Returns:
            One `Matches` a query; empty ones while the index is.

        Raises:
            QueryError: a vector that is zero, not finite or not of size E, or a condition that can't be used.
        """
        if top < 1 or (per_video is not None and per_video < 1):
            raise QueryError(f"top={top} and per_video={per_video} must be at least 1")
        if self.model is None:
            return [Matches((), 0.0, 0) for _ in np.atleast_2d(np.asarray(vectors))]
        units = unit_vectors(vectors, self.model.embed_size)
        return self._read(
            lambda snapshot: snapshot.search(units, top, where=where or None, per_video=per_video)
        )

    def windows(self, video_id: str, start_seconds: float | None = None) -> list[StoredWindow]:
        """The windows of a content in time order, or the one that starts at `start_seconds`.

        Of content that lies under several paths, those of the first path.
        """
        if self.model is None:
            return []
        start = None if start_seconds is None else equals("start_seconds", start_seconds)
        condition = all_of(equals("video_id", video_id), start) or ""
        found = self._read(lambda snapshot: snapshot.rows(condition))
        return [window for window in found if window.path == found[0].path]

    def thumbnail(self, video_id: str, start_seconds: float) -> bytes | None:
        """The JPEG of a window, None if there is no such window."""
        if self.model is None:
            return None
        condition = all_of(equals("video_id", video_id), equals("start_seconds", start_seconds)) or ""
        return self._read(lambda snapshot: snapshot.thumbnail(condition))

    def videos(
        self, where: str | None = None, *, offset: int = 0, limit: int | None = None
    ) -> list[StoredVideo]:
        """The files the index knows, done and failed, in the order of their paths.

        Raises:
            QueryError: `where` can't be used; it may name the columns of the table of videos.
        """
        if self.model is None:
            return []

        def read() -> list[StoredVideo]:
            query = self._store.table("videos").search().offset(offset).limit(limit)
            from lancedb.query import ColumnOrdering

            query = query.order_by([ColumnOrdering(column_name="path", ascending=True)])
            if where:
                query = query.where(all_of(where))
            with where_errors(where, VIDEO_COLUMNS):
                return [to_video(row) for row in query.to_arrow().to_pylist()]

        return self._twice(read)

    def video(self, video_id: str) -> StoredVideo | None:
        """The encoded file with this content, None if there is none; of several, the first path."""
        found = self.videos(equals("video_id", video_id), limit=1)
        return found[0] if found else None

    def failed(self) -> list[StoredVideo]:
        """The files that could not be encoded, with the reasons."""
        return self.videos(equals("state", "failed"))

    def stats(self) -> Stats:
        """The index in figures.

        Raises:
            IndexStoreError: there is no index yet.
        """
        model = self._bound()
        videos = self._column_values("state", "duration_seconds")
        done = np.array(videos["state"].to_pylist()) == "done"
        return Stats(
            location=self.location,
            model=model,
            videos=int(done.sum()),
            windows=len(self),
            failed=int((~done).sum()),
            footage_seconds=float(videos["duration_seconds"].to_numpy()[done].sum()),
            size_bytes=self._store.size_bytes(),
            search=self._read(lambda snapshot: "exact" if snapshot.exact else "ann"),
            version=self.version,
        )

    def export(self, folder: str | Path) -> int:
        """Write all windows as `.npy` and parquet, in clip-retrieval's layout; returns how many.

        Raises:
            IndexStoreError: the folder holds an export already, or can't be written.
        """
        embed_size = self._bound().embed_size
        return write_export(self._store.table("windows"), embed_size, Path(folder))

    def _bound(self) -> ModelCard:
        card = self.model
        if card is None:
            raise self._missing()
        return card

    def _missing(self) -> IndexStoreError:
        return IndexStoreError(
            f"there is no index at {self.location}: run `centerclip index PATH` first, "
            "or give the right place with --index"
        )

    def _column_values(self, *columns: str) -> Any:
        """Columns of the table of videos, in no order."""
        return self._twice(lambda: self._store.table("videos").search().select(list(columns)).to_arrow())

    def _read(self, look: Callable[[Snapshot], _T]) -> _T:
        return self._twice(lambda: look(self._newest()))

    def _twice(self, read: Callable[[], _T]) -> _T:
        """Read the newest version; once more, where a writer cleaned up its files meanwhile."""
        with suppress(IndexStoreError), store_errors(self.location, "being read"):
            return read()
        with store_errors(self.location, "being read"):
            return read()

    def _newest(self) -> Snapshot:
        card = self._bound()
        with self._lock:
            if self._snapshot is None or self._snapshot.version != self._store.version("windows"):
                self._snapshot = Snapshot(self._store.table("windows"), card.embed_size)
            return self._snapshot
