"""Embeddings kept on disk, so that a second evaluation of the same model and files decodes nothing.

A store belongs to one model by its fingerprint and holds an embedding for each key; a key stands for all
of the input that decides the embedding. Knows no model and no videos.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import ConfigError
from centerclip.records import Item

__all__ = ["EmbeddingStore", "caption_key", "video_key"]

_FORMAT = 1
"""To be raised when the same model and file come to give another embedding, as by another sampling."""


class EmbeddingStore:
    """Embeddings by key, in memory and, once saved, in a file.

    Args:
        folder: where the file lies; None to keep nothing.
        name: of the file, unique to what makes the embeddings.

    Raises:
        ConfigError: the file is damaged, or can't be read.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = None if folder is None else folder / f"{name}-{_FORMAT}.npz"
        self._vectors: dict[str, NDArray[np.float32]] = {} if self._path is None else _read(self._path)
        self._saved = len(self._vectors)

    def __contains__(self, key: str) -> bool:
        return key in self._vectors

    def put(self, keys: Iterable[str], vectors: NDArray[np.float32]) -> None:
        """Add the rows of `vectors` [len(keys), E]."""
        self._vectors.update(zip(keys, vectors, strict=True))

    def take(self, keys: Sequence[str]) -> NDArray[np.float32]:
        """[len(keys), E], all of which must be there."""
        return np.stack([self._vectors[key] for key in keys])

    def save(self) -> None:
        """Write what is new; the file is replaced as a whole, so that a kill leaves the old or the new one.

        Raises:
            ConfigError: the folder can't be written.
        """
        if self._path is None or len(self._vectors) == self._saved:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez(file, keys=list(self._vectors), vectors=np.stack(list(self._vectors.values())))
            part.replace(self._path)
        except OSError as error:
            raise ConfigError(
                f"cache {self._path.parent}: {error.strerror or error}; give a folder that can be written"
            ) from error
        self._saved = len(self._vectors)


def video_key(item: Item) -> str:
    """What tells one item's picture from another's: its file as it is now, and the part of it."""
    stat = item.path.stat()
    place = str(item.path.absolute())
    return _digest([place, stat.st_size, stat.st_mtime_ns, item.start_seconds, item.end_seconds])


def caption_key(text: str, max_tokens: int) -> str:
    """A sentence, and where it is cut off."""
    return _digest([text, max_tokens])


def _digest(facts: Sequence[object]) -> str:
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return dict(zip(content["keys"].tolist(), content["vectors"], strict=True))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} holds no embeddings that can be read ({error}); remove it") from error
