"""Turn queries into vectors: the encoder a search needs, and the weighted sum of a query's terms."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import QueryError
from centerclip.search.query import Query

__all__ = ["QueryEncoder", "QueryVectors", "as_query_encoder"]

_PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
_CACHED = 1024
"""Sentences whose vectors are cached: 2 MB at E = 512."""


@runtime_checkable
class QueryEncoder(Protocol):
    """What a search needs from a model; `VideoEncoder` has it. Embeddings are float32 of unit length."""

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint, as in the index's card."""

    def encode_text(self, texts: list[str], /) -> NDArray[np.float32]:
        """Embed sentences: [Q, E]."""

    def encode_picture(self, path: Path, /) -> NDArray[np.float32]:
        """Embed a picture file: [E]."""

    def encode_file(self, path: Path, /) -> NDArray[np.float32]:
        """Embed a whole video file: [E]."""


def as_query_encoder(model: Any) -> QueryEncoder:
    """Return an encoder as it is; wrap a bare `CenterCLIP` in one."""
    if isinstance(model, QueryEncoder):
        return model
    from centerclip.embedding import VideoEncoder

    return VideoEncoder(model)


class QueryVectors:
    """Encodes queries, and caches the vectors of recent sentences. Safe to use from many threads."""

    def __init__(self, encoder: QueryEncoder) -> None:
        self.encoder = encoder
        self._lock = Lock()
        self._texts: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def encode(
        self, queries: Sequence[Query], beside: NDArray[np.float32] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return each query's vector [E] of unit length: the weighted sum of its terms' embeddings.

        Args:
            queries: what to encode.
            beside: an embedding [E] that counts as one more term of each query.

        Raises:
            QueryError: the terms of a query cancel each other out.
            VideoError: a file of a query can't be read.
        """
        terms = [term for query in queries for term in query.terms]
        texts = self.encode_texts([term.content for term in terms if isinstance(term.content, str)])
        return [self._sum(query, texts, beside) for query in queries]

    def _sum(
        self, query: Query, texts: dict[str, NDArray[np.float32]], beside: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        vectors = [
            texts[term.content] if isinstance(term.content, str) else self._encode_file(term.content)
            for term in query.terms
        ]
        weights = np.array([term.weight for term in query.terms])
        if beside is not None:
            vectors, weights = [*vectors, beside], np.append(weights, 1.0)
        total = weights @ np.stack(vectors).astype(np.float64)  # [E]
        length = float(np.linalg.norm(total))
        # Equal terms' float32 embeddings differ by rounding, which leaves a sum without meaning.
        if not length > 1e-5 * float(np.abs(weights).sum()):
            raise QueryError(f"the terms of {query} cancel each other out: change their weights")
        unit: NDArray[np.float32] = (total / length).astype(np.float32)
        return unit

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Return the distinct sentences that aren't cached."""
        with self._lock:
            return [text for text in dict.fromkeys(texts) if text not in self._texts]

    def encode_texts(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return each distinct sentence's vector [E], unit length; new ones go through the model together."""
        with self._lock:
            found = {text: self._texts[text] for text in texts if text in self._texts}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:  # outside the lock, so that searches for cached sentences don't wait for the model
            found.update(zip(missing, self.encoder.encode_text(missing), strict=True))
        with self._lock:
            for text, vector in found.items():
                self._texts[text] = vector
                self._texts.move_to_end(text)
            while len(self._texts) > _CACHED:
                self._texts.popitem(last=False)
        return found

    def _encode_file(self, path: Path) -> NDArray[np.float32]:
        if path.suffix.lower() in _PICTURES:
            return self.encoder.encode_picture(path)
        return self.encoder.encode_file(path)
