"""Checks weights files before and after they are read, so that a small file can't take the machine's memory.

Nobody can know what a downloaded file contains. Its stated sizes are compared with its own size before
anything is unpacked, and code stored in it is never run.
"""

import mmap
import pickle  # nosec B403
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from centerclip.errors import CheckpointError
from centerclip.model.reading import reading

__all__ = ["DAMAGED", "check_file", "check_finite", "check_tensors", "load_pickled"]

DAMAGED = "download it again, or save only the model's state_dict, preferably as .safetensors"

_SLACK_BYTES = 16 << 20
"""By how much an archive may exceed twice its size when unpacked: the code in OpenAI's is compressed."""
_MAX_TENSORS = 10_000
"""The largest CLIP has about 1,300."""
_ALIGNMENT = 64
"""Bytes that a tensor takes at least in a file of `torch.save`."""


def load_pickled(path: Path, *, remedy: str = DAMAGED, mapped: bool = False) -> Any:
    """Read a file of `torch.save`, allowing only tensors and plain values.

    Args:
        path: the file.
        remedy: for a damaged file.
        mapped: whether tensors may stay in the file until they are used.

    Raises:
        CheckpointError: it is damaged, would run code, or would take far more memory than its size.
    """
    check_file(path, remedy)
    with reading(path, remedy, CheckpointError):
        try:
            mapped = mapped and zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError as error:
            # Its text isn't shown: it advises loading the file without protection.
            raise CheckpointError(
                f"{path} is damaged, or contains objects that could run code when loaded: {remedy}"
            ) from error


def check_file(path: Path, remedy: str = DAMAGED) -> int:
    """Check what a weights file states about itself, without unpacking anything.

    Returns:
        The number of tensors that it can hold at most.

    Raises:
        CheckpointError: it isn't a regular file, is damaged, or states more than it can hold.
    """
    with reading(path, remedy, CheckpointError):
        size = path.stat().st_size
        if not path.is_file():
            raise CheckpointError(f"{path} isn't a file: give a file of weights")
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as opened:  # checks the header against the file's size
                return _few(path, len(opened.keys()), remedy)
        if not zipfile.is_zipfile(path):
            _refuse_buffers(path, remedy)
            return min(_MAX_TENSORS, size // _ALIGNMENT)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > 2 * size + _SLACK_BYTES:
                raise CheckpointError(
                    f"{path} has {size:,} bytes, but would take {unpacked:,} when unpacked, which no file of "
                    f"weights does: {remedy}"
                )
            for member in members:
                if member.filename.endswith("/data.pkl") and b"bytearray" in archive.read(member):
                    raise _holds_buffers(path, remedy)
        return _few(path, len(members), remedy)


def check_tensors(path: Path, tensors: Mapping[Any, Any]) -> None:
    """Check that a file's tensors are plain, and together not larger than the file.

    Raises:
        CheckpointError: anything else, such as a tensor of one stored number repeated a billion times.
    """
    total = 0
    for name, tensor in tensors.items():
        plain = isinstance(name, str) and isinstance(tensor, Tensor)
        odd = not plain or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex()
        if odd or tensor.device.type != "cpu":
            raise CheckpointError(f"{path} holds {name!r}, which isn't a plain tensor: {DAMAGED}")
        total += tensor.numel() * tensor.element_size()
    if total > 2 * path.stat().st_size:
        raise CheckpointError(
            f"{path} has {path.stat().st_size:,} bytes, but its tensors would take {total:,}, which no file "
            f"of weights does: {DAMAGED}"
        )


def check_finite(where: object, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Check that weights are numbers.

    Raises:
        CheckpointError: one is infinite or not a number.
    """
    for name, tensor in tensors:
        if not bool(tensor.detach().sum(dtype=torch.float32).isfinite()):
            raise CheckpointError(
                f"the weights in {where} are damaged: {name} contains infinite values, or values that aren't "
                "numbers; download them again"
            )


def _few(path: Path, count: int, remedy: str) -> int:
    if count > _MAX_TENSORS:
        raise CheckpointError(f"{path} holds {count:,} tensors, which no CLIP does: {remedy}")
    return count


def _refuse_buffers(path: Path, remedy: str) -> None:
    """Refuse pickles that would allocate a buffer of a stated size, which torch allows; tensors need none."""
    if not path.stat().st_size:
        return
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"bytearray") >= 0:
            raise _holds_buffers(path, remedy)


def _holds_buffers(path: Path, remedy: str) -> CheckpointError:
    return CheckpointError(f"{path} contains a bytearray, which isn't part of a model's weights: {remedy}")
