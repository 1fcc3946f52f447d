"""A local copy of an index in object storage, kept up to date for processes that only read.

A writer ends each batch by replacing the object `.head.json`, which names a version of each table. So one
small request tells whether anything has changed, and the versions belong together. The store never changes a
file: the copy fetches those that the versions need and it lacks, data first, and then replaces its own
`.head.json`. From then on it is an ordinary local index at that state.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from centerclip.atomic import make_folder, sync, write_atomically
from centerclip.errors import IndexStoreError
from centerclip.index.binding import check_model
from centerclip.index.bucket import AccessError, Bucket
from centerclip.index.copy_folder import PART, CopyFolder
from centerclip.index.durable import MANIFESTS
from centerclip.index.head import HEAD, Meta, parse_head, read_head
from centerclip.index.versions import manifest_name

__all__ = ["Mirror", "Progress"]

_SIDE_BY_SIDE = 4
_PIECE = 16 << 20
"""Bytes per request, so at most 64 MiB are in memory."""
_KEPT_SECONDS = 60.0
"""How long files that the newest version doesn't need are kept, because a search may be reading them."""
_TRIES = 3
_STOP_SECONDS = 5.0
"""How long to wait for a running update, which may wait for a store that doesn't answer."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an update has come, in bytes."""

    done: int
    total: int


class Mirror:
    """The copy of one index in a folder that nothing else uses; one thread may call `update`.

    Args:
        location: the index's address.
        folder: made if missing. What an earlier process has copied is used.
        storage_options: settings of object storage; see `Bucket`.

    Raises:
        IndexStoreError: the folder holds something else, is used by another process or can't be written; or
            there is no index that can be copied.
    """

    def __init__(self, location: str, folder: Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.location = location
        self._place = CopyFolder(folder)
        self.folder = self._place.path
        self.progress = Progress(0, 0)
        """Of the update that is running, or of the last one."""
        self._bucket = Bucket(location, storage_options)
        self._tag: str | None = None
        self._unneeded: dict[str, float] = {}
        self._stop = Event()
        self._updating = Lock()
        self.meta = self._read_head()
        """The index's description when this was made."""
        self._place.claim(location)

    @property
    def is_complete(self) -> bool:
        """Whether the folder holds a version that can be read. It doesn't while another index replaces it."""
        return os.path.isfile(self.folder / HEAD)

    def update(self) -> bool:
        """Fetch the newest version; return whether it is another one. If not, it takes one small request.

        Raises:
            FingerprintError: the index was created again, by another model.
            IndexStoreError: the index can't be reached or copied; the copy is as it was.
        """
        for _ in range(_TRIES):
            try:
                with self._updating:
                    return self._update()
            except FileNotFoundError:  # a writer has deleted files that became old
                self._tag = None
            except OSError as error:
                raise self._place.unwritable(error) from error
        raise IndexStoreError(
            f"files of the index {self.location} vanish while they are copied: check the bucket's rules for "
            f"deleting objects, or run `centerclip repair --index {self.location}`"
        )

    def close(self) -> None:
        """Let a running update end soon, without having changed the copy, and release the folder.

        If it takes long to end, the folder stays this process's.
        """
        self._stop.set()
        if self._updating.acquire(timeout=_STOP_SECONDS):
            self._place.release()
            self._updating.release()

    def _update(self) -> bool:
        self._delete_unneeded()
        try:
            answer = self._bucket.read_changed(HEAD, self._tag)
        except FileNotFoundError:
            raise self._none() from None
        if answer is None:
            return False
        content, tag = answer
        meta = self._parsed(content)
        check_model(self.location, meta.card, self.meta.card.fingerprint, "the model in use")
        if self._place.index_id != meta.id:
            self._place.empty(meta.id)
            self._unneeded.clear()
        here = read_head(str(self.folder))
        sizes = self._bucket.sizes()
        needed = self._needed(meta, sizes)
        self._fetch(needed)
        if here != content:
            write_atomically(self.folder / HEAD, content)
        self._tag = tag
        now = time.monotonic()
        kept = {name: self._unneeded.get(name, now) for name in self._place.files() if name not in needed}
        self._unneeded = kept
        return here != content

    def _needed(self, meta: Meta, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return the names and sizes of the files of the versions that count."""
        needed: dict[str, int] = {}
        for table, version in meta.versions.items():
            name = f"{table}.lance/{MANIFESTS}/{manifest_name(version)}"
            if name not in sizes:
                raise FileNotFoundError(name)
            here = self._place.has(name, sizes[name])
            manifest = (self.folder / name).read_bytes() if here else self._bucket.read(name)
            files = {other: size for other, size in sizes.items() if other.startswith(f"{table}.lance/")}
            needed |= {other: size for other, size in files.items() if _is_named(other, manifest)}
            needed[name] = sizes[name]
        return needed

    def _fetch(self, files: Mapping[str, int]) -> None:
        """Copy files that aren't here: manifests last, and all of them on the disk at the end.

        The last one is that of the table `meta`: without it, what is half copied isn't taken for an index.
        """
        missing = {name: size for name, size in files.items() if not self._place.has(name, size)}
        if not missing:
            return
        self._check_room(sum(missing.values()))
        total = sum(missing.values())
        self.progress = Progress(0, total)
        for turn in range(3):
            chosen = [name for name in missing if _turn(name) == turn]
            with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                for size in pool.map(lambda name: self._copy(name, missing[name]), chosen):
                    self.progress = Progress(self.progress.done + size, total)
            for folder in {(self.folder / name).parent for name in chosen}:
                sync(folder)

    def _copy(self, name: str, size: int) -> int:
        """Copy one file, the rest of it if an earlier process has begun."""
        target = self.folder / name
        part = target.with_name(f".{target.name}{PART}")
        make_folder(target.parent)
        with part.open("ab") as file:
            if file.tell() > size:
                file.truncate(0)
            for start in range(file.tell(), size, _PIECE):
                self._check_stop()
                piece = self._bucket.read_range(name, start, min(start + _PIECE, size))
                self._check_stop()
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
        return size

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise IndexStoreError(f"copying the index {self.location} was stopped")

    def _check_room(self, total: int) -> None:
        lacking = self._place.lacking(total)
        if lacking:
            raise IndexStoreError(f"copying the index {self.location} takes {lacking}")

    def _delete_unneeded(self) -> None:
        now = time.monotonic()
        for name, since in list(self._unneeded.items()):
            if now - since >= _KEPT_SECONDS:
                (self.folder / name).unlink(missing_ok=True)
                del self._unneeded[name]

    def _read_head(self) -> Meta:
        """Read the index's description, or while it is out of reach, that of what was copied before."""
        try:
            return self._parsed(self._bucket.read(HEAD))
        except FileNotFoundError:
            raise self._none() from None
        except AccessError:
            here = read_head(str(self.folder))
            if here is None or self._place.location != self.location:
                raise
            return self._parsed(here)

    def _none(self) -> IndexStoreError:
        return IndexStoreError(
            f"there is no index at {self.location} that can be copied: check the address. If an earlier "
            f"version of centerclip made it, run `centerclip repair --index {self.location}` first"
        )

    def _parsed(self, content: bytes) -> Meta:
        try:
            return parse_head(content, self.location)
        except ValueError as error:
            raise IndexStoreError(
                f"the index {self.location} is damaged: {error}. "
                f"Run `centerclip repair --index {self.location}`"
            ) from error


def _turn(name: str) -> int:
    """When to copy a file: first data, then manifests, then that of the table `meta`."""
    return 0 if f"/{MANIFESTS}/" not in name else 2 if name.startswith("meta.") else 1


def _is_named(name: str, manifest: bytes) -> bool:
    """Whether a version needs a file, perhaps also if only the one before it did.

    A manifest names the version's files, and those that its change has replaced. Lists of deleted rows, whose
    names it doesn't contain, are small, so all of them are copied.
    """
    _, kind, rest = name.split("/", 2)
    if kind == "data":
        return rest.encode() in manifest
    if kind == "_indices":
        with suppress(ValueError):
            return bytes.fromhex(rest.partition("/")[0].replace("-", "")) in manifest
    return kind == "_deletions"
