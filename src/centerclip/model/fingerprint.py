"""A short name for everything that decides an embedding, so that indexes never mix two models."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from centerclip.clustering import Reducer, reducer_config
from centerclip.model.backbones import Backbone, backbone_config
from centerclip.model.temporal import TemporalEmbedding
from centerclip.schedule import TokenSchedule

__all__ = ["compute_fingerprint", "weights_state"]

# What the shapes of the weights do not tell.
_VISION_KEYS = ("num_attention_heads", "hidden_act", "layer_norm_eps", "patch_size", "image_size")
_TEXT_KEYS = ("num_attention_heads", "hidden_act", "layer_norm_eps", "eos_token_id")


def compute_fingerprint(
    backbone: Backbone,
    schedule: TokenSchedule,
    reducer: Reducer,
    frames: int,
    temporal: TemporalEmbedding | None = None,
) -> str:
    """Hash weights, configuration, schedule, reducer, frames, preprocessing, and a temporal embedding.

    Weights count as rounded to bfloat16, so that a model loaded in float32 and the same one in bfloat16
    are one model: their embeddings differ by the rounding of one run, and may share an index.

    Returns:
        16 hexadecimal digits.
    """
    config = getattr(backbone.model, "config", None)
    vision, text = getattr(config, "vision_config", None), getattr(config, "text_config", None)
    settings: dict[str, Any] = {
        "family": backbone.family,
        "vision": {key: getattr(vision, key, None) for key in _VISION_KEYS},
        "text": {key: getattr(text, key, None) for key in _TEXT_KEYS},
        "schedule": str(schedule),
        # The plain model has no use for a reducer, whatever its name.
        "reducer": reducer_config(reducer) if schedule else None,
        "frames": frames,
        "preprocessing": asdict(backbone.preprocessing),
    }
    if own := backbone_config(backbone):
        settings["backbone"] = own
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8)
    for name, tensor in _weights(backbone, temporal):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        rounded = tensor.detach().to(torch.bfloat16).to("cpu").contiguous()
        digest.update(rounded.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def weights_state(
    backbone: Backbone, temporal: TemporalEmbedding | None = None
) -> tuple[tuple[int, int], ...]:
    """Tells whether weights were changed since, in 2 ms of ViT-B: their addresses and write counters."""
    return tuple((tensor.data_ptr(), _version(tensor)) for _, tensor in _weights(backbone, temporal))


def _weights(backbone: Backbone, temporal: TemporalEmbedding | None) -> list[tuple[str, Tensor]]:
    weights = sorted(backbone.model.state_dict().items())
    return weights if temporal is None else [*weights, ("temporal", temporal.table)]


def _version(tensor: Tensor) -> int:
    # Tensors made in inference mode keep no counter, and can't be written to outside of it.
    return 0 if tensor.is_inference() else tensor._version
