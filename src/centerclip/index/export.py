"""Export an index as plain files in clip-retrieval's layout: `img_emb/*.npy` and `metadata/*.parquet`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from centerclip.errors import IndexStoreError
from centerclip.index.columns import WINDOW_COLUMNS
from centerclip.index.packing import unpack_vectors
from centerclip.index.recorded import readable

__all__ = ["write_export"]

_BATCH = 8192


def write_export(table: Any, embed_size: int, folder: Path) -> int:
    """Write `img_emb/img_emb_0.npy` [N, E] float32 and `metadata/metadata_0.parquet`, and return N.

    The rows of both correspond. The parquet file has the windows' columns and `image_path`, a copy of `path`
    under the name that clip-retrieval's tools expect. Memory doesn't grow with N.

    Raises:
        IndexStoreError: the folder already holds an export, or isn't writable.
    """
    vectors_file = folder / "img_emb" / "img_emb_0.npy"
    rows_file = folder / "metadata" / "metadata_0.parquet"
    for file in (vectors_file, rows_file):
        if file.exists():
            raise IndexStoreError(f"{file} already exists: choose another folder")
    try:
        for file in (vectors_file, rows_file):
            file.parent.mkdir(parents=True, exist_ok=True)
        return _write(table, embed_size, vectors_file, rows_file)
    except OSError as error:
        raise IndexStoreError(f"{folder} can't be written: {error}. Choose another folder") from error


def _write(table: Any, embed_size: int, vectors_file: Path, rows_file: Path) -> int:
    count = int(table.count_rows())
    vectors = np.lib.format.open_memmap(vectors_file, mode="w+", dtype=np.float32, shape=(count, embed_size))
    columns = readable(table, [column.name for column in WINDOW_COLUMNS.values()])
    batches = table.search().select([*columns, "vector"]).to_batches(_BATCH)
    described = [(field.name, field.type) for field in batches.schema if field.name != "vector"]
    schema = pa.schema([*described, ("image_path", pa.string())])
    at = 0
    with pq.ParquetWriter(rows_file, schema) as rows:
        for batch in batches:
            vectors[at : at + batch.num_rows] = unpack_vectors(batch["vector"])
            columns = [*batch.drop_columns("vector").columns, batch["path"]]
            rows.write_batch(pa.record_batch(columns, schema=schema))
            at += batch.num_rows
    vectors.flush()
    return count
