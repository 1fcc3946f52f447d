"""Processes that `torchrun` starts, and what one of them says when another is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import distributed

from centerclip.errors import ClusterError
from centerclip.training.processes import Processes, join_processes

TWO = Processes(rank=0, count=2)
ROWS = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("function", "exchange"),
    [
        ("all_gather", lambda: TWO.gather(ROWS)),
        (
            "all_gather_object",
            lambda: TWO.collect("ab", lambda items: np.zeros((len(items), 3), np.float32)),
        ),
        ("all_reduce", lambda: TWO.add_up([ROWS])),
        ("all_reduce", lambda: TWO.agree(True, torch.device("cpu"))),
        ("broadcast_object_list", lambda: TWO.from_first(lambda: 1)),
    ],
)
def test_a_lost_process_is_told_from_an_error_of_this_one(
    monkeypatch: pytest.MonkeyPatch, function: str, exchange: Callable[[], object]
) -> None:
    def lose(*args: object, **more: object) -> None:
        raise RuntimeError("Connection closed by peer\nand where")

    monkeypatch.setattr(distributed, function, lose)
    with pytest.raises(ClusterError, match="ended or can't be reached: Connection closed by peer; torchrun"):
        exchange()


def test_an_error_of_this_process_stays_what_it_is() -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as raised:
        TWO.from_first(fail)
    assert not isinstance(raised.value, ClusterError)


def test_each_restart_has_its_own_part_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    store = distributed.HashStore()
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr("centerclip.training.processes.rendezvous", lambda *_, **__: iter([(store, 0, 2)]))
    given = []
    monkeypatch.setattr(distributed, "init_process_group", lambda _, **more: given.append(more["store"]))
    monkeypatch.setattr(distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)
    for restarts in ("0", "1"):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", restarts)
        with join_processes(torch.device("cpu")):
            assert not given[-1].check(["address"])
            given[-1].set("address", restarts)
    assert [part.get("address") for part in given] == [b"0", b"1"]
