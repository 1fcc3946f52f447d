"""Temporal embedding: one learned vector per frame, added before frames interact.

A pretrained tower has no other way to know the order of frames whose tokens share a sequence.
"""

import torch
from torch import Tensor, nn

from centerclip.errors import ModelError

__all__ = ["TemporalEmbedding"]


class TemporalEmbedding(nn.Module):
    """A vector for each of a video's T frames, shared by all tokens of the frame.

    Args:
        table: [T, D] floats; zeros don't change a pretrained model.

    Raises:
        ModelError: another shape or dtype.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        if table.ndim != 2 or not table.is_floating_point() or not table.numel():
            raise ModelError(
                f"the temporal embedding is {table.dtype} {tuple(table.shape)}, but must be floats "
                "[frames, width]"
            )
        self.table = nn.Parameter(table)

    def forward(self, x: Tensor) -> Tensor:
        """Add the vector nearest in time, at floor((i + 1/2) * T / n), to every token of frame i of n.

        Args:
            x: [B, n, L, D], frames in temporal order.

        Returns:
            [B, n, L, D].
        """
        frames = torch.arange(x.shape[1], device=x.device)
        nearest = (2 * frames + 1) * len(self.table) // (2 * x.shape[1])
        return x + self.table[nearest].to(x.dtype).unsqueeze(1)
