"""Encodes the sentences of concurrent requests together.

While the model is busy, the sentences of new requests gather and go through it next: a lone request waits for
nobody, and many requests share a pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from centerclip.search import QueryVectors
from centerclip.serve.workers import Workers

__all__ = ["TextBatches"]

_BATCH = 256


class TextBatches:
    """Encodes sentences before they are searched for; a `QueryVectors` remembers the results.

    Args:
        vectors: the searcher's.
        workers: the one thread that runs the model.
        on_batch: called with the size of each pass.
    """

    def __init__(
        self, vectors: QueryVectors, workers: Workers, on_batch: Callable[[int], None] = lambda _: None
    ) -> None:
        self._vectors = vectors
        self._workers = workers
        self._on_batch = on_batch
        self._waiting: list[str] = []
        self._promised: dict[str, asyncio.Future[None]] = {}
        """Sentences that are waiting or being encoded."""
        self._pass: asyncio.Task[None] | None = None

    async def prepare(self, texts: Sequence[str]) -> None:
        """Encode sentences, together with those of other requests.

        Raises:
            HTTPException: too many requests are waiting for the model (503), or it took too long (504).
        """
        missing = self._vectors.missing(texts)
        if not missing:
            return
        futures = [self._promise(text) for text in missing]
        if self._pass is None or self._pass.done():
            self._pass = asyncio.create_task(self._run_passes())
        # Shielded, because other requests may be waiting for the same sentence when this visitor leaves.
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
                await self._workers.run(partial(self._vectors.encode_texts, batch))
            except BaseException as error:
                # Whatever it is, the requests that wait for this batch must learn of it.
                for text in batch:
                    future = self._promised.pop(text)
                    future.set_exception(error)
                    future.exception()  # marks it as seen, since every visitor may have left
                if isinstance(error, asyncio.CancelledError):
                    raise
                continue
            self._on_batch(len(batch))
            for text in batch:
                self._promised.pop(text).set_result(None)
