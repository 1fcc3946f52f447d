"""Gets the tensors out of a checkpoint file without running anything that is stored in it.

Reads safetensors, `torch.save` files (by torch's restricted unpickler) and TorchScript archives.
Knows nothing of what the tensors mean.
"""

from __future__ import annotations

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

# What reading a damaged file raises; the documentation of pickle names the last four.
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
# Where trainers put the weights inside what they save.
_NESTED = ("state_dict", "model_state_dict", "model")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint file, on the CPU, by their names in the file.

    A TorchScript archive (as OpenAI publishes its models) is read as data; its code is not run.

    Args:
        path: .safetensors, or what `torch.save` or `torch.jit.save` wrote.

    Raises:
        CheckpointError: the file is damaged, holds other things than weights, or would run code.
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
            f"{path} is refused: it is damaged, or holds objects that could run code when loaded; a "
            "checkpoint may hold tensors only (save the model's state_dict, best as .safetensors)"
        ) from error
    except _DAMAGED as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise CheckpointError(f"{path} can't be read as a checkpoint ({reason}): is it complete?") from error


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """Take the weights out of what a trainer saved."""
    if isinstance(content, dict):
        nested = [content[key] for key in _NESTED if isinstance(content.get(key), dict)]
        weights = nested[0] if nested else content
        if weights and all(isinstance(value, Tensor) for value in weights.values()):
            return dict(weights)
    raise CheckpointError(
        f"{path} holds no weights: a dictionary of tensors is needed, bare or under {' or '.join(_NESTED)}"
    )
