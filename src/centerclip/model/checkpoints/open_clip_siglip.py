"""Converts SigLIP in open_clip's layout, with a vision tower of timm, into `transformers.SiglipModel`."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, normalizers
from torch import Tensor
from transformers import SiglipConfig, SiglipModel

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.layout import check_same, count_blocks, rename, shape_of

__all__ = ["SiglipSettings", "canonicalize", "convert_siglip", "read_siglip_settings"]

_TRUNK = re.compile(r"vit_(base|large|so400m|giantopt)_patch(\d+)_siglip_(\d+)")
_HEADS = {"base": 12, "large": 16, "so400m": 16, "giantopt": 16}
# timm gives these the approximation of GELU that all SigLIPs were trained with, and the others the exact one.
_APPROXIMATE = re.compile(r"vit_(base_patch32|large_patch16_siglip_512|so400m_patch16|giantopt_patch16)")
_ACTIVATIONS = {None: "gelu", "none": "gelu", "tanh": "gelu_pytorch_tanh"}
_LAYOUT = "a SigLIP of open_clip with a vision tower of timm"
_VISION_EPSILON = 1e-6

# Supported settings; None: any value, since it follows from the weights or matters in training only.
_KNOWN: Mapping[str, Mapping[str, tuple[object, ...] | None]] = {
    "": dict.fromkeys(("embed_dim", "init_logit_bias", "init_logit_scale", "vision_cfg", "text_cfg"))
    | {"custom_text": (True,)},
    "vision_cfg": dict.fromkeys(
        ("image_size", "timm_model_name", "timm_model_pretrained", "timm_drop", "timm_drop_path")
    )
    | {"timm_pool": ("map",), "timm_proj": ("none",)},
    "text_cfg": dict.fromkeys(
        (
            *("context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "proj_bias"),
            *("hf_tokenizer_name", "tokenizer_kwargs", "norm_kwargs", "act_kwargs"),
        )
    )
    | {"no_causal_mask": (True,), "pool_type": ("last",), "proj_type": ("linear", "none")},
}
# Without them, open_clip would build another model.
_NEEDED = {
    "vision_cfg": ("image_size", "timm_pool", "timm_proj"),
    "text_cfg": ("no_causal_mask", "pool_type"),
}

_MODULES = {
    "visual.trunk.patch_embed.proj": "vision_model.embeddings.patch_embedding",
    "visual.trunk.norm": "vision_model.post_layernorm",
    "visual.trunk.attn_pool.proj": "vision_model.head.attention.out_proj",
    "visual.trunk.attn_pool.norm": "vision_model.head.layernorm",
    "visual.trunk.attn_pool.mlp.fc1": "vision_model.head.mlp.fc1",
    "visual.trunk.attn_pool.mlp.fc2": "vision_model.head.mlp.fc2",
    "text.ln_final": "text_model.final_layer_norm",
    "text.text_projection": "text_model.head",
}
_TENSORS = {
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.attn_pool.latent": "vision_model.head.probe",
    "visual.trunk.attn_pool.in_proj_weight": "vision_model.head.attention.in_proj_weight",
    "visual.trunk.attn_pool.in_proj_bias": "vision_model.head.attention.in_proj_bias",
    "text.token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "text.positional_embedding": "text_model.embeddings.position_embedding.weight",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
_VISION_BLOCK = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.proj": "self_attn.out_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_TEXT_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_VISION_BLOCKS, _TEXT_BLOCKS = "visual.trunk.blocks.", "text.transformer.resblocks."


@dataclass(frozen=True, slots=True)
class SiglipSettings:
    """Settings of a SigLIP that its weights don't determine.

    Attributes:
        image_size: of the frames, in pixels.
        vision_heads, text_heads: attention heads of each tower.
        vision_activation, text_activation: `gelu` or `gelu_pytorch_tanh`.
        text_epsilon: of the text tower's norms.
        canonical_text: whether sentences lose their punctuation before they are tokenized.
    """

    image_size: int
    vision_heads: int
    vision_activation: str
    text_heads: int
    text_activation: str
    text_epsilon: float
    canonical_text: bool


def read_siglip_settings(path: Path, model: dict[str, Any]) -> SiglipSettings | None:
    """Read the `model_cfg` of a file of open_clip, `path`; None for other models.

    Raises:
        CheckpointError: unsupported settings.
        KeyError, TypeError, ValueError: it is damaged.
    """
    vision, text = model["vision_cfg"], model["text_cfg"]
    trunk = _TRUNK.fullmatch(str(vision.get("timm_model_name")))
    if trunk is None or "hf_model_name" in text:
        return None
    for part, settings in (("", model), ("vision_cfg", vision), ("text_cfg", text)):
        for key, value in sorted(settings.items()):
            name = f"{part}.{key}".lstrip(".")
            if key not in _KNOWN[part]:
                raise CheckpointError(f"{path} sets {name}, which is not supported: choose another model")
            allowed = _KNOWN[part][key]
            if allowed is not None and value not in allowed:
                raise CheckpointError(
                    f"{path} sets {name} to {value!r}, but only {allowed[0]!r} is supported"
                )
    for part, settings in (("vision_cfg", vision), ("text_cfg", text)):
        for key in _NEEDED[part]:
            if key not in settings:
                raise CheckpointError(f"{path} lacks {part}.{key}: download the model again")
    return SiglipSettings(
        image_size=int(vision["image_size"]),
        vision_heads=_HEADS[trunk[1]],
        vision_activation="gelu_pytorch_tanh" if _APPROXIMATE.match(trunk[0]) else "gelu",
        text_heads=int(text.get("heads", 8)),
        text_activation=_ACTIVATIONS[text.get("act_kwargs", {}).get("approximate")],
        text_epsilon=float(text.get("norm_kwargs", {}).get("eps", 1e-5)),
        canonical_text=text.get("tokenizer_kwargs", {}).get("clean") == "canonicalize",
    )


def convert_siglip(
    tensors: dict[str, Tensor], settings: SiglipSettings
) -> tuple[SiglipModel, dict[str, Tensor]]:
    """Build a model without memory for its weights, and rename the tensors of a file to its own.

    Raises:
        CheckpointError: a tensor is missing, unknown, or of the wrong shape.
    """
    tensors = _canonical(tensors)
    blocks = {start: count_blocks(tensors, start) for start in (_VISION_BLOCKS, _TEXT_BLOCKS)}
    names = _names(blocks[_VISION_BLOCKS], blocks[_TEXT_BLOCKS])
    check_same(tensors.keys(), names.keys(), _LAYOUT)
    model = _empty_model(tensors, settings, blocks)
    return model, rename(tensors, names, {name: tuple(t.shape) for name, t in model.state_dict().items()})


def _empty_model(
    tensors: dict[str, Tensor], settings: SiglipSettings, blocks: Mapping[str, int]
) -> SiglipModel:
    """Make a model without memory for its weights; raises if shapes don't fit the settings."""
    width, _, patch, _ = _shape(tensors, "visual.trunk.patch_embed.proj.weight", 4)
    positions, _ = _shape(tensors, "visual.trunk.pos_embed", 2)
    grid = isqrt(positions)
    if grid * grid != positions or settings.image_size // patch != grid:
        raise CheckpointError(
            f"visual.trunk.pos_embed has {positions} positions, but image_size {settings.image_size} in "
            f"patches of {patch} needs {(settings.image_size // patch) ** 2}"
        )
    vocabulary, text_width = _shape(tensors, "text.token_embedding.weight", 2)
    for name, size, heads in (
        ("vision", width, settings.vision_heads),
        ("text", text_width, settings.text_heads),
    ):
        if heads < 1 or size % heads:
            raise CheckpointError(f"the {name} tower is {size} wide, which can't be split into {heads} heads")
    config = SiglipConfig(
        vision_config={
            "hidden_size": width,
            "intermediate_size": _shape(tensors, f"{_VISION_BLOCKS}0.mlp.fc1.weight", 2)[0],
            "num_hidden_layers": blocks[_VISION_BLOCKS],
            "num_attention_heads": settings.vision_heads,
            "hidden_act": settings.vision_activation,
            "layer_norm_eps": _VISION_EPSILON,
            "image_size": settings.image_size,
            "patch_size": patch,
        },
        text_config={
            "hidden_size": text_width,
            "intermediate_size": _shape(tensors, f"{_TEXT_BLOCKS}0.mlp.c_fc.weight", 2)[0],
            "num_hidden_layers": blocks[_TEXT_BLOCKS],
            "num_attention_heads": settings.text_heads,
            "hidden_act": settings.text_activation,
            "layer_norm_eps": settings.text_epsilon,
            "vocab_size": vocabulary,
            "max_position_embeddings": _shape(tensors, "text.positional_embedding", 2)[0],
            "projection_size": width,
            # Without effect; the defaults are outside of most vocabularies.
            **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 1),
        },
    )
    with torch.device("meta"):
        model = SiglipModel(config)
    for part in (model.vision_model, model.text_model):
        count = part.embeddings.position_embedding.num_embeddings
        part.embeddings.position_ids = torch.arange(count).expand(1, -1)
    return model


def _shape(tensors: dict[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    return shape_of(tensors, name, dimensions, layout=_LAYOUT)


def canonicalize(tokenizer: Any) -> Any:
    """Copy a tokenizer, so that the copy cleans sentences as open_clip does for SigLIP.

    It removes punctuation, makes letters small and spaces single. A tokenizer that isn't of `tokenizers`
    does so itself, as SigLIP's own, and isn't copied.
    """
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        return tokenizer
    tokenizer = copy.deepcopy(tokenizer)
    backend = tokenizer.backend_tokenizer
    steps = [
        normalizers.Replace("_", " "),
        normalizers.Replace(Regex(r"[!-/:-@\[-`{-~]"), ""),
        normalizers.Lowercase(),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
    own = backend.normalizer
    backend.normalizer = normalizers.Sequence(steps if own is None else [*steps, own])
    return tokenizer


def _canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring tensors to the shapes and divisions of `transformers`, apart from queries, keys and values."""
    out = dict(tensors)
    positions = "visual.trunk.pos_embed"
    if positions in out and out[positions].ndim == 3:
        out[positions] = out[positions].flatten(0, 1)
    out |= {name: out[name].reshape(-1) for name in ("logit_scale", "logit_bias") if name in out}
    pool = "visual.trunk.attn_pool"
    for part in ("weight", "bias"):
        parts = [out.pop(f"{pool}.{name}.{part}", None) for name in ("q", "kv")]
        if all(tensor is not None for tensor in parts):
            out[f"{pool}.in_proj_{part}"] = torch.cat([t for t in parts if t is not None])
    projection = out.pop("text.text_projection", None)  # a bare matrix has no bias
    if projection is None and "text.text_projection.weight" not in out and "text.ln_final.weight" in out:
        projection = torch.eye(len(out["text.ln_final.weight"]))  # there is none
    if projection is not None:
        out["text.text_projection.weight"] = projection.T
        out["text.text_projection.bias"] = torch.zeros(projection.shape[-1])
    return out


def _names(vision_blocks: int, text_blocks: int) -> dict[str, tuple[str, ...]]:
    """Map all names of `_canonical` to those of `transformers`, which splits queries, keys and values."""
    names: dict[str, tuple[str, ...]] = {name: (target,) for name, target in _TENSORS.items()}
    modules = dict(_MODULES)
    for start, tower, count, block, joined in (
        (_VISION_BLOCKS, "vision_model", vision_blocks, _VISION_BLOCK, "attn.qkv."),
        (_TEXT_BLOCKS, "text_model", text_blocks, _TEXT_BLOCK, "attn.in_proj_"),
    ):
        for index in range(count):
            layer = f"{tower}.encoder.layers.{index}"
            modules |= {f"{start}{index}.{old}": f"{layer}.{new}" for old, new in block.items()}
            for part in ("weight", "bias"):
                names[f"{start}{index}.{joined}{part}"] = tuple(
                    f"{layer}.self_attn.{letter}_proj.{part}" for letter in "qkv"
                )
    for part in ("weight", "bias"):
        names |= {f"{name}.{part}": (f"{target}.{part}",) for name, target in modules.items()}
    return names
