"""CLIP models of `transformers`: OpenAI's, LAION's and any other `CLIPModel`."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from centerclip.clustering import Tokens
from centerclip.errors import ModelError
from centerclip.model.backbones.backbone import Backbone, square
from centerclip.preprocessing import Preprocessing

__all__ = ["CLIPBackbone"]


class CLIPBackbone(Backbone):
    """CLIP (`transformers.CLIPModel`), pooled at its class token."""

    family = "clip"
    architecture = "CLIPModel"
    has_class_token = True
    _highest_ends = True
    """Whether the end token 2 means the highest id, as in configurations before transformers 4.31."""

    @classmethod
    def default_preprocessing(cls, config: Any) -> Preprocessing:
        return Preprocessing(square(config.vision_config.image_size))

    @property
    def embed_size(self) -> int:
        size: int = self.model.config.projection_dim
        return size

    def embed(self, frames: Tensor) -> Tokens:
        vision = self.model.vision_model
        return self.at_patches(vision.pre_layrnorm(vision.embeddings(frames)))  # x [F, 1+P, D]

    def last_block(self, tokens: Tokens) -> Tokens:
        """Run the last block for the class token alone, which is all that pooling needs.

        It attends to all tokens. This saves three quarters of the block, a fifteenth of the tower.
        """
        if torch.is_grad_enabled() or self.training:
            # Checkpointing, dropout and sharded weights need the block to run as a module.
            return super().last_block(tokens)
        x, bias = tokens.x, tokens.bias
        layer: Any = self.layers[-1]
        attention = layer.self_attn
        normed = layer.layer_norm1(x)
        heads = (x.shape[0], -1, self.heads, self.width // self.heads)
        query, key, value = (
            projection(part).view(heads).transpose(1, 2)  # [G, h, 1 or L, D/h]
            for projection, part in (
                (attention.q_proj, normed[:, :1]),
                (attention.k_proj, normed),
                (attention.v_proj, normed),
            )
        )
        if bias is not None:
            bias = bias.to(x.dtype)
        seen = scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=attention.scale)
        x = x[:, :1] + attention.out_proj(seen.transpose(1, 2).flatten(2))  # [G, 1, D]
        x = x + layer.mlp(layer.layer_norm2(x))
        return Tokens(x, tokens.positions[:, :0], has_class_token=True)

    def pool(self, tokens: Tokens) -> Tensor:
        normed = self.model.vision_model.post_layernorm(tokens.class_token)
        out: Tensor = self.model.visual_projection(normed)  # [G, E]
        return out

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        # Attention is causal and the embedding is taken at the end token, so padding has no effect.
        ids = self._padded(texts, length)
        end = self.model.config.text_config.eos_token_id
        if not (self._highest_ends and end == 2) and not bool((ids == end).any(dim=1).all()):
            raise ModelError(
                f"the tokenizer doesn't end sentences with the model's end token {end}: use the tokenizer "
                "saved with the model"
            )
        return ids

    def _padded(self, texts: list[str], length: int) -> Tensor:
        """Tokenize, and pad on the right to the longest sentence: [B, L] int64."""
        ids: Tensor = self.tokenizer(
            texts,
            padding="longest",
            truncation=True,
            max_length=length,
            padding_side="right",
            return_tensors="pt",
        )["input_ids"]
        return ids
