"""The lock that many threads share until one needs to be alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest

from centerclip.embedding.exclusive import Exclusive


def test_many_are_inside_at_once() -> None:
    gate, together = Exclusive(), Barrier(4, timeout=30)

    def enter(_: int) -> int:
        with gate.shared():
            return together.wait()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(enter, range(4))) == [0, 1, 2, 3]


@pytest.mark.parametrize("inside", [True, False])
def test_whoever_is_alone_is(inside: bool) -> None:
    """Also several of them that were inside together, which would wait for each other forever."""
    gate, together, lock = Exclusive(), Barrier(4, timeout=30), Lock()
    now: list[int] = []
    most: list[int] = []

    def be_alone(number: int) -> None:
        with gate.alone():
            with lock:
                now.append(number)
                most.append(len(now))
            Event().wait(0.001)
            with lock:
                now.remove(number)

    def work(number: int) -> None:
        if inside:
            with gate.shared():
                together.wait()
                be_alone(number)
                with lock:  # inside again
                    assert not now
        else:
            be_alone(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1, 1, 1, 1]


@pytest.mark.parametrize("where", ["shared", "alone"])
def test_an_error_lets_others_in(where: str) -> None:
    gate = Exclusive()
    enter: Callable[[], object] = getattr(gate, where)
    with pytest.raises(ValueError, match="oh"), enter():  # type: ignore[attr-defined]
        raise ValueError("oh")
    with gate.alone(), pytest.raises(ValueError, match="oh"):
        raise ValueError("oh")
    with gate.shared(), gate.alone():
        pass
