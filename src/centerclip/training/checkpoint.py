"""Saves the checkpoint and the best model, so that a crash leaves either the old or the new files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from centerclip.atomic import atomic_file, sync
from centerclip.errors import CheckpointError

__all__ = ["read_checkpoint", "repair_output", "replace_folder", "write_checkpoint"]


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
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read ({error.strerror}): check its permissions") from error
    except Exception as error:  # torch raises half a dozen kinds for a damaged archive
        # Its text isn't shown: it advises loading the file without protection.
        raise CheckpointError(
            f"{path} is damaged, or not a checkpoint of a run: delete it to start the run again"
        ) from error
    return state


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


def repair_output(output: Path, best: Path) -> None:
    """Clean up after a crash: finish or undo `replace_folder` of `best`, delete unfinished files."""
    new, old = _temporary(best)
    if old.exists() and not best.exists():
        old.rename(best)
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    for unfinished in output.glob(".*.part"):
        unfinished.unlink()


def _temporary(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
