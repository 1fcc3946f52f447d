"""How embeddings are stored in the table of windows. Only this module knows; everything else sees float32.

A window's vector is E float16. Its segments are one value of bytes: for each segment a scale in little-endian
float32, and E int8. These, times the scale, are the segment's difference to the vector. Since segments
resemble their window, cosines of segments of real videos change by 0.0002 (standard deviation). Rounding the
segments themselves to int8 would change them by 0.0006.

Indexes of format 2 store the vector as float32 and the segments as float16. The column's type tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["are_possible", "pack", "packed_types", "unpack", "unpack_vectors"]

_SCALE = np.dtype("<f4")
_LARGEST = 127
"""Of the int8; -128 isn't used."""
_SMALLEST = np.finfo(np.float32).tiny
"""The scale of a segment that equals its vector. It is never 0, as that is what a damaged disk leaves."""
_UNIT = 0.01
"""How far the length of a vector may be from 1."""


def packed_types(embed_size: int, format: int) -> dict[str, pa.DataType]:
    """Return the types of the columns `vector` and `segments` in an index of a format."""
    if format == 2:
        return {"vector": pa.list_(pa.float32(), embed_size), "segments": pa.list_(pa.float16())}
    return {"vector": pa.list_(pa.float16(), embed_size), "segments": pa.binary()}


def pack(
    vectors: NDArray[np.float32], segments: NDArray[np.float32], counts: Sequence[int], schema: pa.Schema
) -> dict[str, pa.Array]:
    """Return the columns `vector` and `segments` as a table stores them.

    Args:
        vectors: [N, E], finite.
        segments: [S, E], those of all windows one after the other.
        counts: [N], how many of them each window has.
        schema: of the table.
    """
    vector, lists = schema.field("vector").type, schema.field("segments").type
    rounded = vectors.astype(vector.value_type.to_pandas_dtype())
    ends = np.cumsum([0, *counts])  # [N + 1]
    if pa.types.is_list(lists):
        offsets, values = pa.array(ends * vectors.shape[1], pa.int32()), segments.astype(np.float16)
        packed = pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
    else:
        block = _pack_differences(segments, np.repeat(rounded.astype(np.float32), counts, axis=0))
        offsets = (ends * block.shape[1]).astype(np.int32)
        packed = pa.Array.from_buffers(
            lists, len(vectors), [None, pa.py_buffer(offsets), pa.py_buffer(block)]
        )
    return {
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(rounded.ravel()), vectors.shape[1]),
        "segments": packed,
    }


def unpack(rows: pa.Table | pa.RecordBatch) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return the vectors [N, E] and each one's segments [S, E], from rows with both columns."""
    vectors = unpack_vectors(rows["vector"])
    column = _joined(rows["segments"])
    if pa.types.is_list(column.type):
        values = column.flatten().to_numpy().astype(np.float32).reshape(-1, vectors.shape[1])
        ends = _ends(column) // vectors.shape[1]
    else:
        block, ends = _block(column, vectors.shape[1])
        values = _unpack_differences(block, np.repeat(vectors, np.diff(ends), axis=0))
    return vectors, [values[start:end] for start, end in pairwise(ends.tolist())]


def unpack_vectors(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float32]:
    """Return the column `vector` as [N, E]."""
    vectors = _joined(column)
    values: NDArray[np.float32] = vectors.flatten().to_numpy().astype(np.float32, copy=False)
    return values.reshape(-1, vectors.type.list_size)


def are_possible(rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Return for each row [N] whether its embeddings can be right; a damaged disk tends to leave zeros."""
    vectors, segments = unpack(rows)
    whole = np.array([len(each) > 0 and bool(np.isfinite(each).all() and each.any()) for each in segments])
    column = _joined(rows["segments"])
    if not pa.types.is_list(column.type):
        block, ends = _block(column, vectors.shape[1])
        scaled = _scales(block)[:, 0] > 0
        whole &= [bool(scaled[start:end].all()) for start, end in pairwise(ends.tolist())]
    right: NDArray[np.bool_] = (np.abs(np.linalg.norm(vectors, axis=1) - 1) < _UNIT) & whole
    return right


def _pack_differences(segments: NDArray[np.float32], bases: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return [S, 4 + E]: scales, and the differences of segments [S, E] to bases [S, E] divided by them."""
    differences = segments - bases
    scales = np.maximum(np.abs(differences).max(axis=1, keepdims=True) / _LARGEST, _SMALLEST)  # [S, 1]
    numbers = np.rint(differences / scales).clip(-_LARGEST, _LARGEST).astype(np.int8)
    return np.concatenate([scales.astype(_SCALE).view(np.uint8), numbers.view(np.uint8)], axis=1)


def _unpack_differences(block: NDArray[np.uint8], bases: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):  # scales from a damaged disk
        values: NDArray[np.float32] = block[:, _SCALE.itemsize :].view(np.int8) * _scales(block)
        values += bases
    return values


def _scales(block: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return [S, 1]."""
    scales: NDArray[np.float32] = np.ascontiguousarray(block[:, : _SCALE.itemsize]).view(_SCALE)
    return scales.astype(np.float32, copy=False)


def _block(column: pa.BinaryArray, embed_size: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the bytes of all segments [S, 4 + E], and where each row's begin and end, [N + 1]."""
    ends, size = _ends(column), _SCALE.itemsize + embed_size
    held = column.buffers()[2]
    data = np.frombuffer(held if held is not None else b"", np.uint8)[ends[0] : ends[-1]]
    return data.reshape(-1, size), (ends - ends[0]) // size


def _ends(column: pa.BinaryArray | pa.ListArray) -> NDArray[np.int32]:
    """Return the N + 1 offsets of a column of values of any length; those of a slice don't start at 0."""
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]


def _joined(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
