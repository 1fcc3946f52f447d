"""Reads annotation files: JSON (zipped too), CSV, lists of ids, and pickles without running their code."""

from __future__ import annotations

import csv
import io
import pickle  # nosec B403
import textwrap
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
    "read_ids",
    "read_json",
    "read_pickle",
    "read_rows",
    "read_text",
]

T = TypeVar("T")


def find_annotation(folder: Path, *names: str) -> Path:
    """Return the path of the first of `names` that exists in `folder`.

    Raises:
        DatasetError: the folder doesn't exist, or has none of the files.
    """
    if not folder.is_dir():
        raise DatasetError(f"folder not found: {folder}. Give the folder that contains {' or '.join(names)}")
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise DatasetError(
            f"{folder} has no {' or '.join(names)}: put the published file there, or give its folder as "
            "annotations"
        )
    return found


def _read_bytes(path: Path) -> bytes:
    """Return a file's content, or for a `.zip` the content of its only `.json` file."""
    try:
        if path.suffix != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            # Archives made on a Mac have a second entry for each file in this folder.
            members = [n for n in archive.namelist() if n.endswith(".json") and not n.startswith("__MACOSX")]
            if len(members) != 1:
                raise DatasetError(f"{path} has {len(members)} .json files; it must have one")
            return archive.read(members[0])
    except OSError as error:
        raise DatasetError(f"{path}: can't be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DatasetError(f"{path} is not a valid zip file ({error}); download it again") from error


def read_text(path: Path) -> str:
    """Return a file's text, in UTF-8 with or without a byte order mark."""
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file, or the one in a `.zip`, as a value of type `kind`; unknown keys are ignored.

    Args:
        path: the file.
        kind: containers and dataclasses, such as `dict[str, list[str]]`.

    Raises:
        DatasetError: the file is unreadable, not JSON, or has another layout; the message names the place.
    """
    return _validated(path, kind, read_text(path), json=True)


def read_pickle(path: Path, kind: type[T]) -> T:
    """Read a pickle of plain containers, strings and numbers as a value of type `kind`.

    Unpickling can run code. Here, any reference to a class or function is refused before it is looked up.

    Raises:
        DatasetError: the file is unreadable, contains other than plain values, or has another layout.
    """
    try:
        value = _PlainUnpickler(io.BytesIO(_read_bytes(path)), encoding="utf-8").load()
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except Exception as error:  # damaged files raise various types, as documented
        raise DatasetError(f"{path} is not a valid pickle ({error}); download it again") from error
    return _validated(path, kind, value)


def read_ids(path: Path) -> list[str]:
    """Read a list of videos, one per line.

    Raises:
        DatasetError: the file is unreadable or empty, or repeats a line.
    """
    return each_once(path, [line.strip() for line in read_text(path).splitlines() if line.strip()])


def each_once(path: Path, ids: Sequence[str]) -> list[str]:
    """Check the ids that a file lists; DatasetError if there are none or one is repeated."""
    if not ids:
        raise DatasetError(f"{path} lists no videos; download it again")
    name, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise DatasetError(f"{path} lists {name} {times} times; each video must be listed once")
    return list(ids)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file with a header, each with the number of its last line.

    Args:
        path: the file.
        columns: required columns; others are returned too.

    Raises:
        DatasetError: the file is unreadable, a required column or value is missing, or a row has another
            number of values.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        absent = [name for name in columns if name not in (reader.fieldnames or ())]
        if absent:
            found = textwrap.shorten(", ".join(reader.fieldnames or ()), 200, placeholder=" ...") or "nothing"
            raise DatasetError(
                f"{path} has no column {', '.join(absent)}; its first line must name "
                f"{', '.join(columns)}, but names {found}"
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
    """Refuses all classes and functions."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise DatasetError(
            f"asks for {module}.{name}; only plain containers, strings and numbers are allowed. "
            "Use the published file, or save it as JSON"
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise DatasetError("refers to objects outside the file; use the published file, or save it as JSON")


def _validated(path: Path, kind: type[T], value: Any, *, json: bool = False) -> T:
    from pydantic import TypeAdapter, ValidationError  # slow to import, so not for listing data sets

    try:
        adapter = TypeAdapter(kind)
        return adapter.validate_json(value) if json else adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more places)" if error.error_count() > 1 else ""
        raise DatasetError(
            f"{path}{f', at {place}' if place else ''}: {first['msg']}{more}. "
            "The file must have the published layout; download it again"
        ) from error
