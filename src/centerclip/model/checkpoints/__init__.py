"""Reads CLIP checkpoints of other lineages into `transformers.CLIPModel`.

OpenAI's `.pt` files, open_clip, and the published CLIP4Clip and CenterCLIP checkpoints. Strict: a name
too many or too few, or a wrong shape, is an error. Nothing stored in a file is ever run.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.layout import Geometry, convert, expected_shapes, infer_geometry
from centerclip.model.checkpoints.open_clip import OpenClipConfig, read_open_clip_config
from centerclip.model.checkpoints.tensors import read_tensors

__all__ = ["OpenClipConfig", "read_checkpoint", "read_open_clip_config"]

# OpenAI's archives carry these numbers as buffers beside the weights.
_NUMBERS = frozenset({"input_resolution", "context_length", "vocab_size"})


def read_checkpoint(path: Path, *, activation: str | None = None) -> CLIPModel:
    """Load a CLIP, in float32 and evaluation mode.

    Args:
        path: OpenAI's `.pt` (TorchScript archive or state dict); open_clip's `.bin`, `.pt` or
            `.safetensors`; CLIP4Clip's or CenterCLIP's `.bin` or `.pt`, with mean pooling. A prefix
            `module.` of distributed training is taken off.
        activation: `quick_gelu` or `gelu`. Weights don't tell; by default `quick_gelu` for OpenAI's
            archives and for CLIP4Clip and CenterCLIP, which start from them, what
            `open_clip_config.json` beside the file says, or else `gelu`, as in LAION's models.

    Raises:
        CheckpointError: damaged, unsafe, or not exactly such a model; the message names the tensor.
    """
    if activation not in (None, "gelu", "quick_gelu"):
        raise CheckpointError(f"activation {activation!r} is unknown: choose gelu or quick_gelu")
    tensors = _without_prefix(read_tensors(path), "module.")
    if any(name.startswith(("vision_model.", "text_model.")) for name in tensors):
        raise CheckpointError(
            f"{path} is a weights file of transformers: give its folder, with config.json, instead"
        )
    retrieval = any(name.startswith("clip.") for name in tensors)
    if retrieval:
        tensors = _clip_of_retrieval(tensors, path)
    from_openai = retrieval or not _NUMBERS.isdisjoint(tensors)
    tensors = _canonical(tensors)
    told = OpenClipConfig(activation="quick_gelu") if from_openai else read_open_clip_config(path.parent)
    try:
        geometry = infer_geometry(tensors, head_width=told.head_width, text_heads=told.text_heads)
        _check(tensors, expected_shapes(geometry))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    # Copied, because the file may be mapped into memory, and may be replaced while the model lives.
    weights = {
        name: tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in convert(tensors, geometry).items()
    }
    return _build(geometry, activation or told.activation, weights)


def _build(geometry: Geometry, activation: str, weights: dict[str, Tensor]) -> CLIPModel:
    shared = {"hidden_act": activation, "projection_dim": geometry.embed}
    config = CLIPConfig(
        projection_dim=geometry.embed,
        vision_config={
            **geometry.vision.config(),
            **shared,
            "image_size": geometry.grid * geometry.patch,
            "patch_size": geometry.patch,
        },
        text_config={
            **geometry.text.config(),
            **shared,
            "vocab_size": geometry.vocabulary,
            "max_position_embeddings": geometry.context,
            # CLIP's vocabulary ends with its opening and its closing token.
            "bos_token_id": geometry.vocabulary - 2,
            "eos_token_id": geometry.vocabulary - 1,
        },
    )
    with torch.device("meta"):
        model = CLIPModel(config)
    for part in (model.vision_model, model.text_model):
        count = part.embeddings.position_ids.shape[1]
        part.embeddings.position_ids = torch.arange(count).expand(1, -1)
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval()


def _without_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    if not all(name.startswith(prefix) for name in tensors):
        return tensors
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _clip_of_retrieval(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The CLIP inside a CLIP4Clip or CenterCLIP checkpoint."""
    for name in sorted(tensors):
        if not name.startswith("clip."):
            raise CheckpointError(
                f"{path} holds {name}, part of a head over the frames (CLIP4Clip's seqLSTM, seqTransf or "
                "tightTransf); only checkpoints with mean pooling (meanP) can be read"
            )
    return _without_prefix(tensors, "clip.")


def _canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring the variants of naming to OpenAI's own, and leave out what is no weight."""
    if "text.token_embedding.weight" in tensors:  # open_clip's CustomTextCLIP
        tensors = {name.removeprefix("text."): tensor for name, tensor in tensors.items()}
    # The causal mask, which TorchScript archives hold as an attribute of each text block.
    kept = {name: t for name, t in tensors.items() if name not in _NUMBERS and not name.endswith("attn_mask")}
    if "logit_scale" in kept and kept["logit_scale"].shape == (1,):
        kept["logit_scale"] = kept["logit_scale"][0]
    return kept


def _check(tensors: dict[str, Tensor], shapes: dict[str, tuple[int, ...]]) -> None:
    for name in sorted(shapes.keys() - tensors.keys()):
        raise CheckpointError(f"{name} is missing")
    for name in sorted(tensors.keys() - shapes.keys()):
        raise CheckpointError(f"{name} is no part of a CLIP with a vision transformer")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise CheckpointError(f"{name} has the shape {tuple(tensors[name].shape)}, but {shape} is needed")
