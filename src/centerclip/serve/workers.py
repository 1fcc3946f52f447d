"""Threads behind a bounded queue: when it is full, a request is turned away at once instead of waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fastapi import HTTPException

__all__ = ["Workers"]

_T = TypeVar("_T")
_RETRY_SECONDS = 2


class Workers:
    """Threads for one kind of work.

    Work can't be interrupted. When its time is up, the visitor gets an answer, while the thread and the place
    in the queue stay taken until the work ends.

    Args:
        name: of the threads.
        threads: number of threads.
        waiting: maximum number of requests that wait for a thread.
        seconds: how long a request may take, including the wait.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, seconds: float) -> None:
        self.name = name
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting
        self._seconds = seconds
        self.taken = 0
        """Requests that wait or are being worked on; changed by the event loop only."""

    async def run(self, work: Callable[[], _T], *, admitted: bool = False) -> _T:
        """Do work in a thread.

        Args:
            work: what to do.
            admitted: it continues what was begun, so it is never turned away.

        Raises:
            HTTPException: the queue is full (503), or the time is up (504).
        """
        if self.taken >= self._room and not admitted:
            message = f"the server is busy: try again in {_RETRY_SECONDS} seconds"
            raise HTTPException(503, message, headers={"Retry-After": str(_RETRY_SECONDS)})
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
            raise HTTPException(504, f"the server gave up after {self._seconds:g} seconds") from None

    def afterwards(self, work: Callable[[], object]) -> None:
        """Do work once a thread is free, without anybody waiting for it."""
        self._executor.submit(work)

    def close(self) -> None:
        """Drop the work that waits; what is running continues to its end."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _release(self) -> None:
        self.taken -= 1
