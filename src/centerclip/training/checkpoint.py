"""What a run needs to go on where it stopped, written so that a crash leaves the old or the new file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from centerclip.errors import CheckpointError

__all__ = ["read_checkpoint", "write_checkpoint"]


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
