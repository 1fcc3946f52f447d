"""Tiny dual encoders with random weights, and matching tokenizers."""

from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
WORDS = ["[pad]", "[start]", "[end]", "[unknown]", "a", "red", "blue", "car", "boat", "drives", "floats", "."]


def clip_model(
    seed: int = 0, *, vision: dict[str, Any] | None = None, text: dict[str, Any] | None = None
) -> CLIPModel:
    """Make a CLIP of 4 blocks, 32 wide, 16 patches of 4 x 4 pixels; `vision` and `text` override its config.

    Weights are larger than usual; with the default initialization, all sentences and frames would be similar.
    """
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "projection_dim": 24}
    config = CLIPConfig(
        vision_config={**tower, "num_hidden_layers": 4, "image_size": 16, "patch_size": 4, **(vision or {})},
        text_config={
            **tower,
            "num_hidden_layers": 2,
            "vocab_size": 2 * len(ALPHABET) + 2,
            "max_position_embeddings": 12,
            "bos_token_id": 2 * len(ALPHABET),
            "eos_token_id": 2 * len(ALPHABET) + 1,
            **(text or {}),
        },
        projection_dim=24,
    )
    return _drawn(CLIPModel, config, seed)


def siglip_model(seed: int = 0, *, vision: dict[str, Any] | None = None) -> SiglipModel:
    """Make a SigLIP like `clip_model`, with a context of 12 tokens."""
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    config = SiglipConfig(
        vision_config={**tower, "num_hidden_layers": 4, "image_size": 16, "patch_size": 4, **(vision or {})},
        text_config={
            **tower,
            "num_hidden_layers": 2,
            "vocab_size": len(WORDS),
            "max_position_embeddings": 12,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
    )
    return _drawn(SiglipModel, config, seed)


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own tokenizer with an alphabet of bytes and no merges."""
    tokens = [*ALPHABET, *(f"{letter}</w>" for letter in ALPHABET), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: index for index, token in enumerate(tokens)}, merges=[])


def word_tokenizer(*, start: bool = True) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, made with the tokenizers library like the bundled model's."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[unknown]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[start] $A [end]" if start else "$A [end]", special_tokens=[("[start]", 1), ("[end]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[pad]",
        bos_token="[start]",
        eos_token="[end]",
        unk_token="[unknown]",
        model_max_length=12,
    )


def _drawn(model_class: Any, config: Any, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    model = model_class(config).eval()
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if name.endswith("logit_scale"):
                continue
            scale = 0.5 if parameter.ndim < 2 else 1.5 * parameter[0].numel() ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
            if name.endswith(("norm.weight", "norm1.weight", "norm2.weight")):
                parameter.add_(1)
    return model
