"""The pipeline with fake decoders and encoders: completeness, limits, failures, and an orderly end."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from centerclip.embedding.decode import DecodedWindow, Part, Windows
from centerclip.embedding.pipeline import Pipeline, Step
from centerclip.errors import VideoError
from centerclip.records import Failed, Item, VideoInfo, Window

Encoded = tuple[str, float]
"""The file and the start of a window."""


class Decoder:
    """Decodes three windows of a file named `3`, raises the error of its suffix, and counts frames in
    memory."""

    def __init__(self, **errors: BaseException) -> None:
        self.errors = errors
        self.alive = self.most = self.windows = 0
        self.begun: list[Path] = []
        self._lock = threading.Lock()

    def __call__(self, item: Item) -> Windows:
        path = item.path
        self.begun.append(path)
        info = VideoInfo(path, path.name, 1.0, 8, 8, 25.0, "h264", 1, 0.0)
        for number in range(int(path.stem)):
            if path.suffix[1:] in self.errors and number == int(path.stem) - 1:
                raise self.errors[path.suffix[1:]]
            yield DecodedWindow(info, Window(number, number + 1), self._frames(), np.array([0.0, 1.0]))

    def _frames(self) -> torch.Tensor:
        frames = torch.zeros(1)
        weakref.finalize(frames, self._count, -1)
        self._count(1)
        return frames

    def _count(self, more: int) -> None:
        with self._lock:
            self.alive += more
            self.windows += max(more, 0)
            self.most = max(self.most, self.alive)


def encode(windows: Sequence[DecodedWindow], alone: bool = False) -> list[Encoded]:
    return [(w.info.path.name, w.window.start_seconds) for w in windows]


def run(
    names: Any, decoder: Any, *, workers: int = 2, encoders: int = 1, batch_size: int = 3, **options: Any
) -> Generator[Step[Encoded], None, None]:
    options.setdefault("encode", encode)
    items = (Item(Path(name)) for name in names)
    sizes = {"workers": workers, "encoders": encoders, "batch_size": batch_size}
    return Pipeline(items, decoder, **sizes, **options).steps()


def results_of(steps: Iterable[Step[Encoded]]) -> dict[int, list[Encoded] | Failed]:
    """Return each file's embeddings or failure, by its number."""
    results = {file.number: file.result() for step in steps for file in step.files}
    return {n: result if isinstance(result, Failed) else result[1] for n, result in results.items()}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("centerclip"):
            thread.join(10)  # nobody waits for a batch when the iterator is closed
            assert not thread.is_alive(), thread.name


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("encoders", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("ahead", [1, 2, None])
def test_every_file_gets_its_own_windows_in_time_order(
    workers: int, encoders: int, batch_size: int, ahead: int | None
) -> None:
    names = [f"{count}.{place}" for place, count in enumerate([1, 7, 2, 1, 1, 30, 4, 1])]
    decoder = Decoder()
    steps = run(names, decoder, workers=workers, encoders=encoders, batch_size=batch_size, ahead=ahead)
    results = results_of(steps)
    assert results == {
        number: [(name, start) for start in range(int(name.split(".")[0]))]
        for number, name in enumerate(names)
    }
    assert decoder.alive == 0
    assert results_of(run([], Decoder())) == {}


@pytest.mark.parametrize("encoders", [1, 2])
@pytest.mark.parametrize("names", [["2000"], ["40"] * 50, ["1"] * 500], ids=["film", "many", "short"])
@pytest.mark.parametrize("workers", [2, 8])
def test_frames_in_memory_are_limited(names: list[str], encoders: int, workers: int) -> None:
    decoder = Decoder()
    for _ in run(names, decoder, workers=workers, encoders=encoders, batch_size=3):
        pass
    assert decoder.windows == sum(map(int, names))
    # A batch per encoder, one being collected, and a window per worker.
    assert decoder.most <= (encoders + 1) * 3 + workers


class PartedDecoder(Decoder):
    """Cuts a file into parts of two windows."""

    def __call__(self, item: Item) -> Windows:
        windows = list(range(int(item.path.stem)))
        for start in windows[2::2]:
            yield Part(partial(self._part, item, windows[start : start + 2]))
        yield from self._part(item, windows[:2])

    def _part(self, item: Item, numbers: Sequence[int]) -> Windows:
        for number, window in enumerate(super().__call__(item)):
            if number in numbers:
                yield window


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [1, None])
def test_a_file_in_parts_comes_out_whole_and_in_time_order(workers: int, ahead: int | None) -> None:
    names = ["1.a", "30.b", "3.c", "17.d"]
    decoder = PartedDecoder()
    results = results_of(run(names, decoder, workers=workers, ahead=ahead))
    starts = [[start for _, start in results[place]] for place in range(4)]  # type: ignore[union-attr, misc]
    assert starts == [list(range(count)) for count in (1, 30, 3, 17)]
    assert decoder.alive == 0


def test_a_part_that_fails_fails_its_file_once_and_no_other() -> None:
    decoder = PartedDecoder(bad=VideoError("9.bad: broken at its end"))
    steps = list(run(["9.bad", "8.a"], decoder, workers=3, batch_size=1))
    assert sorted(file.number for step in steps for file in step.files) == [0, 1]
    assert results_of(steps)[0] == Failed(Path("9.bad"), "broken at its end")


def test_the_parts_of_a_file_are_decoded_in_parallel() -> None:
    meeting = threading.Barrier(3)

    def part(item: Item) -> Windows:
        meeting.wait(10)
        yield from Decoder()(item)

    def decode(item: Item) -> Windows:
        for _ in range(2):
            yield Part(partial(part, item))
        yield from part(item)

    assert results_of(run(["1"], decode, workers=3)) == {0: [("1", 0)] * 3}


def test_all_batches_but_the_last_are_full_and_know_whether_they_run_alone() -> None:
    batches = []

    def note(windows: Sequence[DecodedWindow], alone: bool) -> list[Encoded]:
        batches.append((len(windows), alone))
        return encode(windows)

    steps = list(run(["2"] * 11, Decoder(), encode=note, batch_size=4))
    assert [size for size, _ in batches] == [4, 4, 4, 4, 4, 2]
    assert not any(alone for _, alone in batches[1:-1])
    assert sum(len(step.windows) for step in steps) == 22
    list(run(["2"], Decoder(), encode=note, encoders=3))
    assert batches[-1] == (2, True)


def test_decoding_continues_while_a_batch_is_encoded() -> None:
    decoder = Decoder()
    overlaps = []

    def slow(windows: Sequence[DecodedWindow], alone: bool) -> list[Encoded]:
        before, deadline = decoder.windows, time.monotonic() + 10
        while decoder.windows == before and before < 40 and time.monotonic() < deadline:
            time.sleep(0.001)
        overlaps.append(decoder.windows > before)
        return encode(windows)

    list(run(["1"] * 40, decoder, encode=slow, batch_size=2))
    assert any(overlaps)


def test_batches_are_encoded_in_parallel() -> None:
    meeting = threading.Barrier(3)

    def meet(windows: Sequence[DecodedWindow], alone: bool) -> list[Encoded]:
        assert not alone
        meeting.wait(10)
        return encode(windows)

    results = results_of(run(["1"] * 12, Decoder(), encode=meet, encoders=3, batch_size=2))
    assert sorted(results) == list(range(12))


def test_failures_are_values_without_the_path_in_the_reason() -> None:
    decoder = Decoder(bad=VideoError("3.bad: nothing in it"), odd=IndexError("surprise"))
    results = results_of(run(["2", "3.bad", "1.odd", "2"], decoder, batch_size=2))
    assert results[1] == Failed(Path("3.bad"), "nothing in it")
    assert results[2] == Failed(Path("1.odd"), "unexpected IndexError while decoding: surprise")
    assert [len(results[number]) for number in (0, 3)] == [2, 2]  # type: ignore[arg-type]
    assert decoder.alive == 0


@pytest.mark.parametrize(
    ("source", "error"),
    [
        *(("decoder", error) for error in (MemoryError(), KeyboardInterrupt(), SystemExit())),
        *(("encoder", error) for error in (RuntimeError("broken model"), MemoryError(), SystemExit())),
        ("items", VideoError("no such folder")),
    ],
)
def test_errors_that_are_not_a_file_s_end_the_run(source: str, error: BaseException) -> None:
    def fail(windows: Sequence[DecodedWindow], alone: bool) -> list[Encoded]:
        raise error

    def names() -> Iterator[str]:
        yield from ["5"] * 20
        if source == "items":
            raise error
        yield from ["2.bad"] + ["5"] * 20

    decoder = Decoder(bad=error) if source == "decoder" else Decoder()
    with pytest.raises(type(error)):
        list(run(names(), decoder, encode=fail if source == "encoder" else encode, encoders=2))


def test_the_consumer_may_stop_early_and_the_items_may_be_endless() -> None:
    decoder = Decoder()
    with closing(run(itertools.repeat("3"), decoder)) as steps:
        assert any(step.windows for step in steps)
    assert len(decoder.begun) < 30
    del steps
    assert decoder.alive <= 8


def test_closing_the_iterator_does_not_wait_for_a_batch() -> None:
    begun, go_on, encoded = threading.Event(), threading.Event(), threading.Event()

    def encode_slowly(windows: Sequence[DecodedWindow], alone: bool) -> list[Encoded]:
        begun.set()
        go_on.wait(20)
        encoded.set()
        return encode(windows)

    with closing(run(["3"] * 10, Decoder(), encode=encode_slowly, tick_seconds=0.01)) as steps:
        while not begun.is_set():
            next(steps)
    assert not encoded.is_set()
    go_on.set()


def test_a_program_that_abandons_the_iterator_still_ends() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_pipeline import Decoder, run
results = run(["3"] * 1000, Decoder())
next(results)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_files_are_opened_only_so_far_ahead_of_the_oldest_unfinished_one() -> None:
    decoder, go_on = Decoder(), threading.Event()

    def decode(item: Item) -> Windows:
        if item.path.suffix == ".slow":
            assert go_on.wait(10)
        yield from decoder(item)

    steps = run(["1.slow", *["1"] * 50], decode, batch_size=1, ahead=5)
    early: list[int] = []
    while len(early) < 4:
        early += results_of([next(steps)])
    assert sorted(early) == [1, 2, 3, 4]
    assert len(decoder.begun) == 4
    go_on.set()
    assert len(results_of(steps)) == 47


def test_steps_are_empty_while_nothing_happens() -> None:
    go_on = threading.Event()

    def decode(item: Item) -> Windows:
        assert go_on.wait(10)
        yield from Decoder()(item)

    with closing(run(["1"], decode, tick_seconds=0.01)) as steps:
        assert next(steps) == Step([], [])
        go_on.set()
        assert results_of(steps) == {0: [("1", 0)]}
