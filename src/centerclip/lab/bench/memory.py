"""How much memory things take: what training keeps for the way back, and peaks on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from centerclip.model import CenterCLIP
from centerclip.training.loss import contrastive_loss

__all__ = ["gpu_peak", "saved_activations", "saved_bytes"]


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


def gpu_peak(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes that were allocated on a GPU while `run` went on, weights included."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device)
