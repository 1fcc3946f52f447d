"""Which version of a local table can be read: the wanted one, or the newest good one before it.

A power cut can leave files empty, cut off or full of zeros, and the store doesn't open a table whose newest
manifest is such a file. Its older versions are opened through a folder of links that lacks the damaged one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

from centerclip.index.durable import MANIFESTS
from centerclip.index.schema import KEYS

__all__ = [
    "check_table",
    "damaged_manifests",
    "find_good",
    "index_errors",
    "manifest_name",
    "manifests",
    "open_alone",
]

_NOTHING = {
    "windows": "start_ms < 0",
    "pictures": "start_ms < 0",
    "videos": "windows < 0",
    "cues": "start_ms < 0",
    "transcripts": "cues < 0",
    "meta": "value = ''",
}
"""A condition that no row meets. Evaluating it opens every data file and every list of deleted rows."""
_NUMBERS = 2**64 - 1
"""Manifests are named by this minus their version, so that the newest is listed first."""
_MAGIC = b"LANC"
"""What every manifest ends with."""
STORE_ERRORS = (OSError, ValueError, RuntimeError)
"""The three kinds that lancedb raises."""


def manifests(location: str, name: str) -> dict[int, Path]:
    """Return the versions of a local table and their manifests, the newest first; empty without a table."""
    folder = Path(location, f"{name}.lance", MANIFESTS)
    found = {}
    with suppress(FileNotFoundError):
        for file in os.listdir(folder):
            stem, _, kind = file.partition(".")
            if kind == "manifest" and stem.isdigit():
                found[_NUMBERS - int(stem)] = folder / file
    return dict(sorted(found.items(), reverse=True))


def manifest_name(number: int) -> str:
    """Return the name of a version's manifest."""
    return f"{_NUMBERS - number:020d}.manifest"


def damaged_manifests(location: str, name: str, at_most: int | None = None) -> list[Path]:
    """Return the manifests that weren't written to their end.

    The store reads all of them, also old ones, to find the files that it may delete.
    """
    found = manifests(location, name).items()
    files = [file for number, file in found if at_most is None or number <= at_most]
    return [file for file in files if not _is_whole(file)]


def _is_whole(manifest: Path) -> bool:
    """Whether a manifest was written to its end; the store may panic if it reads another one."""
    try:
        with manifest.open("rb") as file:
            file.seek(-len(_MAGIC), os.SEEK_END)
            return file.read() == _MAGIC
    except OSError:  # it is shorter, or was deleted meanwhile
        return False


def find_good(location: str, name: str, connection: Any, at_most: int | None = None) -> Any:
    """Return a handle for reading the newest version up to `at_most` that is whole; None without one."""
    found = manifests(location, name)
    in_the_way = False
    for number, manifest in found.items():
        if not _is_whole(manifest):
            in_the_way = True
        elif at_most is None or number <= at_most:
            if not in_the_way:
                with suppress(*STORE_ERRORS):
                    table = connection.open_table(name, version=number)
                    check_table(table, number)
                    return table
            if number != max(found):
                with suppress(*STORE_ERRORS):
                    table = open_alone(location, name, number)
                    check_table(table, number)
                    return table
    return None


def open_alone(location: str, name: str, number: int) -> Any:
    """Return a handle for reading a version, opened as if it were the only one.

    Raises:
        OSError, ValueError, RuntimeError: its manifest is damaged.
    """
    from centerclip.index.lance import lancedb

    manifest = manifests(location, name)[number]
    if not _is_whole(manifest):
        raise ValueError(f"the manifest of version {number} is damaged")
    links = mkdtemp(prefix="centerclip-")
    connection = lancedb.connect(links)
    finalize(connection, shutil.rmtree, links, ignore_errors=True)  # the handle keeps the connection
    folder = Path(links, f"{name}.lance")
    (folder / MANIFESTS).mkdir(parents=True)
    for entry in os.scandir(Path(location, folder.name)):
        if entry.name != MANIFESTS:
            os.symlink(os.path.abspath(entry.path), folder / entry.name)
    shutil.copy(manifest, folder / MANIFESTS)
    table = connection.open_table(name, version=number)
    _check_manifest(table, number)
    return table


def _check_manifest(table: Any, number: int) -> None:
    # A manifest of zeros is version 0 without columns to the store.
    if table.version != number or not set(KEYS[table.name]) <= set(table.schema.names):
        raise ValueError(f"the manifest of version {number} is damaged")


def check_table(table: Any, number: int) -> None:
    """Open every file of a version; takes 14 ms for 1,000,000 rows.

    Raises:
        OSError, ValueError, RuntimeError: one is damaged.
    """
    _check_manifest(table, number)
    table.search().where(_NOTHING[table.name]).select(KEYS[table.name]).to_arrow()
    for error in index_errors(table).values():
        raise error


def index_errors(table: Any) -> dict[str, Exception]:
    """Return the names of the ANN and full-text indices that can't be searched, and why."""
    errors: dict[str, Exception] = {}
    for index in table.list_indices():
        try:
            if table.name == "cues":
                from lancedb.query import MatchQuery

                table.search(MatchQuery("a", "text")).limit(1).select(["path", "_score"]).to_arrow()
                continue
            size = table.schema.field("vector").type.list_size
            vector = [1.0] + [0.0] * (size - 1)
            query = table.search(vector, vector_column_name="vector").distance_type("cosine")
            query.nprobes(1).fast_search().limit(1).select(["path", "_distance"]).to_arrow()
        except STORE_ERRORS as error:
            errors[index.name] = error
    return errors
