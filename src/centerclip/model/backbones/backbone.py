"""What every backbone can do, and what it asks of its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import transformers
from torch import Tensor, nn

from centerclip.clustering import Tokens
from centerclip.errors import ModelError
from centerclip.model.preprocessing import read_preprocessing, write_preprocessing
from centerclip.model.storage import has_tokenizer, load_tokenizer, load_weights, quiet_transformers
from centerclip.preprocessing import Preprocessing
from centerclip.schedule import TokenSchedule

__all__ = ["Backbone", "square"]

_PARTS = ("model", "tokenizer", "preprocessing")


class Backbone(nn.Module):
    """A dual encoder, opened up between the blocks of its vision tower.

    The methods are written for models of `transformers`, whose families are subclasses. A subclass for
    anything else sets the attributes itself, and replaces the methods that ask the wrapped model: `load` and
    `save`, `embed`, `block`, `pool`, `tokenize` and `encode_text`.

    Attributes:
        family: `clip` or `siglip`: whose image processor `transformers` applies to a saved model.
        architecture: name of the class in `transformers`.
        has_class_token: whether sequences begin with a class token: L = has_class_token + P.
        options: keyword arguments of a subclass's constructor, which are saved with the model.
        name: of the model, as the user knows it.
        model: the wrapped model; its parameters are this module's, and `logit_scale` is one of them.
        tokenizer: of `transformers`, or None, when only token ids can be encoded.
        preprocessing: image size and normalization of the input.
        blocks, width, heads, mlp_width, patch_size, patches: geometry of the vision tower; `width` is D,
            `patches` is P.
        embed_size: E, of both towers' embeddings.
        context_length: maximum number of tokens in a text.
    """

    family: ClassVar[str]
    architecture: ClassVar[str]
    has_class_token: ClassVar[bool]
    options: dict[str, Any]
    name: str = ""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        made = super().__new__(cls)
        made.options = {key: value for key, value in options.items() if key not in _PARTS}
        return made

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        super().__init__()
        config: Any = model.config
        vision, text = config.vision_config, config.text_config
        self.training = model.training
        self.name = config.name_or_path
        self.model: Any = model
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing or self.default_preprocessing(config)
        self.width: int = vision.hidden_size
        self.heads: int = vision.num_attention_heads
        self.mlp_width: int = vision.intermediate_size
        self.patch_size: int = vision.patch_size
        self.context_length: int = text.max_position_embeddings
        self.patches: int = model.vision_model.embeddings.num_patches  # type: ignore[union-attr, assignment]
        self.blocks: int = len(self.layers)

    @classmethod
    def load(cls, path: Path, *, tokenizer: Any = None, **options: Any) -> Self:
        """Load a saved model in float32 and evaluation mode, without touching the network.

        Args:
            path: a folder as `save` or `transformers` wrote it, or a snapshot of the hub; for a subclass of
                one's own, whatever it can read.
            tokenizer: in place of the one saved there.
            options: of the constructor.

        Raises:
            ModelError: tokenizer or preprocessing can't be read.
            CheckpointError: weights missing, superfluous, damaged or of the wrong shape.
        """
        model = load_weights(path, getattr(transformers, cls.architecture))
        if tokenizer is None and has_tokenizer(path):
            tokenizer = load_tokenizer(path)
        preprocessing = read_preprocessing(path, cls.default_preprocessing(model.config))
        return cls(model, tokenizer, preprocessing=preprocessing, **options)

    def save(self, folder: Path) -> None:
        """Write weights, configuration, tokenizer and preprocessing for `load` and `transformers` to read.

        Raises:
            OSError: the folder can't be written.
        """
        with quiet_transformers():
            self.model.save_pretrained(folder)
            if self.tokenizer is not None:
                self.tokenizer.save_pretrained(folder)
        write_preprocessing(self.preprocessing, folder, family=self.family)

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
    def mean(self) -> tuple[float, float, float]:
        """Of red, green and blue in 0..1; no buffer, which a model moved to bfloat16 would round."""
        return self.preprocessing.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """Of red, green and blue in 0..1."""
        return self.preprocessing.std

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the patches that a frame is cut into."""
        height, width = self.image_size
        return height // self.patch_size, width // self.patch_size

    @property
    def logit_scale(self) -> Tensor:
        """The learned scale of the similarities, as a natural logarithm; a scalar parameter."""
        scale: Tensor = self.model.logit_scale
        return scale

    @property
    def layers(self) -> nn.ModuleList:
        """The blocks of the vision tower, modules of `transformers`."""
        layers: nn.ModuleList = self.model.vision_model.encoder.layers
        return layers

    def multiply_adds(self, schedule: TokenSchedule, frames: int) -> int:
        """Of one video of `frames` frames through the vision tower, as it runs outside of training.

        Counted by `TokenSchedule.multiply_adds`; of a tower with class tokens, the last block is run for
        these alone.
        """
        return schedule.multiply_adds(
            blocks=self.blocks,
            frames=frames,
            patches=self.patches,
            width=self.width,
            mlp_width=self.mlp_width,
            patch_pixels=3 * self.patch_size**2,
            class_token=self.has_class_token,
            whole_last_block=not self.has_class_token,
        )

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """Run the blocks from `start` to the one before `stop`, 0-based, on sequences x [G, L, D]."""
        for index in range(start, stop):
            tokens = self.block(index, tokens)
        return tokens

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """Run the blocks from `start` on, and pool: x [G, L, D] to [G, E], not normalized."""
        return self.pool(self.last_block(self.run(tokens, start, self.blocks - 1)))

    def embed(self, frames: Tensor) -> Tokens:
        """Turn frames into the sequences that enter the first block.

        Args:
            frames: [F, 3, H, W], normalized.

        Returns:
            x [F, L, D], the class token first where there is one; positions as `at_patches` makes them.
        """
        raise NotImplementedError

    def at_patches(self, x: Tensor) -> Tokens:
        """Say where the patch tokens of frames [F, L, D] come from; the frame counts as 0 everywhere."""
        rows, columns = (torch.arange(count, device=x.device, dtype=torch.float32) for count in self.grid)
        places = torch.cartesian_prod(rows.new_zeros(1), rows, columns)  # [P, 3]
        return Tokens(x, places.expand(len(x), -1, -1), has_class_token=self.has_class_token)

    def block(self, index: int, tokens: Tokens) -> Tokens:
        """Run one block.

        Args:
            index: 0-based.
            tokens: x [G, L, D], the residual stream. `tokens.bias` is added to the attention scores of every
                query; `tokens.positions` are for towers that rotate queries and keys by them.

        Returns:
            The same with another x.

        Raises:
            ModelError: tokens weighted by size, with an attention implementation that ignores it.
        """
        bias = tokens.bias
        if bias is not None:
            implementation = self.model.vision_model.config._attn_implementation
            if implementation not in ("sdpa", "eager"):
                raise ModelError(
                    f"attention {implementation!r} can't weight tokens by their size: load the model with "
                    "attn_implementation='sdpa'"
                )
            bias = bias.to(tokens.x.dtype).expand(-1, -1, tokens.x.shape[1], -1)
        return replace(tokens, x=self.layers[index](tokens.x, bias))

    def last_block(self, tokens: Tokens) -> Tokens:
        """Run the last block, of which only the tokens that `pool` reads are needed."""
        return self.block(self.blocks - 1, tokens)

    def pool(self, tokens: Tokens) -> Tensor:
        """Turn what `last_block` returns, x [G, L, D], into embeddings [G, E], not normalized."""
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

    def encode_text(self, input_ids: Tensor) -> Tensor:
        """Encode tokenized text.

        Args:
            input_ids: [B, L] int64.

        Returns:
            [B, E], not normalized.
        """
        out: Tensor = self.model.get_text_features(input_ids=input_ids).pooler_output
        return out


def square(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of an `image_size` as configurations state it."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width
