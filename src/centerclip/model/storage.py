"""Reads and writes the files of a saved model: weights, tokenizer, and `centerclip.json`."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from centerclip.errors import CheckpointError, ModelError
from centerclip.model.registry import TEMPORAL_FILE

__all__ = [
    "ModelSettings",
    "has_tokenizer",
    "load_tokenizer",
    "load_weights",
    "quiet_transformers",
    "read_json",
    "read_settings",
    "write_settings",
]

_SETTINGS_FILE = "centerclip.json"
# Format 2 adds the temporal embedding, which readers of format 1 would silently ignore.
_FORMAT_VERSION, _TEMPORAL_VERSION = 1, 2
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The content of `centerclip.json`, and the temporal embedding [T, D], which has its own file.

    `reducer` and `backbone` are tables with a name and options. `backbone` is None for built-in ones, which
    follow from `config.json`.
    """

    schedule: str
    reducer: dict[str, Any]
    frames: int
    temporal: Tensor | None = None
    backbone: dict[str, Any] | None = None


def has_tokenizer(folder: Path) -> bool:
    """Whether the folder contains a tokenizer."""
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer saved in a folder.

    Raises:
        ModelError: missing or unreadable.
    """
    try:
        with quiet_transformers():
            return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise ModelError(
            f"the tokenizer in {folder} needs a missing package: pip install sentencepiece protobuf"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the tokenizer in {folder} can't be read ({_first_line(error)}): give another by "
            "tokenizer=FOLDER"
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep `transformers` from printing progress bars and reports; output is up to the caller."""
    from transformers.utils import logging as hf_logging

    bars, logger = hf_logging.is_progress_bar_enabled(), logging.getLogger("transformers")
    level = logger.level
    hf_logging.disable_progress_bar()
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            hf_logging.enable_progress_bar()


def load_weights(folder: Path, model_class: Any) -> torch.nn.Module:
    """Load a model of `transformers` in float32 and evaluation mode, without network access.

    Args:
        folder: written by `transformers`.
        model_class: such as `transformers.CLIPModel`.

    Raises:
        CheckpointError: weights missing, unexpected, damaged or of the wrong shape.
    """
    try:
        with quiet_transformers():
            model, report = model_class.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"the weights in {folder} can't be read ({_first_line(error)}): download them again"
        ) from error
    for kind, word in (("missing_keys", "lack"), ("unexpected_keys", "contain unknown")):
        if keys := sorted(report[kind]):
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CheckpointError(f"the weights in {folder} {word} {keys[0]}{more}: download them again")
    module: torch.nn.Module = model.eval()
    return module


def read_settings(folder: Path) -> ModelSettings | None:
    """Read `centerclip.json` and the temporal embedding, if present.

    Raises:
        ModelError: the file is damaged, or from a later version.
        CheckpointError: the temporal embedding is missing or damaged.
    """
    path = folder / _SETTINGS_FILE
    if not path.is_file():
        return None
    saved = read_json(path, missing="")
    version = saved.pop("format_version", None)
    if version not in (_FORMAT_VERSION, _TEMPORAL_VERSION):
        raise ModelError(
            f"{path} has format {version}, but this version reads {_FORMAT_VERSION} and {_TEMPORAL_VERSION}: "
            "update centerclip"
        )
    table = _read_temporal(folder) if saved.pop("temporal", False) else None
    try:
        return ModelSettings(**saved, temporal=table)
    except TypeError as error:
        raise ModelError(f"{path} is damaged ({error}): download the model again") from error


def write_settings(folder: Path, settings: ModelSettings) -> None:
    """Write `centerclip.json` and the temporal embedding; raises OSError if that fails."""
    content: dict[str, Any] = {
        "format_version": _FORMAT_VERSION,
        "schedule": settings.schedule,
        "reducer": settings.reducer,
        "frames": settings.frames,
    }
    if settings.backbone is not None:
        content["backbone"] = settings.backbone
    if settings.temporal is None:
        (folder / TEMPORAL_FILE).unlink(missing_ok=True)
    else:
        content |= {"format_version": _TEMPORAL_VERSION, "temporal": True}
        save_file({"table": settings.temporal.contiguous().cpu()}, folder / TEMPORAL_FILE)
    (folder / _SETTINGS_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read_temporal(folder: Path) -> Tensor:
    path = folder / TEMPORAL_FILE
    try:
        return load_file(path)["table"].to(torch.float32)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is missing, but {_SETTINGS_FILE} refers to it: download the model again"
        ) from error
    except (OSError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({_first_line(error)}): download it again") from error


def read_json(path: Path, *, missing: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: unreadable or missing; `missing` is the remedy for the latter.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent} has no {path.name}: {missing}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged, since it isn't a JSON object: download the model again")
    return content


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
