"""`VideoIndex`: embedded videos in a folder or a bucket, searched by vector.

Readers need no lock, and see a writer's commits without opening the index again; `writer` explains how the
index stays consistent. The package knows vectors and metadata of files, but neither models nor how to read
videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from centerclip.errors import IndexStoreError, QueryError
from centerclip.index.binding import check_card, check_model, described, missing
from centerclip.index.card import ModelCard
from centerclip.index.changes import KNOWN, Changes, FileStamp, compare
from centerclip.index.columns import VIDEO_COLUMNS, WINDOW_COLUMNS
from centerclip.index.conditions import parse_condition
from centerclip.index.export import write_export
from centerclip.index.reading import Folders, VideoSort, months_of, paths_below, picture_at, videos_of
from centerclip.index.recorded import fitted
from centerclip.index.restriction import Restriction
from centerclip.index.schema import StoredVideo, StoredWindow, milliseconds, schemas, stored_path
from centerclip.index.snapshot import Snapshot
from centerclip.index.spoken import Spoken
from centerclip.index.sql import Condition, all_of, equals, store_errors
from centerclip.index.store import Meta, Store
from centerclip.index.summary import Stats
from centerclip.index.vectors import unit_vectors
from centerclip.index.windows import Matches, Windows
from centerclip.index.writer import Writer

__all__ = ["VideoIndex"]

_T = TypeVar("_T")
_CREATION_SECONDS = 90.0
"""How long to wait while another process creates the index, or for the lease of one that was killed."""


class VideoIndex:
    """The vector store of windows and videos; safe to use from many threads.

    Args:
        location: a folder, or an address in object storage (`s3://bucket/prefix`).
        create: whether the index may be new; `bind` then creates it.
        storage_options: settings of object storage by the store's names, such as `region` or `endpoint`, in
            place of those in the environment.
        engine: makes what searches a version of the table of windows, given the table, E, and what searched
            the version before, if any.

    Raises:
        IndexStoreError: there is no index and `create` is false, or the location holds something else.
    """

    def __init__(
        self,
        location: str | Path,
        *,
        create: bool = True,
        storage_options: Mapping[str, str] | None = None,
        engine: Callable[[Any, int, Windows | None], Windows] = Snapshot,
    ) -> None:
        self._engine = engine
        self._store = Store(location, storage_options=storage_options)
        self._lock = Lock()
        self._snapshot: Windows | None = None
        self._snapshot_id = ""
        self._bound_id = ""
        self._folders = Folders()
        self.spoken = Spoken(self._store, self._twice)
        """What is said in its files."""
        if self.id is None and not create:
            raise missing(self.location)

    @property
    def location(self) -> str:
        return self._store.location

    @property
    def id(self) -> str | None:
        """A random id; an index that is deleted and created again gets another. None while there is none."""
        meta = self._store.meta()
        return meta.id if meta else None

    @property
    def model(self) -> ModelCard | None:
        """The model of all vectors; None while the index is new."""
        meta = self._store.meta()
        return meta.card if meta else None

    @property
    def roots(self) -> tuple[Path, ...]:
        """The files and folders its owner asked to index: absolute, in the order given."""
        meta = self._store.meta()
        return meta.roots if meta else ()

    @property
    def version(self) -> int:
        """A number that grows with each write by any process; 0 while the index is new.

        It starts over if the index is created again, so caches need `id` too.
        """
        if self.model is None:
            return 0
        return self._store.version("windows") + self._store.version("videos") + self.spoken.version

    def __len__(self) -> int:
        """Return the number of windows."""
        return 0 if self.model is None else self._read(lambda snapshot: snapshot.count)

    def bind(self, card: ModelCard) -> None:
        """Create the index for this model, or check that it belongs to it.

        Raises:
            FingerprintError: it belongs to another model, or has windows of another length, sampling or
                precision.
        """
        if self.model is None:
            with self._store.locked(wait_seconds=_CREATION_SECONDS):
                if self.model is None:  # no other process was faster
                    self._store.create(card)
        meta = self._described()
        check_card(self.location, meta.card, card)
        self._bound_id = meta.id

    def check(self, fingerprint: str, name: str = "another model") -> None:
        """Check that a model's vectors can be compared with the index's.

        Raises:
            FingerprintError: they can't.
        """
        check_model(self.location, self._described().card, fingerprint, name)

    @contextmanager
    def writer(self, *, wait_seconds: float = 0.0) -> Iterator[Writer]:
        """Lock the index for writing, and repair what a killed writer left unfinished.

        Args:
            wait_seconds: how long to wait for another writer; 0 doesn't wait, a negative number waits
                forever.

        Raises:
            IndexLockedError: another process is writing; the message names it.
            IndexStoreError: the index isn't bound to a model yet, or was created again after it was.
        """
        expected = self._bound_id or self._described().id
        with self._store.locked(wait_seconds=wait_seconds):
            meta = self._described()
            if meta.id != expected:
                raise IndexStoreError(
                    f"the index {self.location} was deleted and created again meanwhile, maybe with "
                    "another model. Nothing was written; run the command again"
                )
            yield Writer(self._store, meta.card)

    def changes(self, files: Iterable[FileStamp], *, roots: Sequence[Path] = ()) -> Changes:
        """Compare files with the index.

        Args:
            files: the files on disk.
            roots: files and folders; indexed paths under them that no longer exist are `gone`.
        """
        known = schemas(1)["videos"].empty_table() if self.model is None else self._column_values(*KNOWN)
        return compare(files, known, roots)

    def search(
        self,
        vectors: ArrayLike,
        *,
        top: int = 10,
        where: str | Condition | None = None,
        per_video: int | None = None,
        seconds: float | None = None,
    ) -> list[Matches]:
        """Find the windows nearest to each query vector.

        Args:
            vectors: [Q, E] or [E], compared by cosine.
            top: windows per query, at least 1.
            where: condition on the windows' columns; see `parse_condition`.
            per_video: maximum number of windows of the same content; None for no limit.
            seconds: when the store stops reading, counted from now; None for no limit. The memory that a
                condition takes is bounded in any case: 16 bytes per window of a collection in memory, and by
                `top` in a larger one.

        Returns:
            One `Matches` per query; empty ones while the index is empty.

        Raises:
            QueryError: a vector is zero, not finite or not of size E, the condition can't be used, or the
                time is up.
        """
        only = Restriction.within(parse_condition(where, WINDOW_COLUMNS), seconds)
        if top < 1 or (per_video is not None and per_video < 1):
            raise QueryError(f"top is {top} and per_video {per_video}, but both must be at least 1")
        if self.model is None:
            return [Matches((), 0.0, 0) for _ in np.atleast_2d(np.asarray(vectors))]
        units = unit_vectors(vectors, self.model.embed_size)
        return self._read(lambda snapshot: snapshot.nearest(units, top, only=only, per_video=per_video))

    def windows(self, video_id: str, start_seconds: float | None = None) -> list[StoredWindow]:
        """Return the windows of a content in time order, or only the one that starts at `start_seconds`.

        If several paths have this content, the windows are those of the first path.
        """
        if self.model is None:
            return []
        start = None if start_seconds is None else equals("start_ms", milliseconds(start_seconds))
        condition = all_of(equals("video_id", video_id), start)
        assert condition is not None
        found = self._read(lambda snapshot: snapshot.rows(condition))
        return [window for window in found if window.path == found[0].path]

    def windows_at(self, spans: Sequence[tuple[Path, float, float]]) -> list[StoredWindow | None]:
        """Return for each span of a file, in seconds, the window with most of it; None if there is none."""
        if not spans or self.model is None:
            return [None] * len(spans)
        return self._read(lambda snapshot: snapshot.covering(spans))

    def picture(self, video_id: str, seconds: float) -> bytes | None:
        """Return the JPEG file of the picture that a content shows at an instant; None for unknown content.

        It is the last picture that starts by then, or else the first.
        """
        if self.model is None:
            return None
        return self._twice(lambda: picture_at(self._store.table("pictures"), video_id, seconds))

    def videos(
        self,
        where: str | Condition | None = None,
        *,
        offset: int = 0,
        limit: int | None = None,
        sort: VideoSort = "path",
    ) -> list[StoredVideo]:
        """Return the files in the index, done and failed, ordered by path or by when they were recorded.

        Raises:
            QueryError: `where` can't be used; it may name columns of the table of videos.
        """
        only = parse_condition(where, VIDEO_COLUMNS)
        if self.model is None:
            return []
        return self._twice(lambda: videos_of(self._store.table("videos"), only, offset, limit, sort))

    def count_videos(self, where: str | Condition | None = None) -> int:
        """Return how many files `videos` returns; raises as it does."""
        only = parse_condition(where, VIDEO_COLUMNS)
        if self.model is None:
            return 0

        def count() -> int:
            table = self._store.table("videos")
            return int(table.count_rows(fitted(table, only)))

        return self._twice(count)

    def months(self) -> list[tuple[date, int, float]]:
        """Return per month the first day, and the number and total seconds of the videos recorded in it.

        Months are those of this machine's clocks, in order of time; months without videos are left out.
        """
        return [] if self.model is None else self._twice(lambda: months_of(self._store.table("videos")))

    def video(self, video_id: str) -> StoredVideo | None:
        """Return the encoded file with this content, the first path of several; None if there is none."""
        return next(iter(self.videos(equals("video_id", video_id), limit=1)), None)

    def folders(self) -> list[Path]:
        """Return the folders that contain files of the index, in no particular order."""
        meta = self._store.meta()
        if meta is None:
            return []
        return self._twice(lambda: self._folders.read(meta.id, self._store.table("videos")))

    def below(self, places: Iterable[Path]) -> list[Path]:
        """Return the files in the index, done and failed, that are among some places or below them."""
        wanted = [stored_path(place) for place in places]
        if self.model is None or not wanted:
            return []
        return paths_below(self._column_values("path")["path"], wanted)

    def failed(self) -> list[StoredVideo]:
        """Return the files that couldn't be encoded, with the reasons."""
        return self.videos(equals("state", "failed"))

    def stats(self) -> Stats:
        """Return figures of the index.

        Raises:
            IndexStoreError: there is no index yet.
        """
        model = self._described().card
        videos = self._column_values("state", "duration_seconds")
        done = pc.equal(videos["state"], "done").to_numpy()
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
            cues=len(self.spoken),
        )

    def export(self, folder: str | Path) -> int:
        """Write all windows as `.npy` and parquet files in clip-retrieval's layout; return how many.

        Raises:
            IndexStoreError: the folder already holds an export, or isn't writable.
        """
        embed_size = self._described().card.embed_size
        return write_export(self._store.table("windows"), embed_size, Path(folder))

    def _described(self) -> Meta:
        return described(self._store)

    def _column_values(self, *columns: str) -> Any:
        """Return columns of the table of videos, in no particular order."""
        return self._twice(lambda: self._store.table("videos").search().select(list(columns)).to_arrow())

    def _read(self, look: Callable[[Windows], _T]) -> _T:
        return self._twice(lambda: look(self._newest()))

    def _twice(self, read: Callable[[], _T]) -> _T:
        """Read the newest version; once more if a writer deleted its files meanwhile."""
        with self._store.reading():
            with suppress(IndexStoreError), store_errors(self.location, "being read"):
                return read()
            with store_errors(self.location, "being read"):
                return read()

    def _newest(self) -> Windows:
        with self._lock:
            meta = self._described()
            version = self._store.version("windows")
            if self._snapshot is None or (self._snapshot_id, self._snapshot.version) != (meta.id, version):
                old = self._snapshot if self._snapshot_id == meta.id else None
                snapshot = self._engine(self._store.table("windows"), meta.card.embed_size, old)
                if self.id != meta.id:
                    raise IndexStoreError(f"the index {self.location} is being created again: try again")
                self._snapshot, self._snapshot_id = snapshot, meta.id
            return self._snapshot
