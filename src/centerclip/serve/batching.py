"""Sentences of concurrent requests, encoded in one pass of the model.

While a pass is under way, the sentences of requests that come in gather and make the next one: a lone
request waits for nobody, and a crowd shares its passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.search import QueryEncoder
from centerclip.serve.recent import Recent
from centerclip.serve.workers import Workers

__all__ = ["BatchingEncoder"]

_KEPT = 4096
_BATCH = 256


class BatchingEncoder:
    """A `QueryEncoder` that can be given its sentences ahead.

    Args:
        encoder: does the work.
        workers: the one thread that runs the model.
        on_batch: told the size of each pass.
    """

    def __init__(
        self, encoder: QueryEncoder, workers: Workers, on_batch: Callable[[int], None] = lambda _: None
    ) -> None:
        self._encoder = encoder
        self._workers = workers
        self._on_batch = on_batch
        self._vectors: Recent[str, NDArray[np.float32]] = Recent(_KEPT)
        self._waiting: list[str] = []
        self._promised: dict[str, asyncio.Future[None]] = {}
        """Sentences that wait or are in the pass under way."""
        self._pass: asyncio.Task[None] | None = None

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    async def prepare(self, texts: Sequence[str]) -> None:
        """Have sentences encoded, together with those of other requests.

        Raises:
            Problem: too many requests wait for the model, or it takes too long.
        """
        missing = [text for text in dict.fromkeys(texts) if self._vectors.get(text) is None]
        if not missing:
            return
        futures = [self._promise(text) for text in missing]
        if self._pass is None or self._pass.done():
            self._pass = asyncio.create_task(self._run_passes())
        # Shielded: other requests may wait for the same sentence as one whose visitor left.
        await asyncio.gather(*(asyncio.shield(future) for future in futures))

    def _promise(self, text: str) -> asyncio.Future[None]:
        if text not in self._promised:
            self._promised[text] = asyncio.get_running_loop().create_future()
            self._waiting.append(text)
        return self._promised[text]

    async def _run_passes(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                vectors = await self._workers.run(partial(self._encoder.encode_text, batch))
            except Exception as error:  # whatever it was, it belongs to those who wait for it
                for text in batch:
                    future = self._promised.pop(text)
                    future.set_exception(error)
                    future.exception()  # a visitor may have left: nobody need ask for it
                continue
            self._on_batch(len(batch))
            for text, vector in zip(batch, vectors, strict=True):
                self._vectors.put(text, vector)
                self._promised.pop(text).set_result(None)

    def encode_text(self, texts: list[str], /) -> NDArray[np.float32]:
        """[Q, E]: at once where `prepare` was called before, which a cache may since have forgotten."""
        known = {text: self._vectors.get(text) for text in texts}
        missing = [text for text, vector in known.items() if vector is None]
        if missing:
            known.update(zip(missing, self._encoder.encode_text(missing), strict=True))
        return np.stack([vector for text in texts if (vector := known[text]) is not None])

    def encode_picture(self, path: Path, /) -> NDArray[np.float32]:
        return self._encoder.encode_picture(path)

    def encode_clip(self, path: Path, /) -> NDArray[np.float32]:
        return self._encoder.encode_clip(path)
