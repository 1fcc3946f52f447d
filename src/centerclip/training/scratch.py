"""Makes a CLIP with random weights, and a tokenizer fitted to the captions."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from centerclip.training.config import Architecture

__all__ = ["fit_tokenizer", "make_clip"]

_SPECIAL = ("<pad>", "<unk>", "<start>", "<end>")
_PAD, _START, _END = 0, 2, 3


def fit_tokenizer(
    captions: Iterable[str], *, vocabulary: int, context_length: int
) -> PreTrainedTokenizerFast:
    """Fit byte-level BPE to lower-case captions. Any text can be encoded; frequent words are one token.

    Args:
        captions: those of the training split.
        vocabulary: maximum number of tokens; includes the 256 bytes and 4 special tokens.
        context_length: maximum number of tokens per text, including start and end. Longer texts are cut, but
            keep the end token.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", _START), ("<end>", _END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=context_length,
    )


def make_clip(architecture: Architecture, *, vocabulary: int) -> CLIPModel:
    """Make randomly initialized towers; seed torch before the call to make them reproducible."""
    config = CLIPConfig(
        projection_dim=architecture.embed_size,
        vision_config={
            "hidden_size": architecture.vision_width,
            "intermediate_size": architecture.vision_mlp_width,
            "num_hidden_layers": architecture.vision_blocks,
            "num_attention_heads": architecture.vision_heads,
            "image_size": architecture.image_size,
            "patch_size": architecture.patch_size,
            "hidden_act": "gelu",
        },
        text_config={
            "hidden_size": architecture.text_width,
            "intermediate_size": architecture.text_mlp_width,
            "num_hidden_layers": architecture.text_blocks,
            "num_attention_heads": architecture.text_heads,
            "vocab_size": vocabulary,
            "max_position_embeddings": architecture.context_length,
            "hidden_act": "gelu",
            "pad_token_id": _PAD,
            "bos_token_id": _START,
            "eos_token_id": _END,
        },
    )
    return CLIPModel(config)
