"""Tables that survive a power cut: the store writes files without waiting for the disk, so this module does.

The store never changes a file, except for a hint that it can do without: every commit adds files of new
names. So the files to wait for are those that weren't there before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from centerclip.atomic import sync

__all__ = ["MANIFESTS", "DurableTable"]

MANIFESTS = "_versions"
"""The folder of a table's manifests, one for each version."""
_HINT = "latest_version_hint.json"
_SIDE_BY_SIDE = 8
"""Files that are waited for at once, because a disk writes its journal for all of them together."""


class DurableTable:
    """The files of one table in a local folder, and which of them are known to be on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.fspath(folder)
        self._known: set[str] = set()
        self._error: OSError | None = None

    def sync(self) -> None:
        """Wait until everything written so far is on the disk: data first, then manifests, then folders.

        Raises:
            OSError: the disk failed, now or before: a system may report lost data only once.
        """
        if self._error is not None:
            raise self._error
        try:
            self._sync()
        except OSError as error:
            self._error = error
            raise

    def _sync(self) -> None:
        found = {name for name in _files(self._folder) if name not in self._known}
        if not found:
            return
        folders = {os.path.dirname(name) for name in found}
        for folder in list(folders):  # one that is new is listed in those above it
            while folder not in self._known and folder != os.path.dirname(self._folder):
                folders.add(folder)
                folder = os.path.dirname(folder)
                folders.add(folder)
        manifests = {name for name in found if os.path.basename(os.path.dirname(name)) == MANIFESTS}
        _sync_all(found - manifests)
        _sync_all(manifests)
        _sync_all(folders)
        self._known |= found | folders


def _files(folder: str) -> Iterable[str]:
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names if name != _HINT)


def _sync_all(names: Iterable[str]) -> None:
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        list(pool.map(_sync, names))


def _sync(name: str) -> None:
    with suppress(FileNotFoundError):  # the store deleted a temporary file, or one of an old version
        sync(Path(name))
