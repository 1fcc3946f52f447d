"""Tells frames apart in time: one learned vector a frame, added where frames are about to meet.

Once tokens of several frames stand in one sequence, nothing in a pretrained tower says which came first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from centerclip.errors import ModelError

__all__ = ["TemporalEmbedding"]


class TemporalEmbedding(nn.Module):
    """A vector for each of a video's T frames, the same for all tokens of the frame.

    Args:
        table: [T, D]; zeros leave a pretrained model as it was.

    Raises:
        ModelError: a table of another shape.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        if table.ndim != 2 or not table.is_floating_point() or not table.numel():
            raise ModelError(
                f"the temporal embedding is {table.dtype} {tuple(table.shape)}: floats [frames, width] are "
                "needed"
            )
        self.table = nn.Parameter(table)

    @property
    def width(self) -> int:
        """D, of the tokens it can be added to."""
        return self.table.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Add to every token of frame i of n the vector at floor((i + 1/2) * T / n), the nearest in time.

        Args:
            x: [B, n, L, D], frames in the order of time.

        Returns:
            [B, n, L, D].
        """
        frames = torch.arange(x.shape[1], device=x.device)
        nearest = (2 * frames + 1) * len(self.table) // (2 * x.shape[1])
        return x + self.table[nearest].to(x.dtype).unsqueeze(1)
