"""Reading annotation files: JSON (also zipped, as published), CSV, lists, and pickles, without running them.

Owns the formats and their errors; knows no data set.
"""

from __future__ import annotations

import csv
import io
import pickle
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from centerclip.errors import DatasetError

__all__ = [
    "each_once",
    "find_annotation",
    "read_bytes",
    "read_ids",
    "read_json",
    "read_pickle",
    "read_rows",
    "read_text",
]

T = TypeVar("T")


def find_annotation(folder: Path, *names: str) -> Path:
    """The first of `names` that is in `folder`.

    Raises:
        DatasetError: no such folder, or none of the files in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"folder not found: {folder}. Give the one that holds {' or '.join(names)}")
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise DatasetError(
            f"{folder} holds no {' or '.join(names)}: put the published file there, or give its folder as "
            "annotations"
        )
    return found


def read_bytes(path: Path) -> bytes:
    """A file's content, or for a `.zip` the content of the one `.json` in it."""
    try:
        if path.suffix != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            # Archives packed on a Mac hold a second entry for each file in this folder.
            members = [n for n in archive.namelist() if n.endswith(".json") and not n.startswith("__MACOSX")]
            if len(members) != 1:
                raise DatasetError(f"{path} holds {len(members)} .json files; it must hold one")
            return archive.read(members[0])
    except OSError as error:
        raise DatasetError(f"{path}: can't be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DatasetError(f"{path} is not a valid zip file ({error}); download it again") from error


def read_text(path: Path) -> str:
    """A file's text, UTF-8 with or without a byte order mark."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: byte {error.start} is not UTF-8; save the file in this encoding"
        ) from error


def read_json(path: Path, kind: type[T]) -> T:
    """A JSON file (or the one in a `.zip`) as a value of type `kind`; other keys are ignored.

    Args:
        path: the file.
        kind: containers and dataclasses, such as `dict[str, list[str]]`.

    Raises:
        DatasetError: unreadable, not JSON, or of another layout; the message names the place.
    """
    # Slow to import, and only reading annotations needs it.
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(read_text(path))
    except ValidationError as error:
        _refuse(path, error)


def read_pickle(path: Path, kind: type[T]) -> T:
    """A pickle of plain containers, strings and numbers as a value of type `kind`.

    A pickle is a program. Anything in it that names a class or a function is refused before it is looked
    up, so the file can't run code.

    Raises:
        DatasetError: unreadable, holds more than plain values, or is of another layout.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        value = _PlainUnpickler(io.BytesIO(read_bytes(path)), encoding="utf-8").load()
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except Exception as error:  # its documentation: "may raise other exceptions", and damaged files do
        raise DatasetError(f"{path} is not a valid pickle ({error}); download it again") from error
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        _refuse(path, error)


def read_ids(path: Path) -> list[str]:
    """The lines of a list of videos.

    Raises:
        DatasetError: unreadable, empty, or with a repeated line.
    """
    return each_once(path, [line.strip() for line in read_text(path).splitlines() if line.strip()])


def each_once(path: Path, ids: Sequence[str]) -> list[str]:
    """Return the ids that a file lists; DatasetError if there are none or one is repeated."""
    if not ids:
        raise DatasetError(f"{path} lists no videos; download it again")
    name, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise DatasetError(f"{path} lists {name} {times} times; each video of a split is listed once")
    return list(ids)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a comma-separated file with a header, each with the number of its last line.

    Args:
        path: the file.
        columns: those that every row must fill; other columns are returned too.

    Raises:
        DatasetError: unreadable, a column missing, a row too short or too long, or an empty value.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        absent = [name for name in columns if name not in (reader.fieldnames or ())]
        if absent:
            raise DatasetError(
                f"{path} has no column {', '.join(absent)}; its first line must name "
                f"{', '.join(columns)}, but names {', '.join(reader.fieldnames or ()) or 'nothing'}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise DatasetError(
                    f"{path}, line {reader.line_num}: not {len(reader.fieldnames or ())} values as "
                    "in the first line; quote a value that holds a comma"
                )
            empty = next((name for name in columns if not row[name].strip()), None)
            if empty is not None:
                raise DatasetError(
                    f"{path}, line {reader.line_num}: {empty} is empty; fill it in or remove the row"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line {reader.reader.line_num}: not comma-separated values ({error})"
        ) from error


class _PlainUnpickler(pickle.Unpickler):
    """Refuses globals, and so classes and functions."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise DatasetError(
            f"asks for {module}.{name}; only plain containers, strings and numbers are read. "
            "Use the published file, or save it as JSON"
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise DatasetError("refers to objects outside the file; use the published file, or save it as JSON")


def _refuse(path: Path, error: Any) -> NoReturn:
    """Turn a pydantic error into ours: the first wrong place, and the number of others."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more places)" if error.error_count() > 1 else ""
    raise DatasetError(
        f"{path}{f', at {place}' if place else ''}: {first['msg']}{more}. "
        "The file must have the published layout; download it again"
    ) from error
