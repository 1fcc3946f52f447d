"""`PECore`: both towers, by the names of open_clip's layout, so that saving needs no renaming."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from centerclip.model.pe_core.config import POOLING_HEADS, PECoreConfig, TextConfig, VisionConfig
from centerclip.model.pe_core.layers import AttentionPool, TextBlock, VisionBlock

__all__ = ["PECore", "TextTower", "VisionTower"]

_SCALE = 0.02
"""Standard deviation of random embeddings."""


class PECore(nn.Module):
    """A PE-Core with random weights; the parameter `logit_scale` is the logarithm of a scale.

    Args:
        config: geometry of both towers.
    """

    def __init__(self, config: PECoreConfig) -> None:
        super().__init__()
        self.config = config
        self.visual = nn.ModuleDict({"trunk": VisionTower(config.vision_config, config.projection_dim)})
        self.text = TextTower(config.text_config, config.projection_dim)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    @property
    def trunk(self) -> VisionTower:
        """The vision tower."""
        trunk = self.visual["trunk"]
        assert isinstance(trunk, VisionTower)
        return trunk

    def activation_checkpointing_enable(self, options: dict[str, Any] | None = None) -> None:
        """Compute blocks again in the backward pass, as the method of `transformers` does.

        Args:
            options: ignored; checkpoints are never reentrant.
        """
        for module in self.modules():
            if isinstance(module, VisionBlock | TextBlock):
                module.checkpointing = True


class VisionTower(nn.Module):
    """The layers from pixels to an embedding; `PECoreBackbone` runs them.

    Args:
        config: geometry.
        embed_size: E.
    """

    def __init__(self, config: VisionConfig, embed_size: int) -> None:
        super().__init__()
        width, patch = config.hidden_size, config.patch_size
        self.cls_token = nn.Parameter(_SCALE * torch.randn(1, 1, width)) if config.class_token else None
        self.pos_embed = nn.Parameter(_SCALE * torch.randn(1, config.tokens, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch, bias=False)})
        self.norm_pre = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.blocks = nn.ModuleList(
            VisionBlock(width, config.num_attention_heads, config.intermediate_size)
            for _ in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attn_pool = AttentionPool(width, POOLING_HEADS, config.pooling_size)
        self.head = nn.Linear(width, embed_size)

    def embed(self, frames: Tensor) -> Tensor:
        """Embed frames [F, 3, H, W] of any float dtype as sequences [F, L, D] for the first block."""
        x = self.patch_embed["proj"](frames.to(self.pos_embed.dtype)).flatten(2).mT  # [F, P, D]
        if self.cls_token is not None:
            x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), 1)  # [F, 1+P, D]
        normed: Tensor = self.norm_pre(x + self.pos_embed)
        return normed


class TextTower(nn.Module):
    """Encodes token ids; reads the embedding at each text's token of the highest id, which ends it.

    Args:
        config: geometry.
        embed_size: E.
    """

    def __init__(self, config: TextConfig, embed_size: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        nn.init.normal_(self.token_embedding.weight, std=_SCALE)
        self.positional_embedding = nn.Parameter(_SCALE * torch.randn(config.max_position_embeddings, width))
        blocks = (
            TextBlock(width, config.num_attention_heads, config.intermediate_size)
            for _ in range(config.num_hidden_layers)
        )
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(blocks)})
        self.ln_final = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, embed_size))

    @property
    def blocks(self) -> nn.ModuleList:
        blocks = self.transformer["resblocks"]
        assert isinstance(blocks, nn.ModuleList)
        return blocks

    def forward(self, ids: Tensor) -> Tensor:
        """Encode ids [B, L] int64 to [B, E], not normalized."""
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]  # [B, L, D]
        for block in self.blocks:
            x = block(x)
        ends = x[torch.arange(ids.shape[0], device=ids.device), ids.argmax(1)]  # [B, D]
        out: Tensor = self.ln_final(ends) @ self.text_projection
        return out
