"""What an index is and which versions of its tables count: one small file, replaced with each batch.

`.head.json` names the versions that are on the disk. Replacing it is the moment a batch becomes part of the
index; whatever is newer in the tables was left by a run that a kill or a power cut ended. Readers of a local
index look only there. In object storage, an object of this name tells those who copy the index which versions
belong together. The table `meta` holds the same without the versions: it serves other readers of an index in
object storage, and an index whose file is missing or damaged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from centerclip.atomic import write_atomically
from centerclip.errors import IndexStoreError
from centerclip.index.card import ModelCard
from centerclip.remote import as_place

__all__ = ["FORMAT", "HEAD", "Meta", "format_head", "parse_head", "read_head", "read_values", "write_head"]

FORMAT = 3
"""Version of the tables' layout; increase it with any change. New indexes have it."""
_OLDEST = 2
"""The oldest version that is read and written; see `packing`."""
HEAD = ".head.json"
_NONSENSE = (KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What JSON of another form leads to, apart from `ValueError`."""


@dataclass(frozen=True, slots=True)
class Meta:
    """An index's random id, the model of its vectors, and the roots its owner gave.

    `versions` are the tables' versions that are known to be on the disk; the newest ones if empty. `checked`
    says that these agree with each other, because a writer has checked them or those that it changed.
    `format` never changes.
    """

    id: str
    card: ModelCard
    roots: tuple[Path, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    checked: bool = False
    format: int = FORMAT

    def values(self) -> dict[str, str]:
        """Return what the table `meta` stores of it; ASCII, even if a name isn't UTF-8."""
        roots = json.dumps([str(root) for root in self.roots])
        return {"format": str(self.format), "id": self.id, "model": self.card.to_json(), "roots": roots}

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, str],
        location: str,
        versions: Mapping[str, int] | None = None,
        *,
        checked: bool = False,
    ) -> Meta:
        """Undo `values`.

        Raises:
            IndexStoreError: another format.
            ValueError: damaged.
        """
        try:
            found = int(values["format"])
            if _OLDEST <= found <= FORMAT:
                roots = tuple(map(as_place, json.loads(values["roots"])))
                card = ModelCard.from_json(values["model"])
                return cls(values["id"], card, roots, dict(versions or {}), checked, found)
        except _NONSENSE as error:
            raise ValueError(f"its description is damaged ({error!r})") from error
        remedy = "index into a new folder with `centerclip index PATH --index NEW`, or delete it first"
        if found > FORMAT:
            remedy = "upgrade centerclip, or choose another --index"
        raise IndexStoreError(
            f"the index {location} has format {found}, but this version of centerclip "
            f"reads formats {_OLDEST} and {FORMAT}: {remedy}"
        )


def read_head(location: str) -> bytes | None:
    """Return the file's content; None if there is none.

    Raises:
        OSError: it can't be read.
    """
    try:
        return Path(location, HEAD).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def parse_head(content: bytes, location: str) -> Meta:
    """Read what `write_head` wrote.

    Raises:
        IndexStoreError: another format.
        ValueError: damaged.
    """
    try:
        values: Any = json.loads(content)
        versions = {name: int(at) for name, at in values["versions"].items()}
    except _NONSENSE as error:
        raise ValueError(f"{HEAD} is damaged ({error!r})") from error
    return Meta.from_values(values, location, versions, checked=values.get("checked") is True)


def read_values(table: Any) -> dict[str, str]:
    """Read the table `meta`, see `Meta.from_values`."""
    return {row["key"]: row["value"] for row in table.to_arrow().to_pylist()}


def format_head(meta: Meta) -> bytes:
    """Return the content of the file."""
    return json.dumps({**meta.values(), "versions": dict(meta.versions), "checked": meta.checked}).encode()


def write_head(location: str, meta: Meta) -> None:
    """Make this the state of the index; everything it names must be on the disk."""
    write_atomically(Path(location, HEAD), format_head(meta))
