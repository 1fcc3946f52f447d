"""Reads the tensors of a checkpoint file without running code stored in it.

Supports safetensors, `torch.save` files (by torch's restricted unpickler) and TorchScript archives.
"""

import pickle
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.safety import DAMAGED, check_file, check_tensors, load_pickled
from centerclip.model.checkpoints.torchscript import is_torchscript, read_torchscript
from centerclip.model.reading import reading

__all__ = ["read_tensors"]

# Keys under which trainers save the weights.
_NESTED = ("state_dict", "model_state_dict", "model")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint file to the CPU, by name.

    Args:
        path: written as .safetensors, or by `torch.save` or `torch.jit.save` (as OpenAI's models are).

    Raises:
        CheckpointError: the file is damaged, contains anything but weights, would run code, or would take far
            more memory than its size.
    """
    check_file(path)
    with reading(path, f"is it complete? If so, {DAMAGED}", CheckpointError):
        tensors = _read(path)
        check_tensors(path, tensors)
    return tensors


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    if not is_torchscript(path):
        return _state_dict(load_pickled(path, mapped=True), path)
    try:
        return read_torchscript(path)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or contains objects that could run code when loaded: {DAMAGED}"
        ) from error


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict):
        nested = [content[key] for key in _NESTED if isinstance(content.get(key), dict)]
        weights = nested[0] if nested else content
        if weights and all(isinstance(value, Tensor) for value in weights.values()):
            return dict(weights)
    raise CheckpointError(
        f"{path} has no weights: save a dictionary of tensors, bare or under {' or '.join(_NESTED)}"
    )
