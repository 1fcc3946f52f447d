"""The training objective: symmetric cross entropy over a batch of pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["contrastive_loss"]


def contrastive_loss(text: Tensor, video: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE: classify the video of each caption within the batch, and the reverse.

    Args:
        text: [B, E], unit length; row i belongs to row i of `video`.
        video: [B, E], unit length.
        scale: factor on the cosines, a scalar (the exponential of the learned logit scale).

    Returns:
        The mean of both directions, a float32 scalar; ln B if all embeddings are equal.
    """
    logits = scale.float() * text.float() @ video.float().T  # [B, B]
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
