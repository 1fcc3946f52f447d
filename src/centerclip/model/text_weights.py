"""Reads the text tower of a CLIP or PE-Core into numpy, without torch, by the names of `transformers`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from centerclip.errors import ModelError
from centerclip.model.reading import read_json
from centerclip.model.registry import OPEN_CLIP_CONFIG

__all__ = ["EMBEDDINGS", "HIGHEST", "LAYERS", "TextWeights", "read_text_weights"]

EMBEDDINGS, LAYERS = "text_model.embeddings", "text_model.encoder.layers"
HIGHEST = 2
"""As the end token: the highest id of a sentence. Configurations of `transformers` before 4.31 said so."""

_OPEN_CLIP = {
    "token_embedding.weight": f"{EMBEDDINGS}.token_embedding.weight",
    "positional_embedding": f"{EMBEDDINGS}.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


@dataclass(frozen=True, slots=True)
class TextWeights:
    """Attributes:
    tensors: float32, by the names of `transformers`.
    heads: per block.
    epsilon: of layer norms.
    end: id of the end token, or `HIGHEST`.
    activation: `gelu` or `quick_gelu`.
    """

    tensors: dict[str, NDArray[np.float32]]
    heads: int
    epsilon: float
    end: int
    activation: str


def read_text_weights(folder: Path) -> TextWeights:
    """Read a folder of `transformers` with a CLIP, or of open_clip with a text tower of its own.

    Raises:
        ModelError: a file is missing, or the folder contains another kind of model.
        KeyError, ValueError, SafetensorError: it is damaged, or lacks something.
    """
    if not (folder / "config.json").is_file() and (folder / OPEN_CLIP_CONFIG).is_file():
        return _read_open_clip(folder)
    config = read_json(folder / "config.json", missing="give the folder of a saved model")
    if config["model_type"] != "clip" or config.get("text_config_dict"):
        raise ModelError(f"{folder} isn't a CLIP saved by a current version of transformers")
    text = config["text_config"]
    return TextWeights(
        _read(folder / "model.safetensors", "text_"),
        heads=text["num_attention_heads"],
        epsilon=text["layer_norm_eps"],
        end=text["eos_token_id"],
        activation=text["hidden_act"],
    )


def _read_open_clip(folder: Path) -> TextWeights:
    model = read_json(folder / OPEN_CLIP_CONFIG, missing="")["model_cfg"]
    found = _read(folder / "open_clip_model.safetensors", "text.")
    tensors = {new: found.pop(f"text.{old}") for old, new in _OPEN_CLIP.items()}
    tensors["text_projection.weight"] = found.pop("text.text_projection").T
    for name, tensor in found.items():
        _, _, _, block, part = name.split(".", 4)  # text.transformer.resblocks.0.ln_1.weight
        layer = f"{LAYERS}.{block}"
        if part.startswith("attn.in_proj_"):
            kind = part.removeprefix("attn.in_proj_")
            names = [f"{layer}.self_attn.{letter}_proj.{kind}" for letter in "qkv"]
            tensors |= zip(names, np.split(tensor, 3), strict=True)
        else:
            module, _, kind = part.rpartition(".")
            tensors[f"{layer}.{_BLOCK[module]}.{kind}"] = tensor
    return TextWeights(
        tensors,
        heads=model["text_cfg"]["heads"],
        epsilon=1e-5,
        end=HIGHEST,
        activation="quick_gelu" if model.get("quick_gelu") else "gelu",
    )


def _read(path: Path, prefix: str) -> dict[str, Any]:
    if not path.is_file():  # reading a pipe would wait for its writer
        raise ModelError(f"the text tower alone in {path.parent} needs {path.name}: load the whole model")
    with safe_open(path, framework="numpy") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name: file.get_tensor(name).astype(np.float32, copy=False) for name in names}
