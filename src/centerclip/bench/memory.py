"""How much memory things take: what training keeps, and peaks by the system's or the GPU's own account."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec

import torch
from torch import Tensor

from centerclip.model import CenterCLIP
from centerclip.training.loss import contrastive_loss

__all__ = ["Peak", "gpu_peak", "process_peak", "saved_activations", "saved_bytes"]

_P = ParamSpec("_P")


def saved_activations(model: CenterCLIP, frames: Tensor, captions: Sequence[str] | Tensor) -> int:
    """Count the bytes that a training step keeps for its backward pass, the same on every machine.

    Args:
        model: in any mode; computes as in training, and is left as it was.
        frames: [B, T, 3, H, W] uint8.
        captions: one a video, or their token ids [B, L].

    Returns:
        Bytes of both towers and the loss, without parameters.
    """

    def step() -> Tensor:
        video = model.encode_video(model.preprocess(frames.to(model.device)))
        return contrastive_loss(model.encode_text(captions), video, model.logit_scale.exp())

    was_training = model.training
    model.train()
    try:
        return saved_bytes(step, of=model)
    finally:
        model.train(was_training)


def saved_bytes(forward: Callable[[], object], *, of: torch.nn.Module) -> int:
    """Count the bytes that autograd saves during `forward`.

    Several saved tensors may be views of one piece of memory, which counts once and whole; parameters and
    buffers of the module `of`, which are there anyway, don't count.
    """
    own = {_place(tensor) for tensor in (*of.parameters(), *of.buffers())}
    saved: dict[int, Tensor] = {}  # held, so that no freed memory's place is taken by another tensor

    def pack(tensor: Tensor) -> Tensor:
        if _place(tensor) not in own:
            saved[_place(tensor)] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = forward()
    size = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    del held
    return size


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


@dataclass(frozen=True, slots=True)
class Peak:
    """Resident memory of a process: `before` the work, and at its highest during it."""

    before_bytes: int
    peak_bytes: int

    @property
    def growth_bytes(self) -> int:
        return self.peak_bytes - self.before_bytes


def process_peak(prepare: Callable[_P, Callable[[], object]], *args: _P.args, **kwargs: _P.kwargs) -> Peak:
    """Measure the peak of resident memory of some work, in a process of its own, as Linux accounts for it.

    Args:
        prepare: a function of a module; gets the arguments, and gives back the work to be measured.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, prepare, args, kwargs).result()


def _measure(
    prepare: Callable[..., Callable[[], object]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Peak:
    work = prepare(*args, **kwargs)
    # Not `ru_maxrss`: a child begins with its parent's peak in it.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status("VmRSS")
    work()
    return Peak(before, _status("VmHWM"))


def _status(entry: str) -> int:
    """A size in /proc/self/status, in bytes."""
    found = re.search(rf"^{entry}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.M)
    assert found is not None, f"Linux tells no {entry}"
    return 1024 * int(found[1])


def gpu_peak(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes that were allocated on a GPU while `run` went on, weights included."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device)
