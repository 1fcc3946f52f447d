"""The bounded queue, and sentences that share a pass of the model."""

from __future__ import annotations

import asyncio
import time
from threading import Event

import numpy as np
import pytest
from random_videos import WordEncoder

from centerclip.serve.batching import BatchingEncoder
from centerclip.serve.problems import Problem
from centerclip.serve.recent import Recent
from centerclip.serve.workers import Workers


def test_a_full_queue_sends_visitors_away_and_takes_them_again() -> None:
    async def scenario() -> None:
        workers, go = Workers("test", threads=1, waiting=1, seconds=30), Event()
        first = asyncio.create_task(workers.run(lambda: go.wait(30)))
        second = asyncio.create_task(workers.run(lambda: "second"))
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many") as caught:
            await workers.run(lambda: None)
        assert caught.value.status_code == 503
        assert caught.value.headers == {"Retry-After": "2"}
        go.set()
        assert await first is True
        assert await second == "second"
        while workers.taken:
            await asyncio.sleep(0.001)
        assert await workers.run(lambda: "again") == "again"
        workers.close()

    asyncio.run(scenario())


def test_time_is_up_for_the_visitor_but_the_thread_stays_taken() -> None:
    async def scenario() -> None:
        workers, go = Workers("test", threads=1, waiting=0, seconds=0.05), Event()
        with pytest.raises(Problem, match=r"longer than 0\.05 seconds") as caught:
            await workers.run(lambda: go.wait(30))
        assert caught.value.status_code == 504
        assert workers.taken == 1
        go.set()
        while workers.taken:
            await asyncio.sleep(0.001)
        workers.close()

    asyncio.run(scenario())


def test_what_work_raises_reaches_its_visitor() -> None:
    async def scenario() -> None:
        workers = Workers("test", threads=1, waiting=1, seconds=30)
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 // 0)
        workers.close()

    asyncio.run(scenario())


class SlowEncoder(WordEncoder):
    """Notes what it is asked in one pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[list[str]] = []

    def encode_text(self, texts: list[str]) -> np.ndarray:
        self.passes.append(list(texts))
        time.sleep(0.05)
        if "fails" in texts:
            raise ValueError("fails")
        return super().encode_text(texts)


def test_sentences_that_come_during_a_pass_share_the_next_one() -> None:
    async def scenario() -> None:
        encoder, sizes = SlowEncoder(), []
        batching = BatchingEncoder(encoder, Workers("test", threads=1, waiting=9, seconds=30), sizes.append)
        first = asyncio.create_task(batching.prepare(["first"]))
        await asyncio.sleep(0.01)
        await asyncio.gather(
            first, *(batching.prepare([word, "common"]) for word in "abc"), batching.prepare(["first"])
        )
        assert encoder.passes == [["first"], ["a", "common", "b", "c"]]
        assert sizes == [1, 4]
        vectors = batching.encode_text(["b", "common", "b"])
        np.testing.assert_array_equal(vectors[0], vectors[2])
        np.testing.assert_array_equal(vectors[1], encoder.directions["common"])
        assert len(encoder.passes) == 2  # all known
        batching.encode_text(["late"])
        assert encoder.passes[2] == ["late"]

    asyncio.run(scenario())


def test_a_failed_pass_fails_only_those_who_wait_for_it() -> None:
    async def scenario() -> None:
        batching = BatchingEncoder(SlowEncoder(), Workers("test", threads=1, waiting=9, seconds=30))
        with pytest.raises(ValueError, match="fails"):
            await batching.prepare(["fails"])
        await batching.prepare(["works"])

    asyncio.run(scenario())


def test_a_visitor_who_leaves_takes_nothing_from_the_others() -> None:
    async def scenario() -> None:
        encoder = SlowEncoder()
        batching = BatchingEncoder(encoder, Workers("test", threads=1, waiting=9, seconds=30))
        leaving = asyncio.create_task(batching.prepare(["shared"]))
        staying = asyncio.create_task(batching.prepare(["shared"]))
        await asyncio.sleep(0.01)
        leaving.cancel()
        await staying
        assert encoder.passes == [["shared"]]

    asyncio.run(scenario())


def test_recent_forgets_what_was_unused_for_longest() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
