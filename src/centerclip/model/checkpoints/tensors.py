"""Reads the tensors of a checkpoint file without running code stored in it.

Supports safetensors, `torch.save` files (by torch's restricted unpickler) and TorchScript archives.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.torchscript import is_torchscript, read_torchscript

__all__ = ["read_tensors"]

# Errors from reading damaged files; pickle documents the last four.
_DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    SafetensorError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
)
# Keys under which trainers save the weights.
_NESTED = ("state_dict", "model_state_dict", "model")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint file to the CPU, by name.

    Args:
        path: written as .safetensors, or by `torch.save` or `torch.jit.save` (as OpenAI's models are).

    Raises:
        CheckpointError: the file is damaged, contains anything but weights, or would run code.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if is_torchscript(path):
            return read_torchscript(path)
        return _state_dict(
            torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)), path
        )
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or contains objects that could run code when loaded: save only the model's "
            "state_dict, preferably as .safetensors"
        ) from error
    except _DAMAGED as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise CheckpointError(f"{path} can't be read as a checkpoint ({reason}): is it complete?") from error


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict):
        nested = [content[key] for key in _NESTED if isinstance(content.get(key), dict)]
        weights = nested[0] if nested else content
        if weights and all(isinstance(value, Tensor) for value in weights.values()):
            return dict(weights)
    raise CheckpointError(
        f"{path} has no weights: save a dictionary of tensors, bare or under {' or '.join(_NESTED)}"
    )
