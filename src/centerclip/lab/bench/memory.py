"""Memory: what autograd saves for the backward pass, and the peak on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from centerclip.model import CenterCLIP
from centerclip.training.loss import contrastive_loss

__all__ = ["gpu_peak", "saved_activations", "saved_bytes", "training_loss"]


def training_loss(model: CenterCLIP, frames: Tensor, captions: Sequence[str]) -> Tensor:
    """The contrastive loss of a batch: uint8 frames [B, T, 3, H, W] and B captions."""
    video = model.encode_video(model.preprocess(frames.to(model.device)))
    return contrastive_loss(model.encode_text(captions), video, model.logit_scale.exp())


def saved_activations(model: CenterCLIP, frames: Tensor, captions: Sequence[str]) -> int:
    """Count the bytes that a training step saves for its backward pass: the same on every machine.

    Args:
        model: in any mode, which is restored; computes as in training.
        frames: [B, T, 3, H, W] uint8.
        captions: one per video.

    Returns:
        Bytes of both towers and the loss, without parameters.
    """
    was_training = model.training
    model.train()
    try:
        return saved_bytes(lambda: training_loss(model, frames, captions), of=model)
    finally:
        model.train(was_training)


def saved_bytes(forward: Callable[[], object], *, of: torch.nn.Module) -> int:
    """Count the bytes that autograd saves during `forward`.

    Saved tensors that share memory count once, with the whole of that memory. Parameters and buffers of the
    module `of` don't count.
    """
    own = {_address(tensor) for tensor in (*of.parameters(), *of.buffers())}
    saved: dict[int, Tensor] = {}  # kept alive, so that no other tensor reuses the address

    def pack(tensor: Tensor) -> Tensor:
        if _address(tensor) not in own:
            saved[_address(tensor)] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    size = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    del result
    return size


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def gpu_peak(run: Callable[[], object], device: torch.device) -> int:
    """The peak of allocated bytes on a GPU during `run`, including weights."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device)
