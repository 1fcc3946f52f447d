"""The names and shapes of OpenAI's CLIP, which open_clip, CLIP4Clip and CenterCLIP checkpoints share.

From the shapes follows the geometry, from the geometry every name that must be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

from torch import Tensor

from centerclip.errors import CheckpointError

__all__ = ["Geometry", "Tower", "convert", "expected_shapes", "infer_geometry"]

# Width of a vision head where it is not 64: open_clip's ViT-H, ViT-g and ViT-bigG.
_HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104}


@dataclass(frozen=True, slots=True)
class Tower:
    """Geometry of one transformer."""

    width: int
    layers: int
    heads: int
    mlp_width: int

    def config(self) -> dict[str, Any]:
        """In the words of `transformers`."""
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.mlp_width,
        }


@dataclass(frozen=True, slots=True)
class Geometry:
    """Geometry of a whole CLIP."""

    vision: Tower
    text: Tower
    patch: int
    grid: int
    embed: int
    vocabulary: int
    context: int


def infer_geometry(
    tensors: dict[str, Tensor], *, head_width: int | None = None, text_heads: int | None = None
) -> Geometry:
    """Read the geometry off the shapes.

    Args:
        tensors: by OpenAI's names.
        head_width: of the vision tower; by default 64, or that of open_clip's model of this width.
        text_heads: by default the text width / 64.

    Raises:
        CheckpointError: a tensor that tells the geometry is missing or makes no sense.
    """
    width, _, patch, _ = _shape(tensors, "visual.conv1.weight", 4)
    positions, _ = _shape(tensors, "visual.positional_embedding", 2)
    grid = isqrt(max(positions - 1, 0))
    if grid * grid != positions - 1 or not grid:
        raise CheckpointError(
            f"visual.positional_embedding has {positions} rows, but 1 + a square number is needed"
        )
    vocabulary, text_width = _shape(tensors, "token_embedding.weight", 2)
    return Geometry(
        vision=_tower(tensors, "visual.", width, head_width or _HEAD_WIDTHS.get(width, 64)),
        text=_tower(tensors, "", text_width, text_width // text_heads if text_heads else 64),
        patch=patch,
        grid=grid,
        embed=_shape(tensors, "visual.proj", 2)[1],
        vocabulary=vocabulary,
        context=_shape(tensors, "positional_embedding", 2)[0],
    )


def expected_shapes(geometry: Geometry) -> dict[str, tuple[int, ...]]:
    """Every tensor of a CLIP by OpenAI's name."""
    width, text_width = geometry.vision.width, geometry.text.width
    shapes: dict[str, tuple[int, ...]] = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (geometry.grid**2 + 1, width),
        "visual.conv1.weight": (width, 3, geometry.patch, geometry.patch),
        "visual.proj": (width, geometry.embed),
        "token_embedding.weight": (geometry.vocabulary, text_width),
        "positional_embedding": (geometry.context, text_width),
        "text_projection": (text_width, geometry.embed),
        "logit_scale": (),
    }
    for norm, size in (("visual.ln_pre", width), ("visual.ln_post", width), ("ln_final", text_width)):
        shapes |= {f"{norm}.weight": (size,), f"{norm}.bias": (size,)}
    for prefix, tower in (("visual.", geometry.vision), ("", geometry.text)):
        for index in range(tower.layers):
            block = f"{prefix}transformer.resblocks.{index}"
            shapes |= {
                f"{block}.{name}": shape
                for name, shape in _block_shapes(tower.width, tower.mlp_width).items()
            }
    return shapes


def convert(tensors: dict[str, Tensor], geometry: Geometry) -> dict[str, Tensor]:
    """Rename and split OpenAI's tensors into those of `transformers.CLIPModel`; shapes are as expected."""
    converted = {
        "vision_model.embeddings.class_embedding": tensors["visual.class_embedding"],
        "vision_model.embeddings.position_embedding.weight": tensors["visual.positional_embedding"],
        "vision_model.embeddings.patch_embedding.weight": tensors["visual.conv1.weight"],
        "visual_projection.weight": tensors["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": tensors["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": tensors["positional_embedding"],
        "text_projection.weight": tensors["text_projection"].T,
        "logit_scale": tensors["logit_scale"],
    }
    for source, target in (
        ("visual.ln_pre", "vision_model.pre_layrnorm"),
        ("visual.ln_post", "vision_model.post_layernorm"),
        ("ln_final", "text_model.final_layer_norm"),
    ):
        converted |= {f"{target}.{part}": tensors[f"{source}.{part}"] for part in ("weight", "bias")}
    for prefix, model, tower in (
        ("visual.", "vision_model", geometry.vision),
        ("", "text_model", geometry.text),
    ):
        for index in range(tower.layers):
            source = f"{prefix}transformer.resblocks.{index}"
            converted |= _convert_block(tensors, source, f"{model}.encoder.layers.{index}")
    return converted


_RENAMED = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def _convert_block(tensors: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    converted = {
        f"{target}.{new}.{part}": tensors[f"{source}.{old}.{part}"]
        for old, new in _RENAMED.items()
        for part in ("weight", "bias")
    }
    for part in ("weight", "bias"):
        stacked = tensors[f"{source}.attn.in_proj_{part}"].chunk(3)
        for name, tensor in zip("qkv", stacked, strict=True):
            converted[f"{target}.self_attn.{name}_proj.{part}"] = tensor
    return converted


def _block_shapes(width: int, mlp_width: int) -> dict[str, tuple[int, ...]]:
    return {
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (mlp_width, width),
        "mlp.c_fc.bias": (mlp_width,),
        "mlp.c_proj.weight": (width, mlp_width),
        "mlp.c_proj.bias": (width,),
    }


def _tower(tensors: dict[str, Tensor], prefix: str, width: int, head_width: int) -> Tower:
    blocks = f"{prefix}transformer.resblocks."
    indices = {name.removeprefix(blocks).split(".")[0] for name in tensors if name.startswith(blocks)}
    if width % head_width:
        raise CheckpointError(
            f"{prefix}transformer is {width} wide, which is no multiple of its head width {head_width}"
        )
    mlp_width, _ = _shape(tensors, f"{blocks}0.mlp.c_fc.weight", 2)
    return Tower(width, len(indices), width // head_width, mlp_width)


def _shape(tensors: dict[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in tensors:
        raise CheckpointError(
            f"{name} is missing: the file holds no CLIP with a vision transformer by OpenAI's names"
        )
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions:
        raise CheckpointError(f"{name} has the shape {shape}, but {dimensions} dimensions are needed")
    return shape
