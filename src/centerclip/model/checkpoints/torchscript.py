"""Reads the tensors of a TorchScript archive as plain data.

`torch.jit.load` would compile the program in the archive and may run it. But `data.pkl` is only a tree of
objects whose leaves refer to raw storages in the same zip file. An unpickler reads it that can create nothing
but lists, dictionaries, placeholders and tensors.
"""

import pickle  # nosec B403
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

__all__ = ["is_torchscript", "read_torchscript"]

_STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, and not another zip file such as `torch.save` writes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Read every tensor of the archived module, named as in its state dict.

    Includes tensors stored as plain attributes, which only the archive's program could tell from parameters
    and buffers.

    Raises:
        pickle.UnpicklingError: the archive contains anything but tensors and plain values.
        KeyError, ValueError, RuntimeError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        root = next(name for name in archive.namelist() if name.endswith("/constants.pkl")).rsplit("/", 1)[0]
        with archive.open(f"{root}/data.pkl") as stream:
            module = _Unpickler(stream, archive, root).load()
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    pending: list[tuple[str, Any]] = [("", module)]
    while pending:
        prefix, found = pending.pop()
        if isinstance(found, Tensor):
            tensors[prefix] = found
        elif isinstance(found, _Object) and id(found) not in seen:
            seen.add(id(found))
            dot = f"{prefix}." if prefix else ""
            pending += [(f"{dot}{name}", value) for name, value in found.attributes.items()]
    return tensors


class _Object:
    """Placeholder for an instance of any class of the archive's program."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _Unpickler(pickle._Unpickler):
    """The unpickler in Python: the one in C makes room for any place that a pickle's memo names."""

    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive = archive
        self._root = root
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Allow only the parts of tensors; reject everything else before it is imported."""
        if module.startswith("__torch__"):
            return _Object
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch.jit._pickle", "build_intlist"): list,
            ("torch.jit._pickle", "build_doublelist"): list,
            ("torch.jit._pickle", "build_boollist"): list,
            ("torch.jit._pickle", "build_tensorlist"): list,
            ("torch.jit._pickle", "restore_type_tag"): _untagged,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a tensor")
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> Tensor:
        """Read a storage: ("storage", type, key, device, elements)."""
        _, dtype, key, _, _ = pid
        if key not in self._storages:
            info = self._archive.getinfo(f"{self._root}/data/{key}")
            content = bytearray(info.file_size)
            with self._archive.open(info) as stream:
                stream.readinto(content)  # type: ignore[attr-defined]
            empty = torch.empty(0, dtype=dtype)
            self._storages[key] = torch.frombuffer(content, dtype=dtype) if content else empty
        return self._storages[key]


def _tensor(storage: Tensor, offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any) -> Tensor:
    return storage.as_strided(tuple(shape), tuple(strides), offset)


def _untagged(value: Any, _type: str) -> Any:
    return value
