"""Threads behind a bounded queue: who comes when it is full is sent away at once, not kept waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from centerclip.serve.problems import Problem

__all__ = ["Workers"]

_T = TypeVar("_T")
_RETRY_SECONDS = 2


class Workers:
    """A few threads for one kind of work.

    Work can't be stopped from outside: when its time is up the visitor is answered, while the thread, and
    its place in the queue, stay taken until it ends.

    Args:
        name: of the threads.
        threads: how many.
        waiting: how many requests may wait beside those at work.
        seconds: how long a request may take, waiting included.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting
        self._seconds = seconds
        self.taken = 0
        """Requests waiting or at work; touched by the event loop only."""

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do work in a thread.

        Raises:
            Problem: the queue is full (503), or the time is up (504).
        """
        if self.taken >= self._room:
            message = f"too many requests at once: try again in {_RETRY_SECONDS} seconds"
            raise Problem(503, message, headers={"Retry-After": str(_RETRY_SECONDS)})
        loop = asyncio.get_running_loop()
        self.taken += 1

        def ended(_: Future[_T]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._release)

        future = self._executor.submit(work)
        future.add_done_callback(ended)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Problem(504, f"this took longer than {self._seconds:g} seconds and was given up") from None

    def close(self) -> None:
        """Forget what waits; what is at work goes on to its end."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _release(self) -> None:
        self.taken -= 1
