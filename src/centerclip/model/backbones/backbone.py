"""The base class of all backbones, and of towers that replace a backbone's vision tower."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import transformers
from torch import Tensor, nn

from centerclip.clustering import Tokens
from centerclip.errors import ModelError
from centerclip.model.preprocessing import read_preprocessing, write_preprocessing
from centerclip.model.reading import reading
from centerclip.model.storage import has_tokenizer, load_tokenizer, load_weights, quiet_transformers
from centerclip.preprocessing import Preprocessing
from centerclip.schedule import TokenSchedule

__all__ = ["Backbone", "Tower", "square"]

_PARTS = ("model", "tokenizer", "preprocessing")


class Backbone(nn.Module):
    """A dual encoder whose vision tower runs block by block.

    The methods wrap models of `transformers`, with one subclass per family. A subclass for anything else sets
    the attributes itself and overrides every method that uses the wrapped model: `load`, `save`, `embed`,
    `block`, `pool`, `tokenize` and `encode_text`; for training also `bottom`.

    Attributes:
        family: `model_type` of the configuration in `transformers`.
        architecture: name of the class in `transformers`.
        has_class_token: whether sequences begin with a class token: L = has_class_token + P.
        masks_padding: whether the text tower recognizes padding by the configuration's `pad_token_id`.
        options: keyword arguments of a subclass's constructor, which are saved with the model.
        name: the model's name, as the user gave it.
        model: the wrapped model, including the parameter `logit_scale`.
        tokenizer: of `transformers`, or None; then only token ids can be encoded.
        preprocessing: image size and normalization of the input.
        blocks, width, heads, mlp_width, patch_size, patches: geometry of the vision tower; `width` is D,
            `patches` is P.
        pooling_width: hidden width of the attention pooling's MLP; 0 if the class token alone is read.
        embed_size: E, of both towers' embeddings.
        context_length: maximum number of tokens in a text.
    """

    family: ClassVar[str]
    architecture: ClassVar[str]
    has_class_token: ClassVar[bool]
    masks_padding: ClassVar[bool] = False
    options: dict[str, Any]
    name: str = ""
    pooling_width: int = 0

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
            path: a folder written by `save` or `transformers`, or a hub snapshot. Custom subclasses may
                accept anything else.
            tokenizer: replaces the saved one.
            options: of the constructor.

        Raises:
            ModelError: tokenizer or preprocessing can't be read.
            CheckpointError: weights missing, unexpected, damaged or of the wrong shape.
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
        """Return the family's preprocessing, for models without `preprocessor_config.json`."""
        raise NotImplementedError

    @property
    def embed_size(self) -> int:
        raise NotImplementedError

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames, in pixels."""
        return self.preprocessing.image_size

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of a frame's patches."""
        height, width = self.image_size
        return height // self.patch_size, width // self.patch_size

    @property
    def logit_scale(self) -> Tensor:
        """The learned scale of the similarities, as a natural logarithm; a scalar parameter."""
        scale: Tensor = self.model.logit_scale
        return scale

    @property
    def layers(self) -> nn.ModuleList:
        """The blocks of the vision tower."""
        layers: nn.ModuleList = self.model.vision_model.encoder.layers
        return layers

    def bottom(self, blocks: int) -> list[nn.Module | nn.Parameter]:
        """List the embeddings and the first blocks of both towers, which training may freeze."""
        bottom: list[nn.Module | nn.Parameter] = []
        for tower in (self.model.vision_model, self.model.text_model):
            stem = ("embeddings", "pre_layrnorm")
            bottom += [module for name, module in tower.named_children() if name in stem]
            bottom += tower.encoder.layers[:blocks]
        return bottom

    def multiply_adds(self, schedule: TokenSchedule, frames: int) -> int:
        """Count the vision tower's multiply-adds for one video in inference
        (`TokenSchedule.multiply_adds`)."""
        return schedule.multiply_adds(
            blocks=self.blocks,
            frames=frames,
            patches=self.patches,
            width=self.width,
            mlp_width=self.mlp_width,
            patch_pixels=3 * self.patch_size**2,
            class_token=self.has_class_token,
            whole_last_block=self.pooling_width > 0,
            pooling=self.pooling_width,
        )

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """Run blocks `start` to `stop` - 1, counted from 0, on sequences x [G, L, D]."""
        for index in range(start, stop):
            tokens = self.block(index, tokens)
        return tokens

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """Run all blocks from `start` on, and pool: x [G, L, D] to [G, E], not normalized."""
        return self.pool(self.last_block(self.run(tokens, start, self.blocks - 1)))

    def embed(self, frames: Tensor) -> Tokens:
        """Embed normalized frames [F, 3, H, W] as the sequences x [F, L, D] that enter the first block.

        Subclasses pass x, with the class token first, to `at_patches`.
        """
        raise NotImplementedError

    def at_patches(self, x: Tensor) -> Tokens:
        """Add positions to the sequences [F, L, D] of frames; every frame has number 0."""
        rows, columns = (torch.arange(count, device=x.device, dtype=torch.float32) for count in self.grid)
        places = torch.cartesian_prod(rows.new_zeros(1), rows, columns)  # [P, 3]
        return Tokens(x, places.expand(x.shape[0], -1, -1), has_class_token=self.has_class_token)

    def block(self, index: int, tokens: Tokens) -> Tokens:
        """Run one block.

        Args:
            index: counted from 0.
            tokens: x [G, L, D], the residual stream. `tokens.bias` is added to the attention scores of every
                query; `tokens.positions` are for towers that rotate queries and keys by position.

        Returns:
            Tokens with a new x.

        Raises:
            ModelError: tokens are weighted by size, but the attention implementation doesn't support that.
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
        """Run the last block, at least for the tokens that `pool` needs."""
        return self.block(self.blocks - 1, tokens)

    def pool(self, tokens: Tokens) -> Tensor:
        """Turn the result of `last_block`, x [G, L, D], into embeddings [G, E], not normalized."""
        raise NotImplementedError

    def tokenize(self, texts: Sequence[str], *, max_tokens: int | None = None) -> dict[str, Tensor]:
        """Turn sentences into token ids. Truncation keeps the end token.

        Args:
            texts: sentences of any length and case.
            max_tokens: maximum per sentence, including start and end token; at most the context length, which
                is the default.

        Returns:
            input_ids [B, L] int64, on the CPU.

        Raises:
            ModelError: there is no tokenizer, or it belongs to another model.
        """
        if self.tokenizer is None:
            raise ModelError(
                "the model has no tokenizer, so it accepts only token ids: use CenterCLIP(..., tokenizer=...)"
                " or CenterCLIP.from_pretrained"
            )
        length = min(max_tokens or self.context_length, self.context_length)
        with reading("a sentence", "use the tokenizer saved with the model"):
            ids = self._token_ids(list(texts), length)
        highest, vocabulary = int(ids.max()), self.model.config.text_config.vocab_size
        if highest >= vocabulary:
            raise ModelError(
                f"the tokenizer returned id {highest}, but the model has {vocabulary} tokens: use the "
                "tokenizer saved with the model"
            )
        return {"input_ids": ids}

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        raise NotImplementedError

    def encode_text(self, input_ids: Tensor) -> Tensor:
        """Encode token ids [B, L] int64 to [B, E], not normalized."""
        out: Tensor = self.model.get_text_features(input_ids=input_ids).pooler_output
        return out


class Tower:
    """Runs a backbone's vision tower; subclasses replace it for inference, compiled or quantized.

    Not a module, so that it doesn't change the names of the model's parameters.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    def turn(self) -> AbstractContextManager[None]:
        """Enter before a batch is encoded; a tower may have to keep others out meanwhile."""
        return nullcontext()

    def embed(self, frames: Tensor) -> Tokens:
        """See `Backbone.embed`."""
        return self.backbone.embed(frames)

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """See `Backbone.run`."""
        return self.backbone.run(tokens, start, stop)

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """See `Backbone.run_to_end`."""
        return self.backbone.run_to_end(tokens, start)


def square(size: int | Sequence[int]) -> tuple[int, int]:
    """Read (height, width) from the `image_size` of a configuration."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])
