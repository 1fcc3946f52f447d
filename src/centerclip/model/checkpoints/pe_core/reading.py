"""Makes a `PECore` of the tensors of either layout.

Missing and unknown tensors and wrong shapes are errors.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.pe_core.layout import REMEDY, infer_config, to_open_clip
from centerclip.model.checkpoints.pe_core.settings import PESettings, read_pe_settings
from centerclip.model.checkpoints.safety import check_finite
from centerclip.model.pe_core.model import PECore

__all__ = ["read_pe_core"]


def read_pe_core(path: Path, tensors: dict[str, Tensor]) -> PECore:
    """Make a model in float32 and evaluation mode.

    Args:
        path: the weights file, for messages and for the settings beside it.
        tensors: its content, by the official names or those of open_clip.

    Raises:
        CheckpointError: the tensors aren't those of a PE-Core, or contradict the settings.
    """
    settings = read_pe_settings(path)
    try:
        weights = to_open_clip(tensors)
        config = replace(infer_config(weights, settings), preprocess=settings.preprocess)
        _check_size(config.vision_config.image_size, settings)
        with torch.device("meta"):
            model = PECore(config)
        _check_tensors(weights, model.state_dict())
    except CheckpointError as error:
        raise CheckpointError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    # Copied, because the file may be memory-mapped, and may be replaced while the model is in use.
    weights = {
        name: tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }
    check_finite(path, weights.items())
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval()


def _check_size(image_size: int, settings: PESettings) -> None:
    if settings.image_size not in (None, image_size):
        raise CheckpointError(
            f"{settings.path} states frames of {settings.image_size} pixels, but the weights are for "
            f"{image_size}, and positions aren't interpolated: download the model again"
        )


def _check_tensors(weights: dict[str, Tensor], needed: dict[str, Tensor]) -> None:
    for name in sorted(needed.keys() - weights.keys()):
        raise CheckpointError(f"{name}, by the names of open_clip, is missing: {REMEDY}")
    for name in sorted(weights.keys() - needed.keys()):
        raise CheckpointError(f"{name}, by the names of open_clip, isn't part of a PE-Core: {REMEDY}")
    for name, tensor in weights.items():
        found, shape = tuple(tensor.shape), tuple(needed[name].shape)
        if not tensor.is_floating_point():
            raise CheckpointError(f"{name} holds {tensor.dtype}, but weights must be floats: {REMEDY}")
        if found != shape:
            raise CheckpointError(f"{name} has the shape {found}, but must have {shape}: {REMEDY}")
