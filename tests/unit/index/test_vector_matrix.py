"""The vectors in memory: those of an earlier version aren't read again, and are always the table's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_videos import new_index, random_video

from centerclip.index import VideoIndex, writer
from centerclip.index.matrix import VectorMatrix
from centerclip.index.store import Store


class Watched:
    """A table that counts the rows whose vectors are read."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.read = 0

    def search(self) -> "_Query":
        return _Query(self, self.table.search(), self.table.count_rows())

    def take_row_ids(self, row_ids: list[int]) -> "_Query":
        return _Query(self, self.table.take_row_ids(row_ids), len(row_ids))

    def take_offsets(self, offsets: list[int]) -> "_Query":
        return _Query(self, self.table.take_offsets(offsets), len(offsets))


class _Query:
    def __init__(self, watched: Watched, query: Any, rows: int) -> None:
        self.watched, self.query, self.rows = watched, query, rows

    def select(self, columns: list[str]) -> Any:
        self.watched.read += self.rows * ("vector" in columns)
        return self.query.select(columns)


def windows_of(index: VideoIndex) -> Watched:
    return Watched(Store(index.location).table("windows"))


def read(index: VideoIndex, before: VectorMatrix | None = None) -> tuple[VectorMatrix, int]:
    """Read all vectors; return them and how many were read from the table."""
    table = windows_of(index)
    count = table.table.count_rows()
    return VectorMatrix.read(table, count, index.model.embed_size, before=before), table.read


def check(matrix: VectorMatrix, index: VideoIndex) -> None:
    """Compare a matrix with all rows as the store returns them."""
    rows = windows_of(index).table.search().with_row_id(True).to_arrow().sort_by("_rowid").to_pylist()
    order = np.argsort(matrix.row_ids)
    assert matrix.row_ids[order].tolist() == [row["_rowid"] for row in rows]
    assert matrix.start_ms[order].tolist() == [row["start_ms"] for row in rows]
    assert matrix.names(matrix.numbers[order]) == [row["video_id"] for row in rows]
    np.testing.assert_array_equal(matrix.vectors[order], np.array([row["vector"] for row in rows]))


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    return new_index(tmp_path / "index", *(random_video(f"/v/{n}.mp4", windows=3, seed=n) for n in range(20)))


def test_only_vectors_of_new_rows_are_read(index: VideoIndex) -> None:
    first, count = read(index)
    assert count == 60
    check(first, index)
    assert read(index, first)[1] == 0
    with index.writer() as w:
        w.add([random_video(f"/v/{n}.mp4", windows=2, seed=n) for n in range(100, 105)])
        w.finish()
    second, count = read(index, first)
    assert count == 10
    check(second, index)


def test_changed_removed_and_compacted_rows_are_the_tables_own(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, _ = read(index)
    with index.writer() as w:
        w.add([random_video("/v/3.mp4", windows=3, seed=99)])
        w.remove([Path("/v/5.mp4")])
    matrix, count = read(index, matrix)
    assert count == 3
    check(matrix, index)
    monkeypatch.setattr(writer, "_FRAGMENTS", 1, raising=False)
    with index.writer() as w:
        w.finish()
    check(read(index, matrix)[0], index)


def test_rows_whose_number_is_used_again_are_read(index: VideoIndex, tmp_path: Path) -> None:
    others = (random_video(f"/v/{n}.mp4", windows=3, seed=500 + n) for n in range(20))
    other = new_index(tmp_path / "other", *others)
    first, _ = read(index)
    matrix, count = read(other, first)
    assert set(matrix.row_ids) == set(first.row_ids)
    assert count == 60
    check(matrix, other)


def test_a_sample_and_an_empty_matrix_may_come_before(index: VideoIndex, tmp_path: Path) -> None:
    table, size = windows_of(index), index.model.embed_size
    sample = VectorMatrix.read(table, 7, size, offsets=np.arange(0, 56, 8))
    whole, count = read(index, sample)
    assert count == 53
    check(whole, index)
    empty = new_index(tmp_path / "empty")
    nothing, _ = read(empty)
    assert read(index, nothing)[1] == 60
    assert len(VectorMatrix.read(windows_of(empty), 0, size, before=whole).row_ids) == 0


def test_searches_carry_the_vectors_from_version_to_version(
    index: VideoIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    whole = VectorMatrix.read.__func__

    def counted(table: Any, *args: Any, **more: Any) -> VectorMatrix:
        watched = Watched(table)
        matrix = whole(VectorMatrix, watched, *args, **more)
        counts.append(watched.read)
        return matrix

    monkeypatch.setattr(VectorMatrix, "read", counted)
    query = np.ones(index.model.embed_size)
    index.search(query)
    for seed in (200, 201):  # the first of these versions is never searched
        with VideoIndex(index.location).writer() as w:
            w.add([random_video(f"/v/{seed}.mp4", windows=4, seed=seed)])
        len(index)
    index.search(query)
    assert counts == [60, 8]
