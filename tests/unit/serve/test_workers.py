"""The bounded queue, and sentences that go through the model together."""

from __future__ import annotations

import asyncio
import time
from threading import Event

import numpy as np
import pytest
from fastapi import HTTPException
from random_videos import WordEncoder

from centerclip.search import QueryVectors
from centerclip.serve.batching import TextBatches
from centerclip.serve.workers import Workers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_full_queue_turns_requests_away_until_there_is_room() -> None:
    workers, go = Workers("test", threads=1, waiting=1, seconds=30), Event()
    first = asyncio.create_task(workers.run(lambda: go.wait(30)))
    second = asyncio.create_task(workers.run(lambda: "second"))
    await asyncio.sleep(0)
    with pytest.raises(HTTPException, match="busy") as caught:
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


async def test_after_a_timeout_the_thread_stays_taken_until_its_work_ends() -> None:
    workers, go = Workers("test", threads=1, waiting=0, seconds=0.05), Event()
    with pytest.raises(HTTPException, match=r"after 0\.05 seconds") as caught:
        await workers.run(lambda: go.wait(30))
    assert caught.value.status_code == 504
    assert workers.taken == 1
    go.set()
    while workers.taken:
        await asyncio.sleep(0.001)
    workers.close()


async def test_errors_reach_the_visitor() -> None:
    workers = Workers("test", threads=1, waiting=1, seconds=30)
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 // 0)
    workers.close()


class SlowEncoder(WordEncoder):
    """Takes its time, and records the sentences of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def encode_text(self, texts: list[str]) -> np.ndarray:
        self.calls.append(list(texts))
        time.sleep(0.05)
        if "fails" in texts:
            raise ValueError("fails")
        return super().encode_text(texts)


def one_thread() -> Workers:
    return Workers("test", threads=1, waiting=9, seconds=30)


async def test_sentences_that_arrive_during_a_pass_share_the_next_one() -> None:
    encoder, sizes = SlowEncoder(), []
    vectors = QueryVectors(encoder)
    batches = TextBatches(vectors, one_thread(), sizes.append)
    first = asyncio.create_task(batches.prepare(["first"]))
    await asyncio.sleep(0.01)
    await asyncio.gather(
        first, *(batches.prepare([word, "common"]) for word in "abc"), batches.prepare(["first"])
    )
    assert encoder.calls == [["first"], ["a", "common", "b", "c"]]
    assert sizes == [1, 4]
    found = vectors.encode_texts(["b", "common", "b", "late"])
    np.testing.assert_array_equal(found["common"], encoder.directions["common"])
    assert encoder.calls[2:] == [["late"]]  # the others are remembered


async def test_a_failed_pass_only_fails_the_requests_that_wait_for_it() -> None:
    batches = TextBatches(QueryVectors(SlowEncoder()), one_thread())
    with pytest.raises(ValueError, match="fails"):
        await batches.prepare(["fails"])
    await batches.prepare(["works"])


async def test_a_visitor_who_leaves_does_not_affect_others() -> None:
    encoder = SlowEncoder()
    batches = TextBatches(QueryVectors(encoder), one_thread())
    leaving = asyncio.create_task(batches.prepare(["shared"]))
    staying = asyncio.create_task(batches.prepare(["shared"]))
    await asyncio.sleep(0.01)
    leaving.cancel()
    await staying
    assert encoder.calls == [["shared"]]


async def test_whatever_the_model_raises_nobody_waits_for_ever() -> None:
    class Panic(BaseException):
        """Like a panic of the tokenizer's Rust code, not an `Exception`."""

    class Failing(WordEncoder):
        def encode_text(self, texts: list[str], /) -> np.ndarray:
            if "bad" in texts:
                raise Panic
            return super().encode_text(texts)

    workers = Workers("test", threads=1, waiting=9, seconds=30)
    batches = TextBatches(QueryVectors(Failing()), workers)
    async with asyncio.timeout(20):
        with pytest.raises(Panic):
            await batches.prepare(["bad"])
        await batches.prepare(["good"])
