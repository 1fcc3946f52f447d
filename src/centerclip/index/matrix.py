"""The vectors of an index in memory, carried from each version of the table of windows to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from centerclip.index.packing import unpack_vectors

__all__ = ["VectorMatrix"]

_ROWS = 8192
"""Rows that are read at once."""


@dataclass(frozen=True, slots=True)
class VectorMatrix:
    """Vectors of windows, and what identifies each one.

    Attributes:
        vectors: [N, E] float32.
        row_ids: [N], of the table's rows.
        start_ms: [N], where each window starts.
        numbers: [N], the place of each window's content in `contents`.
        contents: the ids of all contents, each once; an Arrow array of strings.
    """

    vectors: NDArray[np.float32]
    row_ids: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    numbers: NDArray[np.int32]
    contents: Any

    def names(self, numbers: NDArray[np.int32]) -> list[str]:
        """Return the ids of the contents with these numbers."""
        names: list[str] = self.contents.take(pa.array(numbers)).to_pylist()
        return names

    @classmethod
    def read(
        cls,
        table: Any,
        count: int,
        embed_size: int,
        *,
        offsets: NDArray[np.int64] | None = None,
        before: Self | None = None,
    ) -> Self:
        """Read vectors from a version of the table of windows.

        Reading them all at each version would take work, memory and threads of the store that grow with the
        index, so those of `before` are copied.

        Args:
            table: a handle at that version.
            count: N, its number of rows, or of `offsets`.
            embed_size: E.
            offsets: [N] ascending, the rows to read; None for all.
            before: what was read from an earlier version of an index of the same model.
        """
        names = ["video_id", "start_ms"]
        if offsets is None:
            rows = table.search().select(names).with_row_id(True).to_arrow()
        else:
            rows = table.take_offsets(offsets.tolist()).select(names).with_row_id().to_arrow()
        contents = rows["video_id"].combine_chunks().dictionary_encode()
        matrix = cls(
            np.empty((count, embed_size), dtype=np.float32),
            rows["_rowid"].to_numpy().astype(np.int64),
            rows["start_ms"].to_numpy().astype(np.int64),
            contents.indices.to_numpy(),
            contents.dictionary,
        )
        unknown = np.arange(count) if before is None else matrix._copy_from(before)
        if len(unknown) == count and offsets is None:
            source = table.search().select(["vector"]).with_row_id(True)
            matrix._fill(unknown, source.to_batches(_ROWS))
        else:
            for start in range(0, len(unknown), _ROWS):
                places = unknown[start : start + _ROWS]
                source = table.take_row_ids(matrix.row_ids[places].tolist()).select(["vector"])
                matrix._fill(places, source.with_row_id().to_batches())
        return matrix

    def _copy_from(self, before: VectorMatrix) -> NDArray[np.int64]:
        """Copy the vectors that another matrix has; return the places of the others.

        A vector belongs to the row, the content and the start together, because a repaired table may use the
        number of a row again.
        """
        order = np.argsort(before.row_ids)
        found = np.searchsorted(before.row_ids, self.row_ids, sorter=order)
        found = order[np.minimum(found, len(order) - 1)] if len(order) else np.zeros_like(self.row_ids)
        same = np.zeros(len(found), dtype=bool)
        if len(order):
            renamed = pc.index_in(self.contents, value_set=before.contents).fill_null(-1).to_numpy()
            same = (
                (before.row_ids[found] == self.row_ids)
                & (before.start_ms[found] == self.start_ms)
                & (before.numbers[found] == renamed[self.numbers])
            )
        for start in range(0, len(same), _ROWS):  # in pieces, so that the copy needs no second copy
            here = start + np.flatnonzero(same[start : start + _ROWS])
            self.vectors[here] = before.vectors[found[here]]
        return np.flatnonzero(~same)

    def _fill(self, places: NDArray[np.int64], batches: Any) -> None:
        """Fill the vectors at `places` from batches of rows, in any order."""
        order = places[np.argsort(self.row_ids[places])]
        row_ids = self.row_ids[order]
        for batch in batches:
            at = order[np.searchsorted(row_ids, batch["_rowid"].to_numpy())]
            self.vectors[at] = unpack_vectors(batch["vector"])
