"""Training by several processes that `torchrun` starts, or by a single one.

Owns the process group. Processes exchange embeddings, gradients and small values.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed
from torch.distributed.rendezvous import rendezvous

from centerclip.embedding.device import own_gpu
from centerclip.errors import ClusterError

__all__ = ["Processes", "is_first", "is_one_of_several", "join_processes", "own_device"]

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")

_PATIENCE = timedelta(hours=12)
"""Maximum time to wait for the first process, which decodes a whole data set into the cache."""
_BUCKET = 25_000_000
"""Numbers per all-reduce, 100 MB in float32. CLIP has hundreds of small tensors, too slow to send singly."""


def is_first() -> bool:
    """Whether this process writes files and shows progress; known before `join_processes`."""
    return int(os.environ.get("RANK", "0")) == 0


def is_one_of_several() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def own_device(device: str | torch.device) -> torch.device:
    """Return this process's own GPU if `torchrun` started it, otherwise `device`."""
    device = torch.device(device)
    return torch.device(own_gpu()) if device.type == "cuda" and "LOCAL_RANK" in os.environ else device


@dataclass(frozen=True)
class Processes:
    """This process among `count`, which have equal models and equally large shards of each batch."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def shard(self, size: int) -> slice:
        """Return this process's rows out of `size`, a multiple of `count`."""
        own = size // self.count
        return slice(self.rank * own, (self.rank + 1) * own)

    def gather(self, rows: Tensor) -> Tensor:
        """Concatenate the rows [b, ...] of all processes, by rank: [count * b, ...], without gradient."""
        if self.count == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        with _exchange():
            distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def collect(
        self, items: Sequence[_Item], encode: Callable[[Sequence[_Item]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Encode a part of the items in each process, and return the rows of all in all of them.

        Args:
            items: at least one, the same in all processes.
        """
        if self.count == 1:
            return encode(items)
        first, end = (len(items) * rank // self.count for rank in (self.rank, self.rank + 1))
        parts: list[NDArray[np.float32] | None] = [None] * self.count
        own = encode(items[first:end]) if first < end else None
        with _exchange():
            distributed.all_gather_object(parts, own)
        return np.concatenate([part for part in parts if part is not None])

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            with _exchange():
                distributed.all_reduce(flat)
            sums = torch.split(flat, [tensor.numel() for tensor in bucket])
            for tensor, total in zip(bucket, sums, strict=True):
                tensor.copy_(total.view_as(tensor))

    def agree(self, value: bool, device: torch.device) -> bool:
        """Return in all processes whether `value` is true in any of them."""
        if self.count == 1:
            return value
        flag = torch.tensor(int(value), device=device)
        with _exchange():
            distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
        return bool(flag.item())

    def from_first(self, make: Callable[[], _Value]) -> _Value:
        """Return the first process's value in all processes. The others wait for it, and fail if it fails."""
        if self.count == 1:
            return make()
        values = [make() if self.first else None]
        with _exchange():
            distributed.broadcast_object_list(values)
        value: _Value = values[0]  # type: ignore[assignment]
        return value

    def first_before_others(self, make: Callable[[], _Value]) -> _Value:
        """Call `make` in the first process, then in all others; each gets its own value."""
        value = make() if self.first else None
        self.from_first(lambda: None)
        return value if self.first else make()  # type: ignore[return-value]


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Join the process group of `torchrun`, and leave it at the end. Without `torchrun`, do nothing.

    An existing process group is used and left open.

    Raises:
        ClusterError: The others can't be reached, or are lost while values are exchanged.
    """
    if distributed.is_available() and distributed.is_initialized():
        yield Processes(distributed.get_rank(), distributed.get_world_size())
        return
    if not is_one_of_several():
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    with _exchange():
        store, rank, count = next(rendezvous("env://", timeout=_PATIENCE))
        distributed.init_process_group(
            backend, store=_own_part(store), rank=rank, world_size=count, timeout=_PATIENCE
        )
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


@contextmanager
def _exchange() -> Iterator[None]:
    """Tell the loss of another process from an error of this one."""
    try:
        yield
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        raise ClusterError(
            f"another process of this training has ended or can't be reached: {first}; "
            "torchrun --max-restarts N starts all of them again, and they go on from the last checkpoint"
        ) from error


def _own_part(store: Any) -> Any:
    """Return the part of the store that only this start of the processes uses.

    On one machine, `torchrun` keeps the store when it restarts its processes. A new process would find the
    addresses of processes that are gone, and wait for them.
    """
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    # Several machines count their restarts each for itself, and meet in a new store (`--rdzv-backend c10d`).
    alone = os.environ.get("LOCAL_WORLD_SIZE") == os.environ.get("WORLD_SIZE")
    if not alone:
        return store
    return distributed.PrefixStore(f"start-{restarts}", store)  # type: ignore[attr-defined]


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(t.numel() for t in bucket) + tensor.numel() > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
