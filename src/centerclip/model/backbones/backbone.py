"""What every backbone can do, and what it asks of its family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from centerclip.errors import ModelError
from centerclip.preprocessing import Preprocessing
from centerclip.schedule import TokenSchedule

__all__ = ["Backbone", "square"]


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
        self.training = model.training
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

    def run(self, x: Tensor, start: int, stop: int, bias: Tensor | None = None) -> Tensor:
        """Run the part of the vision tower between two reductions.

        Args:
            x: frames [G, 3, H, W], normalized, where `start` is 0; else [G, L, D], the residual stream.
            start, stop: the first block, 0-based, and the one after the last.
            bias: as in `block`.

        Returns:
            [G, L, D], or where `stop` is `blocks` embeddings [G, E], not normalized.
        """
        if start == 0:
            x = self.embed(x)  # [G, L, D]
        ends = stop == self.blocks
        for index in range(start, stop - ends):
            x = self.block(index, x, bias)
        return self.finish(x, bias) if ends else x

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
        out: Tensor = self.layers[index](x, bias)
        return out

    def finish(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Run the last block and pool.

        Args:
            x, bias: as in `block`.

        Returns:
            [G, E], not normalized.
        """
        return self.pool(self.block(self.blocks - 1, x, bias), bias)

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


def square(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of an `image_size` as configurations state it."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width
