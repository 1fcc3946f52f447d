"""What a run leaves on disk, written so that a crash leaves the old or the new, never a part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from centerclip.errors import CheckpointError

__all__ = ["mend_folder", "read_checkpoint", "replace_folder", "write_checkpoint"]


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace `path` in one step: written beside it, synced, renamed."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state at `path`, or None where there is none. Only tensors and plain values are admitted.

    Raises:
        CheckpointError: the file is damaged or holds anything else.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged archive
        raise CheckpointError(
            f"{path}: can't be read as a checkpoint ({error}); remove it to start the run anew"
        ) from error
    return state


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Replace `folder` by what `write` puts into an empty one; a crash leaves the old or the new.

    It may leave the old one under another name: `mend_folder` puts that right.
    """
    fresh, old = _beside(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    write(fresh)
    for path in fresh.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def mend_folder(folder: Path) -> None:
    """Finish or take back what a crash interrupted `replace_folder` in."""
    fresh, old = _beside(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
