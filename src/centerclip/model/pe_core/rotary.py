"""Rotary positions: queries and keys are rotated by a token's column and row, so that their products depend
on where two tokens are relative to each other.

Source: RoFormer (arXiv 2104.09864); in two dimensions as in Perception Encoder (arXiv 2504.13181).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from centerclip.clustering import Tokens

__all__ = ["Rotation", "rotate", "rotation_of"]

_BASE = 10_000.0

Rotation = tuple[Tensor, Tensor]
"""Cosine and sine [G, L, 1, d/2] of the angle by which each pair of numbers is rotated, in each head."""


def rotation_of(tokens: Tokens, width: int, scale: float = 1.0) -> Rotation:
    """Compute the rotation of every token from its own row and column.

    The place in the sequence has no influence, so tokens keep their rotation when others are dropped. A
    blended token has a mean position, usually between patches, and is rotated by that. The class token is at
    (0, 0), and patches are counted from (1, 1). Without a class token only differences count, which are the
    same. Frames have no influence.

    Args:
        tokens: x [G, L, D].
        width: d of a head, a multiple of 4.
        scale: factor of all positions; `VisionConfig.rotary_grid` explains it.

    Returns:
        In at least float32.
    """
    wide = torch.promote_types(tokens.x.dtype, torch.float32)
    bands = torch.arange(width // 4, dtype=wide, device=tokens.x.device) / (width // 4)
    places = scale * (tokens.positions[..., [2, 1]].to(wide) + 1)  # [G, P, 2]: the first half is of columns
    angles = (places.unsqueeze(-1) * _BASE**-bands).flatten(-2)  # [G, P, d/2]
    angles = pad(angles, (0, 0, int(tokens.has_class_token), 0)).unsqueeze(-2)  # [G, L, 1, d/2]
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair of successive numbers of queries or keys [G, L, ..., h, d].

    Returns:
        The same shape, with the pairs' first numbers before all second ones, which doesn't change products
        between two results; in at least float32.
    """
    cosine, sine = rotation
    first, second = x[..., ::2], x[..., 1::2]  # [G, L, h, d/2]
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)
