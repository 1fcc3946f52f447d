"""Reads the tensors of a checkpoint file without running code stored in it.

Supports safetensors, `torch.save` files (by torch's restricted unpickler) and TorchScript archives.
"""

import pickle  # nosec B403
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.safety import DAMAGED, check_file, check_tensors, load_pickled
from centerclip.model.checkpoints.torchscript import is_torchscript, read_torchscript
from centerclip.model.reading import read_json, reading

__all__ = ["measure", "read_tensors"]

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""As `transformers` names them, in order of preference; a list of parts has another `.index.json`."""

# Keys under which trainers save the weights.
_NESTED = ("state_dict", "model_state_dict", "model", "weights")


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


def measure(folder: Path) -> tuple[int, int]:
    """Add up what the weights of a folder of `transformers` are, and check pickled ones.

    Returns:
        Their size in bytes, and the greatest number of tensors that they can hold.

    Raises:
        CheckpointError: there are no weights, or they are damaged, would run code, or state more than they
            can hold.
        ModelError: the list of their files is damaged.
    """
    files = _weights_files(folder)
    count = sum(map(check_file, files))
    for file in files:
        if file.suffix != ".safetensors":  # transformers reads it too, but doesn't expect it to be forged
            read_tensors(file)
    return sum(file.stat().st_size for file in files), count


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


def _weights_files(folder: Path) -> list[Path]:
    for name in _WEIGHTS:
        if (folder / name).exists():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.exists():
            parts = read_json(index, missing="").get("weight_map")
            names = sorted(set(parts.values())) if isinstance(parts, dict) else []
            if not names or any(not isinstance(part, str) or Path(part).name != part for part in names):
                raise CheckpointError(f"{index} doesn't list the files of the weights: {DAMAGED}")
            return [folder / part for part in names]
    raise CheckpointError(f"{folder} has no weights: add {_WEIGHTS[0]}, or download the model again")
