"""Several processes that train one model, as `torchrun` starts them; or one, which is none of them.

Owns the process group. What travels are embeddings, gradients and small values, never graphs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

__all__ = ["Processes", "is_first", "is_one_of_several", "join_processes", "own_device"]

_Value = TypeVar("_Value")

_PATIENCE = timedelta(hours=12)
"""How long processes wait for the first one, which decodes a whole data set into the cache."""
_BUCKET = 25_000_000
"""Numbers summed at a time: a CLIP has hundreds of small tensors, and 25 million take 100 MB."""


def is_first() -> bool:
    """Whether this process is the one that writes and tells; by `torchrun`'s word, before any is joined."""
    return int(os.environ.get("RANK", "0")) == 0


def is_one_of_several() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def own_device(device: str | torch.device) -> torch.device:
    """The device of this process: its own of several GPUs, or else what is given."""
    device = torch.device(device)
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


@dataclass(frozen=True)
class Processes:
    """This process among `count`, which hold equal models and equally large shards of each batch."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and tells how far it is."""
        return self.rank == 0

    def shard(self, size: int) -> slice:
        """This process's part of `size` rows; `size` is a multiple of `count`."""
        own = size // self.count
        return slice(self.rank * own, (self.rank + 1) * own)

    def gather(self, rows: Tensor) -> Tensor:
        """[b, ...] of each process to [count * b, ...], in their order; without gradient."""
        if self.count == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            distributed.all_reduce(flat)
            start = 0
            for tensor in bucket:
                tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
                start += tensor.numel()

    def agree(self, value: bool, device: torch.device) -> bool:
        """Whether it is true for any process; all of them get the same answer."""
        if self.count == 1:
            return value
        told = torch.tensor(int(value), device=device)
        distributed.all_reduce(told, op=distributed.ReduceOp.MAX)
        return bool(told.item())

    def from_first(self, make: Callable[[], _Value]) -> _Value:
        """What the first process makes; the others wait for it, and end where it fails."""
        if self.count == 1:
            return make()
        values = [make() if self.first else None]
        distributed.broadcast_object_list(values)
        value: _Value = values[0]  # type: ignore[assignment]
        return value

    def first_before_others(self, make: Callable[[], _Value]) -> _Value:
        """What each process makes for itself, the others only once the first one has made its own."""
        value = make() if self.first else None
        self.from_first(lambda: None)
        return value if self.first else make()  # type: ignore[return-value]


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """While entered, this process is one of those that `torchrun` started; alone, nothing happens.

    A process group that is there already is used and left as it is.
    """
    if distributed.is_available() and distributed.is_initialized():
        yield Processes(distributed.get_rank(), distributed.get_world_size())
        return
    if not is_one_of_several():
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(t.numel() for t in bucket) + tensor.numel() > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
