"""The geometry of a PE-Core, by the names that `transformers` gives to the other families' settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

__all__ = [
    "HEAD_WIDTH",
    "POOLING_HEADS",
    "TRUNKS",
    "PECoreConfig",
    "TextConfig",
    "VisionConfig",
    "default_head_width",
    "trunk_grid",
]

TRUNKS = {
    192: "vit_pe_core_tiny_patch16_384",
    384: "vit_pe_core_small_patch16_384",
    768: "vit_pe_core_base_patch16_224",
    1024: "vit_pe_core_large_patch14_336",
    1536: "vit_pe_core_gigantic_patch14_448",
}
"""timm's names of the published vision towers (T, S, B, L and G), by their width."""

POOLING_HEADS = 8
"""Attention heads of the pooling, in every size."""

HEAD_WIDTH = 64
"""Of the attention of both towers, except in G's vision tower."""

_GIGANTIC, _GIGANTIC_HEAD_WIDTH = 1536, 96


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """Geometry of the vision tower.

    Attributes:
        hidden_size: D.
        num_hidden_layers: blocks.
        num_attention_heads: per block; `POOLING_HEADS` in the pooling.
        intermediate_size: hidden width of the blocks' MLPs.
        pooling_size: hidden width of the pooling's MLP.
        patch_size, image_size: side of a patch and of a frame, in pixels.
        class_token: whether there is one; all sizes but G have it.
        rotary_grid: patches per side to which rotary positions are stretched; the frame's own in all
            published models. timm stretches those of another grid to the one that a tower's name states.
    """

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    pooling_size: int
    patch_size: int
    image_size: int
    class_token: bool
    rotary_grid: int
    layer_norm_eps: ClassVar[float] = 1e-5
    hidden_act: ClassVar[str] = "gelu"

    @property
    def side(self) -> int:
        """Patches per side of a frame."""
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        """L = class_token + P."""
        return self.class_token + self.side**2


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Geometry of the text tower; `max_position_embeddings` is the context length."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    layer_norm_eps: ClassVar[float] = 1e-5
    hidden_act: ClassVar[str] = "gelu"


@dataclass(frozen=True, slots=True)
class PECoreConfig:
    """Geometry of a PE-Core.

    Attributes:
        vision_config, text_config: the towers'.
        projection_dim: E.
        preprocess: values for fields of `Preprocessing` that differ from PE-Core's own.
    """

    vision_config: VisionConfig
    text_config: TextConfig
    projection_dim: int
    preprocess: dict[str, Any] = field(default_factory=dict)
    model_type: ClassVar[str] = "pe_core"
    name_or_path: ClassVar[str] = ""


def default_head_width(width: int, trunk: str | None = None) -> int:
    """Return the width of the vision tower's heads, which weights don't tell.

    It is 96 in G, which is recognized by timm's name of the tower or by its width, and 64 in all others.
    """
    gigantic = trunk == TRUNKS[_GIGANTIC] or width == _GIGANTIC
    return _GIGANTIC_HEAD_WIDTH if gigantic and width % _GIGANTIC_HEAD_WIDTH == 0 else HEAD_WIDTH


def trunk_grid(trunk: str) -> int:
    """Count the patches per side of a published vision tower from timm's name of it."""
    patch, side = trunk.rpartition("_patch")[2].split("_")
    return int(side) // int(patch)
