"""Alternating operations and statistics, on fake clocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from centerclip.lab.bench.timing import Spread, Timing, clock_of, ratio, take_turns


def test_operations_alternate_and_the_warmup_does_not_count() -> None:
    ran: list[str] = []
    wall = iter([9.0, 9.0, 1.0, 2.0, 3.0, 8.0])  # the first two are the warmup

    def clock(run: Callable[[], object], /) -> tuple[float, float]:
        run()
        seconds = next(wall)
        return seconds, seconds / 2

    runs = {"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}
    taken = take_turns(runs, rounds=2, warmup=1, clock=clock)
    assert ran == ["a", "b"] * 3
    assert taken["a"] == Timing((1.0, 3.0), (0.5, 1.5))
    assert taken["b"] == Timing((2.0, 8.0), (1.0, 4.0))


def test_spreads_and_ratios_are_computed_over_the_rounds() -> None:
    assert Spread.of([5, 1, 3, 2, 4]) == Spread(3, 2, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)
    assert Spread.of([1, 2]) == Spread(1.5, 1.25, 1.75)
    slow = Timing((2.0, 20.0, 6.0), (1.0, 1.0, 1.0))  # the machine was busy in the second round
    fast = Timing((1.0, 10.0, 2.0), (0.5, 0.25, 0.2))
    assert ratio(slow, fast) == Spread(2, 2, 2.5)
    assert ratio(slow, fast, cpu=True) == Spread(4, 3, 4.5)


def test_the_system_clock_measures_wall_and_cpu_time() -> None:
    ran = []
    wall, cpu = clock_of(torch.device("cpu"))(lambda: ran.append(sum(range(100_000))))
    assert len(ran) == 1
    assert wall > 0
    assert cpu > 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_timed_until_it_has_finished() -> None:
    x = torch.ones(4096, 4096, device="cuda")
    clock = clock_of(x.device)
    clock(lambda: x @ x)
    once, _ = clock(lambda: x @ x)
    often, _ = clock(lambda: [x @ x for _ in range(50)])
    assert often > 5 * once
