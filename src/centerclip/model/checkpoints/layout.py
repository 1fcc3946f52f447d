"""Tensor names of OpenAI's CLIP, which open_clip, CLIP4Clip and CenterCLIP checkpoints share.

The shapes determine the model's geometry, and the geometry determines all names and shapes.
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from math import isqrt
from typing import Any

from torch import Tensor

from centerclip.errors import CheckpointError

__all__ = [
    "Geometry",
    "TowerGeometry",
    "check_names",
    "check_same",
    "convert",
    "count_blocks",
    "infer_geometry",
    "rename",
    "shape_of",
]

# Width of a vision head if not 64: open_clip's ViT-H, ViT-g and ViT-bigG.
_HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104}

_LAYOUT = "a CLIP with a vision transformer by OpenAI's names"

# OpenAI's names and those of transformers.
_TENSORS = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
}
_TRANSPOSED = ("visual.proj", "text_projection")
# Modules with a weight and a bias, and those of each block.
_MODULES = {
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "ln_final": "text_model.final_layer_norm",
}
_BLOCK_MODULES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


@dataclass(frozen=True, slots=True)
class TowerGeometry:
    """Geometry of one transformer."""

    width: int
    layers: int
    heads: int
    mlp_width: int

    def config(self) -> dict[str, Any]:
        """Return the configuration of `transformers`."""
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.mlp_width,
        }


@dataclass(frozen=True, slots=True)
class Geometry:
    """Geometry of a CLIP."""

    vision: TowerGeometry
    text: TowerGeometry
    patch: int
    grid: int
    embed: int
    vocabulary: int
    context: int


def infer_geometry(
    tensors: dict[str, Tensor], *, head_width: int | None = None, text_heads: int | None = None
) -> Geometry:
    """Infer the geometry from the shapes.

    Args:
        tensors: by OpenAI's names.
        head_width: of the vision tower; by default 64, or that of open_clip's model of this width.
        text_heads: by default the text width / 64.

    Raises:
        CheckpointError: a necessary tensor is missing or has an impossible shape.
    """
    width, _, patch, _ = shape_of(tensors, "visual.conv1.weight", 4)
    positions, _ = shape_of(tensors, "visual.positional_embedding", 2)
    grid = isqrt(max(positions - 1, 0))
    if grid * grid != positions - 1 or not grid:
        raise CheckpointError(
            f"visual.positional_embedding has {positions} rows, but must have 1 + a square number"
        )
    vocabulary, text_width = shape_of(tensors, "token_embedding.weight", 2)
    if text_heads is not None and text_heads > text_width:
        raise CheckpointError(f"text_cfg.heads is {text_heads}, but the text tower is only {text_width} wide")
    return Geometry(
        vision=_tower(tensors, "visual.", width, head_width or _HEAD_WIDTHS.get(width, 64)),
        text=_tower(tensors, "", text_width, text_width // text_heads if text_heads else 64),
        patch=patch,
        grid=grid,
        embed=shape_of(tensors, "visual.proj", 2)[1],
        vocabulary=vocabulary,
        context=shape_of(tensors, "positional_embedding", 2)[0],
    )


def check_names(tensors: dict[str, Tensor], geometry: Geometry) -> None:
    """Check that a file has all tensors of a geometry and no others.

    Raises:
        CheckpointError: a tensor is missing or unknown.
    """
    check_same(tensors.keys(), _names(geometry).keys(), "a CLIP with a vision transformer")


def check_same(found: Set[str], needed: Set[str], what: str) -> None:
    """Check that a file has the tensors of a model, `what`, and no others.

    Raises:
        CheckpointError: a tensor is missing or unknown.
    """
    for name in sorted(needed - found):
        raise CheckpointError(f"{name} is missing")
    for name in sorted(found - needed):
        raise CheckpointError(f"{name} isn't part of {what}")


def convert(
    tensors: dict[str, Tensor], geometry: Geometry, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """Rename and split OpenAI's tensors into those of `transformers.CLIPModel`.

    Args:
        tensors: by OpenAI's names, as `check_names` accepts them.
        geometry: of the model.
        shapes: of the tensors of `CLIPModel`, by name.

    Raises:
        CheckpointError: a tensor has the wrong shape, or isn't of floats.
    """
    return rename(tensors, _names(geometry), shapes, transposed=_TRANSPOSED)


def rename(
    tensors: Mapping[str, Tensor],
    names: Mapping[str, tuple[str, ...]],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    transposed: Collection[str] = (),
) -> dict[str, Tensor]:
    """Rename tensors, and split those with several new names into equal parts.

    Args:
        tensors: all of `names`.
        names: new names by old ones.
        shapes: by new name.
        transposed: old names of matrices to transpose.

    Raises:
        CheckpointError: a tensor has the wrong shape, or isn't of floats.
    """
    converted: dict[str, Tensor] = {}
    for name, targets in names.items():
        tensor, turns = tensors[name], name in transposed
        first, *rest = shapes[targets[0]][:: -1 if turns else 1] or (None,)
        needed = () if first is None else (len(targets) * first, *rest)
        if not tensor.is_floating_point():
            raise CheckpointError(f"{name} holds {tensor.dtype}, but weights must be floats")
        if tuple(tensor.shape) != needed:
            raise CheckpointError(f"{name} has the shape {tuple(tensor.shape)}, but must have {needed}")
        parts = tensor.chunk(len(targets)) if needed else [tensor]
        converted |= zip(targets, [part.T if turns else part for part in parts], strict=True)
    return converted


def _names(geometry: Geometry) -> dict[str, tuple[str, ...]]:
    """Map all names of OpenAI to those of `transformers`, which splits queries, keys and values."""
    names: dict[str, tuple[str, ...]] = {name: (target,) for name, target in _TENSORS.items()}
    modules = dict(_MODULES)
    for prefix, model, tower in (
        ("visual.", "vision_model", geometry.vision),
        ("", "text_model", geometry.text),
    ):
        for index in range(tower.layers):
            block, layer = f"{prefix}transformer.resblocks.{index}", f"{model}.encoder.layers.{index}"
            modules |= {f"{block}.{old}": f"{layer}.{new}" for old, new in _BLOCK_MODULES.items()}
            for part in ("weight", "bias"):
                names[f"{block}.attn.in_proj_{part}"] = tuple(
                    f"{layer}.self_attn.{letter}_proj.{part}" for letter in "qkv"
                )
    for part in ("weight", "bias"):
        names |= {f"{name}.{part}": (f"{target}.{part}",) for name, target in modules.items()}
    return names


def _tower(tensors: dict[str, Tensor], prefix: str, width: int, head_width: int) -> TowerGeometry:
    blocks = f"{prefix}transformer.resblocks."
    if width % head_width:
        raise CheckpointError(
            f"{prefix}transformer is {width} wide, which isn't a multiple of its head width {head_width}"
        )
    mlp_width, _ = shape_of(tensors, f"{blocks}0.mlp.c_fc.weight", 2)
    return TowerGeometry(width, count_blocks(tensors, blocks), width // head_width, mlp_width)


def count_blocks(tensors: Mapping[str, Tensor], start: str) -> int:
    """Count the different numbers that follow `start` in tensor names."""
    return len({name.removeprefix(start).split(".")[0] for name in tensors if name.startswith(start)})


def shape_of(
    tensors: Mapping[str, Tensor], name: str, dimensions: int, *, layout: str = _LAYOUT
) -> tuple[int, ...]:
    """Return a tensor's shape.

    Args:
        tensors: of a file.
        name: of the tensor.
        dimensions: how many it must have.
        layout: what the file must contain, for the message.

    Raises:
        CheckpointError: it is missing, or has another number of dimensions, or one of 0.
    """
    if name not in tensors:
        raise CheckpointError(f"{name} is missing: the file must contain {layout}")
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise CheckpointError(f"{name} has the shape {shape}, but must have {dimensions} dimensions above 0")
    return shape
