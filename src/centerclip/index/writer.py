"""The only code that changes an index: it replaces rows in batches and verifies the result.

It is safe to kill it, or to cut the power, at any time. Readers see a change once it is on the disk and named
by `Store.commit`, so the next writer undoes what an interrupted one left without a name. In object storage,
the rule of `contents` does the same: a batch writes its pictures and its windows, then its videos, and in
between the rule is broken for that batch alone. The next writer forgets such paths, so that they are encoded
again. Repeating a batch replaces rows and never adds any.

What a run reads and writes is bounded by what it changes: tables are compared with each other only if the
last commit doesn't say that they agree.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from centerclip.errors import IndexStoreError
from centerclip.index.ann import build_ann
from centerclip.index.card import ModelCard
from centerclip.index.changes import FileStamp
from centerclip.index.changing import conditions, copied_rows, replace_rows
from centerclip.index.contents import Ledger, inspect_tables, side_by_side
from centerclip.index.cues import CueTables, inspect_transcripts
from centerclip.index.recorded import UNDATED, add_columns, dated_rows
from centerclip.index.recovery import recover
from centerclip.index.schema import (
    is_storable,
    milliseconds,
    picture_rows,
    stored_path,
    video_rows,
    window_rows,
)
from centerclip.index.snapshot import EXACT_LIMIT
from centerclip.index.sql import equals, store_errors
from centerclip.index.store import Store
from centerclip.index.summary import Stats, Summary, save_summary
from centerclip.records import EncodedVideo, Failed, Recorded, Transcript, VideoInfo

__all__ = ["Finished", "Writer"]

_LOG = logging.getLogger("centerclip.index")
_KEEP_VERSIONS = timedelta(hours=1)
"""How long files of old versions are kept, because a reader may be in the middle of a search."""
_FOREVER = timedelta(days=36_500)
_FRAGMENTS = 20
"""Number of appended pieces that makes a finished run compact, which rewrites the table."""
_BATCHES = 500
"""Number of batches after which a long run compacts, before opening its files gets slow."""
_COPIED_WINDOWS = 2000
"""Whose rows, with pictures 25 MB, are copied at once."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What the index holds after a run, as read back from it, and whether this run built the ANN index."""

    stats: Stats
    built_ann: bool


class Writer:
    """Changes an index while its lock is held; `VideoIndex.writer` makes it. Starts with repairing the index.

    Methods return once their change is on disk.
    """

    def __init__(self, store: Store, card: ModelCard) -> None:
        self._store = store
        self._card = card
        self._embed_size = card.embed_size
        self._batches = 0
        self._removed = 0
        with store_errors(store.location, "being checked"):
            for name, done in recover(store).items():
                _LOG.warning("the index %s: its table %s was damaged; %s", store.location, name, done)
            self._pictures = store.newest("pictures")
            self._windows = store.newest("windows")
            self._videos = store.newest("videos")
            self._known = Ledger(self._videos, self._windows, self._pictures, keep=store.remote)
            meta = store.meta()
            self._id = meta.id if meta else ""
            if meta:
                store.add_tables(meta)
            self._spoken = CueTables(store)
            broken, unsaid = set[str](), set[str]()
            if not store.is_checked():
                found = inspect_tables(self._pictures, self._windows, self._videos)
                broken = found.broken
                unsaid = inspect_transcripts(
                    self._spoken.cues, self._spoken.transcripts, found.encoded
                ).broken
        with self._changing("being checked"):
            for table in (self._windows, self._videos):
                add_columns(table)
            self._forget(sorted(broken))
            self._spoken.drop(unsaid)
            self._spoken.index_text()
            self._tidy()

    def add(self, results: Sequence[EncodedVideo | Failed]) -> list[EncodedVideo | Failed]:
        """Record a batch, replacing everything stored about the same paths.

        Args:
            results: encoded or failed files in any order; of several with the same path, the last is
                recorded.

        Returns:
            What is recorded for each of `results`: files that can't be stored become `Failed`.

        Raises:
            IndexStoreError: embeddings of another size than the index's, or the store failed.
        """
        paths = [stored_path(result.path) for result in results]
        by_path = {path: self._storable(result) for path, result in zip(paths, results, strict=True)}
        if not by_path:
            return []
        batch = list(by_path.values())
        encoded = [result for result in batch if isinstance(result, EncodedVideo)]
        with self._changing():
            put = self._put_of(by_path)
            _, removed = side_by_side(
                lambda: put(self._pictures, picture_rows(encoded)),
                lambda: put(self._windows, window_rows(encoded, self._windows.schema)),
            )
            self._removed += removed
            put(self._videos, video_rows(batch))
            self._spoken.forget(by_path)
            for path, result in by_path.items():
                self._known.record(path, 0 if isinstance(result, Failed) else len(result.windows))
        self._batches += 1
        if self._batches % _BATCHES == 0:
            with self._changing():
                self._compact()
        return [by_path[path] for path in paths]

    def encoded(self, paths: Iterable[Path]) -> set[Path]:
        """Return those of the files that are encoded."""
        stored = {stored_path(path): path for path in paths}
        return {stored[path] for path, rows in self._known.counts(stored).items() if rows}

    def add_transcripts(self, transcripts: Sequence[tuple[VideoInfo, Transcript]]) -> None:
        """Record what is said in encoded files, replacing what was known about it.

        Raises:
            IndexStoreError: a file isn't in the index.
        """
        paths = [info.path for info, _ in transcripts]
        encoded = self.encoded(paths)
        for path in paths:
            if path not in encoded:
                raise IndexStoreError(
                    f"{path} isn't in the index {self._store.location}, so its words can't be stored"
                )
        if transcripts:
            with self._changing():
                self._spoken.add(transcripts)

    def forget_transcripts(self, paths: Iterable[Path]) -> None:
        """Forget what is said in files, so that it is read again."""
        with self._changing():
            self._spoken.drop({stored_path(path) for path in paths})

    def add_roots(self, roots: Iterable[str | os.PathLike[str]]) -> None:
        """Store the files and folders that the owner asked to index; see `VideoIndex.roots`."""
        with self._changing():
            self._store.add_roots(roots)

    def remove_roots(self, roots: Iterable[Path]) -> None:
        """Forget roots, so that nobody indexes them again without being asked to."""
        with self._changing():
            self._store.remove_roots(roots)

    def remove(self, paths: Iterable[Path]) -> int:
        """Forget files; return how many of them were known."""
        known = self._known.known(map(stored_path, paths))
        with self._changing():
            self._forget(known)
        return len(known)

    def move(self, old: Path, new: FileStamp) -> None:
        """Give a known file its new path without encoding it again.

        Raises:
            IndexStoreError: `old` isn't known.
        """
        before, after = stored_path(old), stored_path(new.path)
        windows = self._known.count(before)
        if windows is None:
            raise IndexStoreError(f"{old} isn't in the index {self._store.location}, so it can't be moved")
        condition, path = equals("path", before).sql, {"path": after}
        values = {**path, "modified_seconds": new.modified_seconds}
        with self._changing():
            if self._known.count(after) is not None:
                self._forget([after])
            self._known.begin([before, after])
            self._pictures.update(where=condition, values=path)
            self._removed += self._windows.update(where=condition, values=values).rows_updated
            self._videos.update(where=condition, values=values)
            self._spoken.move(before, after, new.modified_seconds)
            self._known.record(before, None)
            self._known.record(after, windows)

    def copy(self, pairs: Sequence[tuple[Path, FileStamp]]) -> None:
        """Give files the rows that known files have, because their content is the same.

        Args:
            pairs: a known path, and the file there or elsewhere with the same content.
        """
        counts = self._known.counts(stored_path(old) for old, _ in pairs)
        some: list[tuple[str, str, float]] = []
        windows = 0
        for old, new in pairs:
            count = counts.get(stored_path(old))
            if count is None:
                continue
            if some and windows + count > _COPIED_WINDOWS:
                self._copy(some, counts)
                some, windows = [], 0
            some.append((stored_path(old), stored_path(new.path), new.modified_seconds))
            windows += count
        if some:
            self._copy(some, counts)

    def _copy(self, pairs: Sequence[tuple[str, str, float]], counts: Mapping[str, int]) -> None:
        with self._changing():
            put = self._put_of([new for _, new, _ in pairs])
            for table in (self._pictures, self._windows, self._videos):
                put(table, copied_rows(table, pairs))
            self._spoken.copy(pairs)
            for old, new, _ in pairs:
                self._known.record(new, counts[old])
        self._batches += 1

    def undated(self) -> set[str]:
        """Return the stored paths of files that an earlier version indexed without reading their dates."""
        rows = self._videos.search().where(UNDATED).select(["path"]).to_arrow()
        return set(rows["path"].to_pylist())

    def date(self, found: Sequence[tuple[FileStamp, Recorded | None]]) -> None:
        """Store when known files were recorded; None is for those that don't say.

        Repeating it is harmless. A file is dated once its row in `videos` says so, which is written last.
        """
        windows, videos = dated_rows(found)
        with self._changing():
            for table, rows in ((self._windows, windows), (self._videos, videos)):
                table.merge_insert(["path"]).when_matched_update_all().execute(rows)
        self._batches += 1

    def finish(self) -> Finished:
        """Compact, build the ANN index if worthwhile, and verify what is stored.

        Raises:
            IndexStoreError: the index doesn't hold what was written.
        """
        with self._changing("being finished"):
            self._tidy()
            rows = int(self._windows.count_rows())
            built = rows > EXACT_LIMIT and build_ann(self._windows, self._embed_size, compact=self._compact)
            self._spoken.index_text(finished=True)
        with store_errors(self._store.location, "being finished"):
            self._verify()
            videos = self._store.table("videos")
            files = videos.search().select(["state", "duration_seconds"]).to_arrow()
            done = files.filter(pc.equal(files["state"], "done"))
            failed = videos.search().where("state = 'failed'").select(["path", "reason"]).to_arrow()
            stats = Stats(
                location=self._store.location,
                model=self._card,
                videos=done.num_rows,
                windows=rows,
                failed=failed.num_rows,
                footage_seconds=float(done["duration_seconds"].to_numpy().sum()),
                size_bytes=self._store.size_bytes(),
                search="ann" if rows > EXACT_LIMIT else "exact",
                version=sum(int(table.version) for table in self._shown),
                cues=self._spoken.cues.count_rows(),
            )
            if not self._store.remote:
                failures = zip(*(failed[name].to_pylist() for name in failed.column_names), strict=True)
                save_summary(Summary(stats, tuple(sorted(failures))))
            return Finished(stats, built)

    @property
    def _shown(self) -> tuple[Any, ...]:
        """The tables whose change searches notice."""
        return self._windows, self._videos, self._spoken.cues

    @contextmanager
    def _changing(self, doing: str = "being written") -> Iterator[None]:
        """Make a change durable, and visible to readers, if the index is still the one that was locked."""
        with store_errors(self._store.location, doing):
            self._store.confirm()
            self._check_id()
            yield
            self._check_id()
            self._commit()

    def _commit(self) -> None:
        self._store.commit(checked=not (self._known.unfinished or self._spoken.known.unfinished))

    def _check_id(self) -> None:
        meta = self._store.meta()
        if meta is None or meta.id != self._id:
            raise IndexStoreError(
                f"the index {self._store.location} was deleted meanwhile, and maybe created again with "
                "another model. Run the command again"
            )

    def _storable(self, result: EncodedVideo | Failed) -> EncodedVideo | Failed:
        """Turn a file whose rows would corrupt the index into a failure."""
        path = result.path
        if not is_storable(path):
            return Failed(path, "its name is not valid UTF-8; rename the file")
        if isinstance(result, Failed):
            return result
        for encoded in result.windows:
            sizes = {encoded.vector.shape[-1], encoded.segments.shape[-1]}
            if sizes != {self._embed_size}:
                raise IndexStoreError(
                    f"{path}: embeddings of size {sizes}, but the index {self._store.location} holds "
                    f"size {self._embed_size}: use the model it was made with, or another --index"
                )
            if not (np.isfinite(encoded.vector).all() and np.isfinite(encoded.segments).all()):
                return Failed(path, "its embedding isn't finite: the frames or the model are damaged")
        if not result.windows:
            return Failed(path, "no window was encoded")
        starts = {milliseconds(encoded.window.start_seconds) for encoded in result.windows}
        if len(starts) < len(result.windows):
            return Failed(path, "two windows start within a millisecond; index with a longer --window")
        return result

    def _put_of(self, paths: Collection[str]) -> Callable[[Any, pa.Table], int]:
        """Return what replaces all rows of paths in a table, and waits until the new ones are on the disk."""
        wanted, known = sorted(paths), self._known.known(paths)
        self._known.begin(wanted)

        def put(table: Any, rows: pa.Table) -> int:
            changed = replace_rows(table, rows, wanted, known, merged=self._store.remote)
            self._store.sync(table.name)
            return changed

        return put

    def _forget(self, paths: Sequence[str]) -> None:
        self._known.begin(paths)
        for condition in conditions(paths):
            self._pictures.delete(condition)
            self._removed += self._windows.delete(condition).num_deleted_rows
            self._videos.delete(condition)
        self._spoken.forget(paths)
        for path in paths:
            self._known.record(path, None)

    def _tidy(self) -> None:
        """Compact if that is due; with one piece it takes no time and deletes old versions' files."""
        pieces = self._windows.stats()["fragment_stats"]["num_fragments"]
        if pieces <= 1 or pieces > _FRAGMENTS or self._removed * 10 > self._windows.count_rows():
            self._compact()

    def _compact(self) -> None:
        """Merge small pieces, and delete versions that became old once the newest are on the disk."""
        for age in (_FOREVER, _KEEP_VERSIONS):
            for table in (self._pictures, self._spoken.transcripts, *self._shown):
                table.optimize(cleanup_older_than=age)
            self._commit()
        self._removed = 0

    def _verify(self) -> None:
        """Compare what was written with what a new reader would see; all of it only if something is wrong."""
        videos, windows, pictures = map(self._store.table, ("videos", "windows", "pictures"))
        transcripts, cues = map(self._store.table, ("transcripts", "cues"))
        known, said = self._known, self._spoken.known
        if known.holds(videos, windows, pictures) and said.holds(transcripts, cues):
            return
        found = inspect_tables(pictures, windows, videos)
        heard = inspect_transcripts(cues, transcripts, found.encoded)
        wrong = found.broken | known.differing(found.files) | heard.broken | said.differing(heard.files)
        if wrong:
            self._store.commit(checked=False)  # so that the next writer looks at everything
            raise IndexStoreError(
                f"the index {self._store.location} doesn't hold what was written for {len(wrong)} files, "
                f"among them {min(wrong)}: the disk or another program changed it. "
                "Run the command again to encode these files again"
            )
