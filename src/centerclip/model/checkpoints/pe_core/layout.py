"""Tensor names of the two published layouts, and the geometry that the tensors' shapes determine.

open_clip's names are those of `PECore`. The official names are converted to them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isqrt

import torch
from torch import Tensor

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.pe_core.settings import PESettings
from centerclip.model.pe_core.config import (
    HEAD_WIDTH,
    POOLING_HEADS,
    PECoreConfig,
    TextConfig,
    VisionConfig,
    default_head_width,
)

__all__ = ["REMEDY", "infer_config", "is_pe_core", "to_open_clip"]

REMEDY = "download the model again, or choose another"

_BLOCK_TENSORS = 12
_TRUNK, _RESBLOCKS = "visual.trunk.", "text.transformer.resblocks."

# Official prefixes and those of open_clip; the first match counts.
_PREFIXES = (
    ("visual.transformer.resblocks.", f"{_TRUNK}blocks."),
    ("visual.attn_pool.", f"{_TRUNK}attn_pool."),
    ("visual.ln_pre.", f"{_TRUNK}norm_pre."),
    ("visual.ln_post.", f"{_TRUNK}norm."),
    ("visual.class_embedding", f"{_TRUNK}cls_token"),
    ("visual.positional_embedding", f"{_TRUNK}pos_embed"),
    ("visual.conv1.", f"{_TRUNK}patch_embed.proj."),
    ("visual.proj", f"{_TRUNK}head.weight"),
    ("logit_scale", "logit_scale"),
    ("visual.", "visual."),  # unknown
    ("", "text."),
)
# What is called differently within the blocks of the vision tower and its pooling.
_PARTS = (
    (".attn.in_proj_", ".attn.qkv."),
    (".attn.out_proj.", ".attn.proj."),
    (".ln_1.", ".norm1."),
    (".ln_2.", ".norm2."),
    (".mlp.c_fc.", ".mlp.fc1."),
    (".mlp.c_proj.", ".mlp.fc2."),
    ("attn_pool.attn.proj.", "attn_pool.proj."),
    ("attn_pool.probe", "attn_pool.latent"),
    ("attn_pool.layernorm.", "attn_pool.norm."),
)


def is_pe_core(names: Collection[str]) -> bool:
    """Whether tensor names are those of a PE-Core: attention pooling, and a layer norm before the blocks."""
    official = {"visual.attn_pool.probe", "visual.ln_pre.weight"}
    open_clip = {f"{_TRUNK}attn_pool.latent", f"{_TRUNK}norm_pre.weight"}
    return any(layout <= set(names) for layout in (official, open_clip))


def to_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors of either layout the names and shapes of open_clip's.

    The official projection has no bias, so a bias of zeros is added.
    """
    if any(name.startswith(_TRUNK) for name in tensors):
        return dict(tensors)
    out: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = _renamed(name)
        if new.startswith(f"{_TRUNK}attn_pool.attn.qkv.") and tensor.shape and len(tensor) % 3 == 0:
            part, width = new.rpartition(".")[2], len(tensor) // 3
            out[f"{_TRUNK}attn_pool.q.{part}"] = tensor[:width]
            out[f"{_TRUNK}attn_pool.kv.{part}"] = tensor[width:]
        elif new == f"{_TRUNK}head.weight" and tensor.ndim == 2:
            out[new] = tensor.T
            out[f"{_TRUNK}head.bias"] = torch.zeros(tensor.shape[1])
        elif new in (f"{_TRUNK}cls_token", f"{_TRUNK}pos_embed"):
            out[new] = tensor.reshape(1, -1, tensor.shape[-1]) if tensor.ndim else tensor
        else:
            out[new] = tensor
    return out


def _renamed(name: str) -> str:
    old, new = next(pair for pair in _PREFIXES if name.startswith(pair[0]))
    renamed = new + name.removeprefix(old)
    if new.startswith(_TRUNK):
        for part in _PARTS:
            renamed = renamed.replace(*part)
    return renamed


def infer_config(tensors: Mapping[str, Tensor], settings: PESettings) -> PECoreConfig:
    """Infer the geometry from shapes, and the numbers of heads by `default_head_width` if not stated.

    Args:
        tensors: by open_clip's names.
        settings: beside the weights.

    Raises:
        CheckpointError: a necessary tensor is missing or has an impossible shape, or the width isn't a
            multiple of the number of heads.
    """
    width, _, patch, _ = _shape(tensors, f"{_TRUNK}patch_embed.proj.weight", 4)
    class_token = f"{_TRUNK}cls_token" in tensors
    _, length, _ = _shape(tensors, f"{_TRUNK}pos_embed", 3)
    side = isqrt(max(length - class_token, 0))
    if not side or side * side != length - class_token:
        kind = "1 + a square number" if class_token else "a square number"
        raise CheckpointError(f"the vision tower has {length} positions, but must have {kind}: {REMEDY}")
    vocabulary, text_width = _shape(tensors, "text.token_embedding.weight", 2)
    head_width = settings.head_width or default_head_width(width, settings.trunk)
    vision_heads = settings.vision_heads or _heads("the vision tower", width, head_width)
    text_heads = settings.text_heads or _heads("the text tower", text_width, HEAD_WIDTH)
    _check_heads("the vision tower", width, vision_heads, multiple=4)  # rotated pairs of rows and columns
    _check_heads("the vision tower's pooling", width, POOLING_HEADS)
    _check_heads("the text tower", text_width, text_heads)
    return PECoreConfig(
        VisionConfig(
            hidden_size=width,
            num_hidden_layers=_count(tensors, f"{_TRUNK}blocks."),
            num_attention_heads=vision_heads,
            intermediate_size=_shape(tensors, f"{_TRUNK}blocks.0.mlp.fc1.weight", 2)[0],
            pooling_size=_shape(tensors, f"{_TRUNK}attn_pool.mlp.fc1.weight", 2)[0],
            patch_size=patch,
            image_size=side * patch,
            class_token=class_token,
            rotary_grid=settings.rotary_grid or side,
        ),
        TextConfig(
            hidden_size=text_width,
            num_hidden_layers=_count(tensors, _RESBLOCKS),
            num_attention_heads=text_heads,
            intermediate_size=_shape(tensors, f"{_RESBLOCKS}0.mlp.c_fc.weight", 2)[0],
            vocab_size=vocabulary,
            max_position_embeddings=_shape(tensors, "text.positional_embedding", 2)[0],
        ),
        projection_dim=_shape(tensors, f"{_TRUNK}head.weight", 2)[0],
    )


def _heads(what: str, width: int, head_width: int) -> int:
    if width > head_width and width % head_width:
        raise CheckpointError(
            f"{what} is {width} wide, which isn't a multiple of its head width {head_width}: state the right "
            "number in the configuration beside the weights"
        )
    return max(1, width // head_width)


def _check_heads(what: str, width: int, heads: int, *, multiple: int = 1) -> None:
    if width % heads or width // heads % multiple:
        needed = f" and heads of a multiple of {multiple}" if multiple > 1 else ""
        raise CheckpointError(
            f"{what} is {width} wide with {heads} heads, but needs a multiple of them{needed}: state the "
            "right number in the configuration beside the weights"
        )


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Count the blocks, after checking that they have about as many tensors as so many blocks need."""
    own = [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]
    count = len({name.split(".")[0] for name in own})
    if len(own) < _BLOCK_TENSORS * (count - 1):  # building thousands of blocks to compare would take minutes
        raise CheckpointError(f"{prefix}* has {count} blocks, but only {len(own)} tensors: {REMEDY}")
    return count


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in tensors:
        raise CheckpointError(f"{name}, by the names of open_clip, is missing: {REMEDY}")
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise CheckpointError(
            f"{name}, by the names of open_clip, has the shape {shape}, but must have {dimensions} "
            f"dimensions above 0: {REMEDY}"
        )
    return shape
