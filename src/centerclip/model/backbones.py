"""One adapter for each family of `transformers` dual encoders.

A backbone runs the vision tower block by block, pools, encodes tokenized text, and knows the
constants of preprocessing. It knows nothing of segments, schedules or reducers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from centerclip.errors import ModelError
from centerclip.model.preprocessing import Preprocessing

__all__ = ["Backbone", "CLIPBackbone", "SiglipBackbone", "make_backbone"]


class Backbone(nn.Module):
    """A dual encoder of `transformers`, opened up between its blocks.

    A sequence of the vision tower is `[class token,] patch tokens`: L = has_class_token + P.

    Attributes:
        model: the wrapped `transformers` model; its parameters are this module's.
        tokenizer: of `transformers`, or None, when only token ids can be encoded.
        preprocessing: image size and normalization of the input.
        blocks, width, heads, mlp_width, patch_size, patches: geometry of the vision tower; `width` is D,
            `patches` is P.
        embed_size: E, what both towers give.
        context_length: tokens the text tower takes at most.
    """

    family: ClassVar[str]
    has_class_token: ClassVar[bool]

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        super().__init__()
        config: Any = model.config
        vision, text = config.vision_config, config.text_config
        self.model: Any = model
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing or self.default_preprocessing(config)
        self.width: int = vision.hidden_size
        self.heads: int = vision.num_attention_heads
        self.mlp_width: int = vision.intermediate_size
        self.patch_size: int = vision.patch_size
        self.context_length: int = text.max_position_embeddings
        self.patches: int = model.vision_model.embeddings.num_patches  # type: ignore[union-attr, assignment]
        self.blocks: int = len(self._layers)
        # Python floats, not buffers: a model moved to bfloat16 must not round them.
        self.mean, self.std = self.preprocessing.mean, self.preprocessing.std

    @classmethod
    def default_preprocessing(cls, config: Any) -> Preprocessing:
        """The family's constants, for a model that comes without `preprocessor_config.json`."""
        raise NotImplementedError

    @property
    def embed_size(self) -> int:
        raise NotImplementedError

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames, in pixels."""
        return self.preprocessing.image_size

    @property
    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self.model.vision_model.encoder.layers
        return layers

    def embed(self, frames: Tensor) -> Tensor:
        """Turn frames into the sequences that enter the first block.

        Args:
            frames: [F, 3, H, W], normalized.

        Returns:
            [F, L, D], the class token first where there is one.
        """
        raise NotImplementedError

    def block(self, index: int, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Run one block.

        Args:
            index: 0-based.
            x: [G, L, D], the residual stream.
            bias: [G, 1, 1, L], added to the attention scores of every query, or None.

        Returns:
            [G, L, D].

        Raises:
            ModelError: a bias, with an attention implementation that ignores it.
        """
        if bias is not None:
            implementation = self.model.vision_model.config._attn_implementation
            if implementation not in ("sdpa", "eager"):
                raise ModelError(
                    f"attention {implementation!r} can't weight tokens by their size: load the model with "
                    "attn_implementation='sdpa'"
                )
            bias = bias.to(x.dtype).expand(-1, -1, x.shape[1], -1)
        out: Tensor = self._layers[index](x, bias)
        return out

    def pool(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Turn the last block's output into embeddings.

        Args:
            x: [G, L, D].
            bias: as in `block`; used where pooling is itself an attention.

        Returns:
            [G, E], not normalized.
        """
        raise NotImplementedError

    def tokenize(self, texts: Sequence[str], *, max_tokens: int | None = None) -> dict[str, Tensor]:
        """Turn sentences into token ids, truncated so that the closing token stays.

        Args:
            texts: any length and case.
            max_tokens: at most this many tokens each, opening and closing ones included; by default,
                and at most, the context length.

        Returns:
            input_ids [B, L] int64, on the CPU.

        Raises:
            ModelError: there is no tokenizer, or it is another model's.
        """
        if self.tokenizer is None:
            raise ModelError(
                "the model has no tokenizer, so it takes token ids only: give CenterCLIP(..., tokenizer=...) "
                "or load it with CenterCLIP.from_pretrained"
            )
        length = min(max_tokens or self.context_length, self.context_length)
        ids = self._token_ids(list(texts), length)
        highest, vocabulary = int(ids.max()), self.model.config.text_config.vocab_size
        if highest >= vocabulary:
            raise ModelError(
                f"the tokenizer gives id {highest}, but the model knows {vocabulary} tokens: use the "
                "tokenizer saved with the model"
            )
        return {"input_ids": ids}

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        raise NotImplementedError

    def text(self, input_ids: Tensor) -> Tensor:
        """Encode tokenized text.

        Args:
            input_ids: [B, L] int64.

        Returns:
            [B, E], not normalized.
        """
        out: Tensor = self.model.get_text_features(input_ids=input_ids).pooler_output
        return out


class CLIPBackbone(Backbone):
    """CLIP (`transformers.CLIPModel`): a class token, which is what pooling takes."""

    family = "clip"
    has_class_token = True

    @classmethod
    def default_preprocessing(cls, config: Any) -> Preprocessing:
        return Preprocessing(_square(config.vision_config.image_size))

    @property
    def embed_size(self) -> int:
        size: int = self.model.config.projection_dim
        return size

    def embed(self, frames: Tensor) -> Tensor:
        vision = self.model.vision_model
        out: Tensor = vision.pre_layrnorm(vision.embeddings(frames))  # [F, 1+P, D]
        return out

    def pool(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        out: Tensor = self.model.visual_projection(self.model.vision_model.post_layernorm(x[:, 0]))  # [G, E]
        return out

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        # Attention is causal and the embedding is read at the closing token: padding changes nothing.
        batch = self.tokenizer(
            texts,
            padding="longest",
            truncation=True,
            max_length=length,
            padding_side="right",
            return_tensors="pt",
        )
        ids: Tensor = batch["input_ids"]
        end = self.model.config.text_config.eos_token_id
        # Configurations older than transformers 4.31 name 2 and mean the highest id of the sentence.
        if end != 2 and not bool((ids == end).any(dim=1).all()):
            raise ModelError(
                f"the tokenizer doesn't close a sentence with the model's end token {end}: use the tokenizer "
                "saved with the model"
            )
        return ids


class SiglipBackbone(Backbone):
    """SigLIP and SigLIP 2 of fixed resolution (`transformers.SiglipModel`): pooling by attention."""

    family = "siglip"
    has_class_token = False

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        super().__init__(model, tokenizer, preprocessing=preprocessing)
        if not self.model.vision_model.use_head:
            raise ModelError(
                "a SigLIP without its pooling head (vision_use_head) has no embedding to search by"
            )

    @classmethod
    def default_preprocessing(cls, config: Any) -> Preprocessing:
        half = (0.5, 0.5, 0.5)
        return Preprocessing(_square(config.vision_config.image_size), mean=half, std=half)

    @property
    def embed_size(self) -> int:
        return self.width

    def embed(self, frames: Tensor) -> Tensor:
        out: Tensor = self.model.vision_model.embeddings(frames)  # [F, P, D]
        return out

    def pool(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        head = self.model.vision_model.head
        x = self.model.vision_model.post_layernorm(x)
        if bias is not None:
            bias = (
                bias.to(x.dtype).squeeze(1).repeat_interleave(head.attention.num_heads, dim=0)
            )  # [G*h, 1, L]
        probe = head.probe.expand(x.shape[0], -1, -1)
        pooled = head.attention(probe, x, x, attn_mask=bias, need_weights=False)[0]
        out: Tensor = (pooled + head.mlp(head.layernorm(pooled)))[:, 0]  # [G, E]
        return out

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        # Trained on 64 lower-case tokens, padding attended to and the last position read, so every
        # sentence is padded to the full length and no attention mask is given. The tokenizers published
        # with SigLIP 2 did not lower-case in all their versions.
        batch = self.tokenizer(
            [text.lower() for text in texts],
            padding="max_length",
            truncation=True,
            max_length=length,
            return_tensors="pt",
        )
        ids: Tensor = batch["input_ids"]
        if length < self.context_length:
            padding = ids.new_full((len(texts), self.context_length - length), self.tokenizer.pad_token_id)
            sides = (padding, ids) if self.tokenizer.padding_side == "left" else (ids, padding)
            ids = torch.cat(sides, dim=1)  # [B, context_length]
        return ids


_BACKBONES: Mapping[str, type[Backbone]] = {"clip": CLIPBackbone, "siglip": SiglipBackbone}


def make_backbone(
    model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
) -> Backbone:
    """Wrap a `transformers` dual encoder in the adapter of its family.

    Args:
        model: `CLIPModel` or `SiglipModel`; not copied.
        tokenizer: the model's own, or None.
        preprocessing: by default the family's constants at the model's image size.

    Raises:
        ModelError: any other model.
    """
    config = getattr(model, "config", None)
    backbone = _BACKBONES.get(getattr(config, "model_type", ""))
    if backbone is None or not hasattr(model, "vision_model") or not hasattr(model, "text_model"):
        raise ModelError(
            f"{type(model).__name__} is not supported: CenterCLIP runs on transformers' CLIPModel and "
            "SiglipModel (SigLIP, and SigLIP 2 of fixed resolution)"
        )
    return backbone(model, tokenizer, preprocessing=preprocessing)


def _square(size: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width
