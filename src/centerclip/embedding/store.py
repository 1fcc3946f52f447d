"""Embeddings cached on disk, so that evaluating the same model and files again decodes nothing.

A store belongs to one model by its fingerprint. Its keys stand for all input that determines an embedding.
Knows no model and no videos.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.atomic import write_atomically
from centerclip.errors import ConfigError
from centerclip.records import Item

__all__ = ["EmbeddingStore", "caption_key", "video_key"]

_FORMAT = 1
"""Increase it when the same model and file get another embedding, for instance by other sampling."""


class EmbeddingStore:
    """Embeddings by key, in memory and, once saved, in a file.

    Args:
        folder: of the file; None to save nothing.
        name: of the file, unique to the model and its settings.

    Raises:
        ConfigError: the file is damaged or can't be read.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = None if folder is None else folder / f"{name}-{_FORMAT}.npz"
        self._vectors: dict[str, NDArray[np.float32]] = {} if self._path is None else _read(self._path)
        self._saved = len(self._vectors)

    def put(self, keys: Iterable[str], vectors: NDArray[np.float32]) -> None:
        """Add the rows of `vectors` [len(keys), E]."""
        self._vectors.update(zip(keys, vectors, strict=True))

    def take(self, keys: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of keys that are present: [len(keys), E]."""
        return np.stack([self._vectors[key] for key in keys])

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return the distinct keys that aren't present, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._vectors]

    def save(self) -> None:
        """Write the file if there are new embeddings; it is replaced as a whole.

        Raises:
            ConfigError: the folder isn't writable.
        """
        if self._path is None or len(self._vectors) == self._saved:
            return
        content = io.BytesIO()
        np.savez(content, keys=list(self._vectors), vectors=np.stack(list(self._vectors.values())))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, content.getbuffer())
        except OSError as error:
            raise ConfigError(
                f"cache {self._path.parent}: {error.strerror or error}; choose a writable folder"
            ) from error
        self._saved = len(self._vectors)


def video_key(item: Item) -> str:
    """Identify an item's frames by its file as it is now, and the part of it."""
    stat = item.path.stat()
    place = str(item.path.absolute())
    return _digest([place, stat.st_size, stat.st_mtime_ns, item.start_seconds, item.end_seconds])


def caption_key(text: str, max_tokens: int) -> str:
    """Identify a sentence and where it is cut off."""
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
        raise ConfigError(f"cache {path} can't be read ({error}); delete it") from error
