"""The only hand that changes an index: batches in, rows replaced, and a count at the end.

One rule makes it safe to be killed anywhere: a path has as many rows in `windows` as `videos` says (none, for
a failed or unknown one). A batch first replaces its windows in one commit and then records its videos in
another; between the two the rule is broken for that batch alone, and the next writer forgets such paths,
so that they are done anew. A redo replaces, it never adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from centerclip.errors import IndexStoreError
from centerclip.index.changes import FileStamp
from centerclip.index.schema import stored_path, video_rows, window_rows
from centerclip.index.snapshot import EXACT_LIMIT
from centerclip.index.sql import any_of, equals, store_errors
from centerclip.index.store import Store
from centerclip.records import EncodedVideo, Failed

__all__ = ["Summary", "Writer"]

_KEEP_VERSIONS = timedelta(hours=1)
"""How long files of superseded versions stay: a reader that is in the middle of a search may need them."""
_FRAGMENTS = 20
"""Appended pieces from which a finished run compacts: less often, since that rewrites the table."""
_BATCHES = 500
"""Batches after which a long run compacts on its way, before opening its files takes long."""
_PATHS = 1000
"""Paths in one condition."""
_PARTITION = 16_384
"""Windows of a partition of the ANN index."""
_ANN = "ann_"
"""Name of the ANN index, before its number of rows."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a finished run left behind, read back from the index.

    `search` is how it is searched from now on: `exact` or `ann`; `built_ann` whether this run built the
    ANN index for that.
    """

    videos: int
    windows: int
    failed: int
    size_bytes: int
    search: str
    built_ann: bool


class Writer:
    """Changes an index while its lock is held; made by `VideoIndex.writer`, which first repairs.

    Every method returns when its change is on the disk.
    """

    def __init__(self, store: Store, embed_size: int) -> None:
        self._store = store
        self._embed_size = embed_size
        self._windows = store.table("windows")
        self._videos = store.table("videos")
        self._batches = 0
        self._removed = 0
        self._present: set[str] = set()
        """Paths that may have rows; whatever is not here can be appended without looking."""
        self._written: dict[str, int] = {}
        """Windows of each path that this writer acknowledged; 0 after a failure, none when removed."""
        with store_errors(store.location, "being checked"):
            self._forget(_mismatched(self._windows, self._videos))
            self._present = set(_read(self._videos, ["path"])["path"].to_pylist())
            self._tidy()

    def add(self, results: Sequence[EncodedVideo | Failed]) -> list[EncodedVideo | Failed]:
        """Record a batch; what was known of the same paths before is replaced.

        Args:
            results: files encoded or failed, in any order; of two with one path the later counts.

        Returns:
            For each of `results` what is recorded of its path: what can't be stored has become a `Failed`.

        Raises:
            IndexStoreError: embeddings of another size than the index's, or the store failed.
        """
        paths = [stored_path(_path(result)) for result in results]
        by_path = {path: self._storable(result) for path, result in zip(paths, results, strict=True)}
        if not by_path:
            return []
        batch = list(by_path.values())
        windows = window_rows([r for r in batch if isinstance(r, EncodedVideo)], self._embed_size)
        again = [path for path in by_path if path in self._present]
        self._present.update(by_path)
        with store_errors(self._store.location, "being written"):
            self._removed += self._replace(self._windows, ["path", "start_seconds"], windows, again)
            self._replace(self._videos, ["path"], video_rows(batch), again)
            self._batches += 1
            if self._batches % _BATCHES == 0:
                self._compact()
        counts = {path: 0 if isinstance(r, Failed) else len(r.windows) for path, r in by_path.items()}
        self._written.update(counts)
        return [by_path[path] for path in paths]

    def remove(self, paths: Iterable[Path]) -> int:
        """Forget files; returns how many of them were known."""
        known = sorted({stored_path(path) for path in paths} & self._present)
        with store_errors(self._store.location, "being written"):
            self._forget(known)
        for path in known:
            self._written.pop(path, None)
        return len(known)

    def move(self, old: Path, new: FileStamp) -> None:
        """Give a known file its new path, without encoding it anew.

        Raises:
            IndexStoreError: `old` is not known.
        """
        before, after = stored_path(old), stored_path(new.path)
        if before not in self._present:
            raise IndexStoreError(f"{old} is not in the index {self._store.location}, so it can't be moved")
        values = {"path": after, "modified_seconds": new.modified_seconds}
        with store_errors(self._store.location, "being written"):
            if after in self._present:
                self._forget([after])
            self._removed += self._windows.update(where=equals("path", before), values=values).rows_updated
            self._videos.update(where=equals("path", before), values=values)
        self._present = self._present - {before} | {after}
        self._written.pop(after, None)
        if before in self._written:
            self._written[after] = self._written.pop(before)

    def finish(self) -> Summary:
        """Compact, build the ANN index where it pays, count and read back.

        Raises:
            IndexStoreError: what is read back is not what was acknowledged.
        """
        with store_errors(self._store.location, "being finished"):
            self._tidy()
            rows = int(self._windows.count_rows())
            built = self._build_ann(rows)
            self._verify()
            failed = int(self._videos.count_rows(equals("state", "failed")))
            return Summary(
                videos=int(self._videos.count_rows()) - failed,
                windows=rows,
                failed=failed,
                size_bytes=self._store.size_bytes(),
                search="ann" if rows > EXACT_LIMIT else "exact",
                built_ann=built,
            )

    def _storable(self, result: EncodedVideo | Failed) -> EncodedVideo | Failed:
        """Refuse what would poison the index, as a failure of that one file."""
        path = _path(result)
        if "�" in stored_path(path):
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
                return Failed(path, "its embedding is not finite: damaged frames, or the model's fault")
        if not result.windows:
            return Failed(path, "no window of it was encoded")
        return result

    def _replace(self, table: Any, keys: list[str], rows: pa.Table, again: list[str]) -> int:
        """Put in `rows`, and take out all others of the paths `again`, in one commit."""
        if not again:
            if rows.num_rows:
                table.add(rows)
            return 0
        merge = table.merge_insert(keys).when_matched_update_all().when_not_matched_insert_all()
        done = merge.when_not_matched_by_source_delete(any_of("path", again)).execute(rows)
        return int(done.num_updated_rows + done.num_deleted_rows)

    def _forget(self, paths: Sequence[str]) -> None:
        for at in range(0, len(paths), _PATHS):
            condition = any_of("path", paths[at : at + _PATHS])
            self._removed += self._windows.delete(condition).num_deleted_rows
            self._videos.delete(condition)
        self._present.difference_update(paths)

    def _tidy(self) -> None:
        """Compact when that is due; a table of one piece costs nothing and loses its old versions' files."""
        pieces = self._windows.stats()["fragment_stats"]["num_fragments"]
        if pieces <= 1 or pieces > _FRAGMENTS or self._removed * 10 > self._windows.count_rows():
            self._compact()

    def _compact(self) -> None:
        for table in (self._windows, self._videos):
            table.optimize(cleanup_older_than=_KEEP_VERSIONS)
        self._removed = 0

    def _build_ann(self, rows: int) -> bool:
        """Build the ANN index, anew once the rows have doubled; else fold the later ones into it.

        Its name tells of how many rows it was made, on which the number of its partitions depends.
        """
        if rows <= EXACT_LIMIT:
            return False
        indices = {int(index.name.removeprefix(_ANN)): index for index in self._windows.list_indices()}
        if indices and rows < 2 * max(indices):
            if indices[max(indices)].num_unindexed_rows * 10 > rows:
                self._compact()
            return False
        self._windows.create_index("vector", config=self._ann_config(), name=f"{_ANN}{rows}")
        for index in indices.values():
            self._windows.drop_index(index.name)
        return True

    def _ann_config(self) -> Any:
        """Three bits a number, in few and large partitions, so that a search can look at all of them.

        Over 1,000,000 x 512 that takes 25 ms on one core, in memory of 217 MB. Cosine, because with dot the
        partitions come out so uneven that a query takes five times as long.
        """
        from lancedb.index import IvfRq, IvfSq

        if self._embed_size % 8 == 0:
            return IvfRq(distance_type="cosine", num_bits=3, target_partition_size=_PARTITION)
        # The store has the other for multiples of 8 only.
        return IvfSq(distance_type="cosine", target_partition_size=_PARTITION)

    def _verify(self) -> None:
        """Compare what was acknowledged with what a newcomer would read."""
        windows, videos = self._store.table("windows"), self._store.table("videos")
        wrong = _mismatched(windows, videos)
        stored = _read(videos, ["path", "windows"])
        counts = dict(zip(stored["path"].to_pylist(), stored["windows"].to_pylist(), strict=True))
        wrong += [path for path, count in self._written.items() if counts.get(path) != count]
        if wrong:
            raise IndexStoreError(
                f"the index {self._store.location} does not hold what was written for {len(set(wrong))} "
                f"files, {wrong[0]} among them: the disk or another program changed it. "
                "Run the command again, which does these files anew"
            )


def _path(result: EncodedVideo | Failed) -> Path:
    return result.path if isinstance(result, Failed) else result.info.path


def _read(table: Any, columns: list[str]) -> pa.Table:
    return table.search().select(columns).to_arrow()


def _mismatched(windows: Any, videos: Any) -> list[str]:
    """The paths with other rows in `windows` than `videos` says: what a killed writer left half done."""
    counted = pc.value_counts(_read(windows, ["path"])["path"].combine_chunks())
    found = {pair["values"]: pair["counts"] for pair in counted.to_pylist()}
    table = _read(videos, ["path", "windows"])
    told = dict(zip(table["path"].to_pylist(), table["windows"].to_pylist(), strict=True))
    return sorted(path for path in found.keys() | told.keys() if found.get(path, 0) != told.get(path, 0))
