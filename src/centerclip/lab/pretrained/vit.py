"""Image classifiers of `transformers` as backbones, to see what reductions change in a model without text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from centerclip.clustering import Tokens
from centerclip.errors import ModelError
from centerclip.model import Backbone
from centerclip.model.backbones.backbone import square
from centerclip.preprocessing import Preprocessing

__all__ = ["ViTClassifier"]

_NO_TEXT = "an image classifier has no text tower: use a CLIP or SigLIP model for sentences"


class ViTClassifier(Backbone):
    """`transformers.ViTForImageClassification`. Its embedding is the class token after the last layer norm.

    To name it on the command line: `--backbone centerclip.lab.pretrained.vit:ViTClassifier`.
    """

    family = "vit"
    architecture = "ViTForImageClassification"
    has_class_token = True
    _scale: Tensor

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        nn.Module.__init__(self)
        config: Any = model.config
        self.training = model.training
        self.name = config.name_or_path
        self.model: Any = model
        self.tokenizer = None
        self.preprocessing = preprocessing or self.default_preprocessing(config)
        self.width = config.hidden_size
        self.heads = config.num_attention_heads
        self.mlp_width = config.intermediate_size
        self.patch_size = config.patch_size
        self.context_length = 0
        vit: Any = self.model.vit
        self.patches = vit.embeddings.patch_embeddings.num_patches
        self.blocks = len(self.layers)
        self.register_buffer("_scale", torch.zeros(()), persistent=False)

    @classmethod
    def default_preprocessing(cls, config: Any) -> Preprocessing:
        half = (0.5, 0.5, 0.5)
        return Preprocessing(
            square(config.image_size), mean=half, std=half, interpolation="bilinear", resize="squash"
        )

    def save(self, folder: Path) -> None:
        raise ModelError("an image classifier can't be saved as a dual encoder: keep its own folder")

    @property
    def embed_size(self) -> int:
        return self.width

    @property
    def logit_scale(self) -> Tensor:
        return self._scale

    @property
    def layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self.model.vit.layers
        return layers

    def embed(self, frames: Tensor) -> Tokens:
        return self.at_patches(self.model.vit.embeddings(frames))  # x [F, 1+P, D]

    def block(self, index: int, tokens: Tokens) -> Tokens:
        bias = tokens.bias
        if bias is not None:
            bias = bias.to(tokens.x.dtype).expand(-1, -1, tokens.x.shape[1], -1)
        return replace(tokens, x=self.layers[index](tokens.x, bias))

    def pool(self, tokens: Tokens) -> Tensor:
        out: Tensor = self.model.vit.layernorm(tokens.class_token)  # [G, D]
        return out

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return the classes [B] int64 of embeddings [B, E] of unit length.

        The classifier expects the length that tokens have after the layer norm, which is nearly constant.
        """
        norm = self.model.vit.layernorm
        length = (norm.weight.square().sum() + norm.bias.square().sum()).sqrt()
        classes: Tensor = self.model.classifier(length * embeddings).argmax(-1)
        return classes

    def tokenize(self, texts: Any, *, max_tokens: int | None = None) -> dict[str, Tensor]:
        raise ModelError(_NO_TEXT)

    def encode_text(self, input_ids: Tensor) -> Tensor:
        raise ModelError(_NO_TEXT)
