"""PE-Core, the Perception Encoder's dual encoder (`centerclip.model.pe_core`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from centerclip.clustering import Tokens
from centerclip.errors import ModelError
from centerclip.model.backbones.backbone import Backbone
from centerclip.model.checkpoints import read_checkpoint
from centerclip.model.checkpoints.pe_core import write_pe_core
from centerclip.model.hub import OPEN_CLIP_WEIGHTS
from centerclip.model.pe_core import PECore, PECoreConfig
from centerclip.model.pe_core.rotary import Rotation, rotation_of
from centerclip.model.storage import has_tokenizer, load_tokenizer, quiet_transformers
from centerclip.preprocessing import Preprocessing

__all__ = ["PECoreBackbone"]


class PECoreBackbone(Backbone):
    """PE-Core: rotary positions, with a class token or without one (G), pooled by attention.

    Queries and keys are rotated by each token's own row and column, so kept tokens stay where they were in
    their frame, and blended ones are at the mean of their patches' positions. If tokens count as several
    patches, attention is weighted by their sizes in the blocks and in the pooling; the class token counts as
    one.

    Args:
        model: `centerclip.model.pe_core.PECore`; not copied.
        tokenizer: CLIP's, or None.
        preprocessing: squeezes the whole frame bilinearly, with mean and deviation 0.5, if None.
    """

    family = "pe_core"
    architecture = "PECore"

    def __init__(
        self, model: PECore, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        nn.Module.__init__(self)
        vision, text = model.config.vision_config, model.config.text_config
        self.training = model.training
        self.model = model
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing or self.default_preprocessing(model.config)
        self.has_class_token = vision.class_token  # type: ignore[misc]  # of the model, not the family
        self.width = vision.hidden_size
        self.heads = vision.num_attention_heads
        self.mlp_width = vision.intermediate_size
        self.patch_size = vision.patch_size
        self.patches = vision.tokens - vision.class_token
        self.blocks = vision.num_hidden_layers
        self.pooling_width = vision.pooling_size
        self.context_length = text.max_position_embeddings

    @classmethod
    def load(cls, path: Path, *, tokenizer: Any = None, **options: Any) -> Self:
        """Load a weights file of either layout, or a folder written by `save`."""
        weights = path if path.is_file() else path / OPEN_CLIP_WEIGHTS[0]
        model = read_checkpoint(weights) if weights.is_file() else None
        if not isinstance(model, PECore):
            raise ModelError(f"{path} isn't a PE-Core: give its .pt, or a folder of open_clip")
        if tokenizer is None and has_tokenizer(weights.parent):
            tokenizer = load_tokenizer(weights.parent)
        return cls(model, tokenizer, **options)

    def save(self, folder: Path) -> None:
        """Write open_clip's layout and the tokenizer, for `from_pretrained` and open_clip to read.

        Raises:
            ModelError: the preprocessing can't be saved.
            OSError: the folder can't be written.
        """
        write_pe_core(self.model, self.preprocessing, folder)
        if self.tokenizer is not None:
            with quiet_transformers():
                self.tokenizer.save_pretrained(folder)

    @classmethod
    def default_preprocessing(cls, config: PECoreConfig) -> Preprocessing:
        half, side = (0.5, 0.5, 0.5), config.vision_config.image_size
        usual = Preprocessing((side, side), mean=half, std=half, interpolation="bilinear", resize="squash")
        return replace(usual, **config.preprocess)

    @property
    def embed_size(self) -> int:
        size: int = self.model.config.projection_dim
        return size

    @property
    def layers(self) -> nn.ModuleList:
        blocks: nn.ModuleList = self.model.trunk.blocks
        return blocks

    def bottom(self, blocks: int) -> list[nn.Module | nn.Parameter]:
        trunk, text = self.model.trunk, self.model.text
        stem = [trunk.cls_token, trunk.pos_embed, trunk.patch_embed, trunk.norm_pre]
        stem += [text.token_embedding, text.positional_embedding]
        return [part for part in stem if part is not None] + [*trunk.blocks[:blocks], *text.blocks[:blocks]]

    def embed(self, frames: Tensor) -> Tokens:
        return self.at_patches(self.model.trunk.embed(frames))  # x [F, L, D]

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        rotation = self._rotation(tokens)  # once for all blocks
        for index in range(start, stop):
            tokens = self._block(index, tokens, rotation)
        return tokens

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        return self.pool(self.run(tokens, start, self.blocks))

    def block(self, index: int, tokens: Tokens) -> Tokens:
        return self._block(index, tokens, self._rotation(tokens))

    def _rotation(self, tokens: Tokens) -> Rotation:
        vision = self.model.config.vision_config
        return rotation_of(tokens, self.width // self.heads, vision.rotary_grid / vision.side)

    def _block(self, index: int, tokens: Tokens, rotation: Rotation) -> Tokens:
        return replace(tokens, x=self.layers[index](tokens.x, rotation, _bias(tokens)))

    def pool(self, tokens: Tokens) -> Tensor:
        trunk = self.model.trunk
        out: Tensor = trunk.head(trunk.attn_pool(trunk.norm(tokens.x), _bias(tokens)))  # [G, E]
        return out

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        # Attention is causal and the embedding is taken at the highest id, so padding has no effect.
        sentences = self.tokenizer(texts, truncation=True, max_length=length)["input_ids"]
        ids = pad_sequence([torch.tensor(sentence) for sentence in sentences], batch_first=True)
        end = self.tokenizer.eos_token_id
        if end is not None and bool((ids.amax(1) != end).any()):
            raise ModelError(
                f"the tokenizer's end token {end} isn't its highest id, which is where the model reads a "
                "sentence: use the tokenizer saved with the model, or CLIP's"
            )
        return ids

    def encode_text(self, input_ids: Tensor) -> Tensor:
        out: Tensor = self.model.text(input_ids)
        return out


def _bias(tokens: Tokens) -> Tensor | None:
    bias = tokens.bias
    return None if bias is None else bias.to(tokens.x.dtype)
