"""Saves the checkpoint and the models, so that a crash leaves either the old or the new files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from centerclip.atomic import atomic_file, sync
from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.safety import load_pickled
from centerclip.model.reading import reading

__all__ = ["read_checkpoint", "repair_output", "replace_folder", "resuming", "write_checkpoint"]

_REMEDY = "delete it to start the run again"
_KEYS = {"recipe": str, "step": int, "best": float, "model": dict, "optimizer": dict}


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint at `path` atomically."""
    with atomic_file(path) as file:  # streamed: the checkpoint of a large model takes gigabytes
        torch.save(state, file)


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the state at `path`, or None if there is no file. Only tensors and plain values are allowed.

    Raises:
        CheckpointError: the file is damaged or contains anything else.
    """
    if not path.exists():
        return None
    state = load_pickled(path, remedy=_REMEDY)
    if not isinstance(state, dict) or any(not isinstance(state.get(key), _KEYS[key]) for key in _KEYS):
        raise CheckpointError(f"{path} isn't a checkpoint of a run: {_REMEDY}")
    return state


def resuming(path: Path) -> AbstractContextManager[None]:
    """Raise a `CheckpointError` if the state at `path` doesn't fit the run."""
    return reading(path, _REMEDY, CheckpointError)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Replace `folder` by the files that `write` puts into a new folder.

    After a crash the old folder may be left under another name; `repair_output` renames it back.
    """
    new, old = _temporary(folder)
    shutil.rmtree(new, ignore_errors=True)
    write(new)
    for path in (*new.iterdir(), new):
        sync(path)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def repair_output(output: Path, *folders: Path) -> None:
    """Clean up after a crash: finish or undo `replace_folder` of the folders, delete unfinished files."""
    for folder in folders:
        new, old = _temporary(folder)
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    for unfinished in output.glob(".*.part"):
        unfinished.unlink()


def _temporary(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
