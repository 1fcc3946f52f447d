"""Tiny dual encoders with random weights, and matching tokenizers."""

from collections.abc import Callable
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    GemmaTokenizer,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    XLMRobertaTokenizer,
)

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
WORDS = ["[pad]", "[start]", "[end]", "[unknown]", "a", "red", "blue", "car", "boat", "drives", "floats", "."]

XLM_PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "\u2581",
    *"abcdefgilorstuv",
    "\u2581red",
    "\u2581car",
    "<mask>",
]
BERT_PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "red",
    "blue",
    "car",
    "##s",
    "\u8f66",
    "\u7ea2",
]


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


def metaclip_2_model(seed: int = 0, **changes: Any) -> MetaClip2Model:
    """Make a MetaCLIP 2 like `clip_model`, whose sentences end with XLM-V's id 2."""
    text = {"vocab_size": len(XLM_PIECES), "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    return _variant(MetaClip2Model, MetaClip2Config, text | {"max_position_embeddings": 12}, seed, **changes)


def chinese_clip_model(seed: int = 0, **changes: Any) -> ChineseCLIPModel:
    """Make a Chinese-CLIP like `clip_model`."""
    text = {"vocab_size": len(BERT_PIECES), "pad_token_id": 0, "max_position_embeddings": 12}
    return _variant(ChineseCLIPModel, ChineseCLIPConfig, text, seed, **changes)


def altclip_model(seed: int = 0, **changes: Any) -> AltCLIPModel:
    """Make an AltCLIP like `clip_model`, whose positions count from 2."""
    text = {"vocab_size": len(XLM_PIECES), "pad_token_id": 1, "max_position_embeddings": 14}
    return _variant(AltCLIPModel, AltCLIPConfig, text | {"project_dim": 20}, seed, **changes)


def _variant(
    model_class: Any,
    config_class: Any,
    text: dict[str, Any],
    seed: int,
    *,
    vision: dict[str, Any] | None = None,
) -> Any:
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    config = config_class(
        vision_config={**tower, "num_hidden_layers": 4, "image_size": 16, "patch_size": 4, **(vision or {})},
        text_config={**tower, "num_hidden_layers": 2, **text},
        projection_dim=24,
    )
    return _drawn(model_class, config, seed)


def xlm_tokenizer() -> XLMRobertaTokenizer:
    """XLM-R's own tokenizer with a few pieces; MetaCLIP 2 and AltCLIP use it."""
    return XLMRobertaTokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(XLM_PIECES)])


def bert_tokenizer() -> BertTokenizer:
    """BERT's own tokenizer with a few words, as in Chinese-CLIP."""
    return BertTokenizer(vocab={piece: i for i, piece in enumerate(BERT_PIECES)})


def gemma_tokenizer() -> GemmaTokenizer:
    """Gemma's own tokenizer with letters and no merges, as in SigLIP 2, with the ids of `siglip_model`."""
    letters = ["<pad>", "<eos>", "<bos>", "<unk>", "\u2581", *"abcdefg"]
    tokenizer = GemmaTokenizer(vocab={letter: i for i, letter in enumerate(letters)}, merges=[])
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return tokenizer


FAMILIES: dict[str, tuple[Callable[..., Any], Callable[[], Any]]] = {
    "clip": (clip_model, clip_tokenizer),
    "siglip": (siglip_model, word_tokenizer),
    "siglip 2": (siglip_model, gemma_tokenizer),
    "metaclip_2": (metaclip_2_model, xlm_tokenizer),
    "chinese_clip": (chinese_clip_model, bert_tokenizer),
    "altclip": (altclip_model, xlm_tokenizer),
}
"""A model and a tokenizer of each family."""


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
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0  # as transformers leaves it
    return model
