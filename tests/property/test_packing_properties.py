"""What is true for every embedding that an index stores."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from centerclip.index.packing import are_possible, pack, unpack, unpack_vectors
from centerclip.index.schema import schemas

NUMBERS = st.floats(-1, 1, width=32) | st.just(0.0)


@st.composite
def embeddings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Draw vectors [N, E], the segments [S, E] of all of them, and how many each has."""
    size, counts = draw(st.integers(1, 12)), draw(st.lists(st.integers(0, 4), max_size=5))
    vectors = draw(arrays(np.float32, (len(counts), size), elements=NUMBERS))
    return vectors, draw(arrays(np.float32, (sum(counts), size), elements=NUMBERS)), counts


def stored(vectors: np.ndarray, segments: np.ndarray, counts: list[int], format: int = 3) -> pa.Table:
    schema = schemas(vectors.shape[1], format)["windows"]
    columns = pack(vectors, segments, counts, schema)
    return pa.table(columns, schema=pa.schema([schema.field(name) for name in columns]))


@settings(max_examples=25)
@given(embeddings())
def test_errors_are_bounded_by_the_rounding(made: tuple[np.ndarray, np.ndarray, list[int]]) -> None:
    vectors, segments, counts = made
    rows = stored(*made)
    found, parts = unpack(rows)
    np.testing.assert_array_equal(found, vectors.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(unpack_vectors(rows["vector"]), found)
    assert [len(each) for each in parts] == counts
    if not len(segments):
        return
    read = np.concatenate(parts)
    far = np.abs(segments - np.repeat(found, counts, axis=0)).max(axis=1, keepdims=True)
    assert (np.abs(read - segments) <= far / 254 + 1e-6).all()


@settings(max_examples=25)
@given(embeddings())
def test_what_was_read_can_be_stored_again(made: tuple[np.ndarray, np.ndarray, list[int]]) -> None:
    rows = stored(*made)
    vectors, parts = unpack(rows)
    if len(parts):
        again = stored(vectors, np.concatenate(parts), made[2])
        assert again["vector"].equals(rows["vector"])
        for one, other in zip(unpack(again)[1], parts, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@settings(max_examples=25)
@given(embeddings(), st.sampled_from([2, 3]))
def test_a_row_does_not_depend_on_others(made: tuple[np.ndarray, np.ndarray, list[int]], format: int) -> None:
    vectors, segments, counts = made
    rows = stored(*made, format)
    ends = np.cumsum([0, *counts])
    found, parts = unpack(rows)
    for at in range(len(vectors)):
        own = vectors[at : at + 1], segments[ends[at] : ends[at + 1]], counts[at : at + 1]
        assert stored(*own, format).equals(rows.slice(at, 1).combine_chunks())
        alone, (part,) = unpack(rows.slice(at, 1))
        np.testing.assert_array_equal(alone[0], found[at])
        np.testing.assert_array_equal(part, parts[at])


@settings(max_examples=25)
@given(embeddings())
def test_format_2_keeps_its_types(made: tuple[np.ndarray, np.ndarray, list[int]]) -> None:
    vectors, segments, counts = made
    found, parts = unpack(stored(*made, 2))
    np.testing.assert_array_equal(found, vectors)
    expected = np.split(segments.astype(np.float16), np.cumsum(counts))[:-1]
    for part, wanted in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part, wanted)


@pytest.mark.parametrize("format", [2, 3])
@pytest.mark.parametrize("nonsense", [0, 255])
def test_bytes_of_a_damaged_disk_are_noticed(format: int, nonsense: int) -> None:
    vectors = np.eye(3, 4, dtype=np.float32)
    rows = stored(vectors, vectors.repeat(2, axis=0), [2] * 3, format).to_batches()[0]
    assert are_possible(rows).tolist() == [True] * 3
    for name in ("vector", "segments"):
        column = rows[name]
        *lists, values = column.buffers()
        one = len(values) // 3
        spoiled = bytearray(values.to_pybytes())
        spoiled[one : 2 * one] = bytes([nonsense]) * one
        buffers = [*lists, pa.py_buffer(bytes(spoiled))]
        if name == "vector":
            inner = pa.Array.from_buffers(column.type.value_type, 12, buffers[-2:])
            changed = pa.FixedSizeListArray.from_arrays(inner, 4)
        elif pa.types.is_list(column.type):
            inner = pa.Array.from_buffers(column.type.value_type, 24, [None, buffers[-1]])
            changed = pa.ListArray.from_arrays(column.offsets, inner)
        else:
            changed = pa.Array.from_buffers(column.type, 3, buffers)
        at = rows.schema.get_field_index(name)
        assert are_possible(rows.set_column(at, rows.schema.field(at), changed)).tolist() == [
            True,
            False,
            True,
        ]
