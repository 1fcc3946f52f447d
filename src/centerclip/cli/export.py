"""`centerclip export`: write the index as files that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from centerclip.cli import options
from centerclip.cli.formats import count
from centerclip.cli.options import argument
from centerclip.cli.output import note, write_paths

__all__ = ["export"]


def export(
    folder: Annotated[Path, argument("FOLDER")],
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
) -> None:
    """Write the index as .npy and parquet files.

    Row n of img_emb/img_emb_0.npy (float32, unit length) is the embedding of the window that row n of
    metadata/metadata_0.parquet describes. Prints the paths of both files.

    \b
    Example:
      centerclip export ~/embeddings
    """
    from centerclip.index import VideoIndex

    source = VideoIndex(
        options.index_location(index), create=False, storage_options=options.storage_options(storage)
    )
    windows = source.export(folder)
    note(f"Exported {count(windows, 'window')}.")
    write_paths(sorted(file for file in folder.glob("*/*_0.*") if file.is_file()), null=False)
