"""Models on disk: reading and writing folders in the hub's layout, with the schedule beside the weights.

`transformers` opens such a folder as a plain CLIP or SigLIP; `centerclip.json` is what it does not read.
"""

from __future__ import annotations

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
from centerclip.model.backbones import Backbone, make_backbone
from centerclip.model.preprocessing import read_preprocessing, write_preprocessing
from centerclip.model.registry import TEMPORAL_FILE

__all__ = [
    "Settings",
    "has_tokenizer",
    "load_folder",
    "load_tokenizer",
    "quiet_transformers",
    "save_folder",
]

_SETTINGS_FILE = "centerclip.json"
# A reader that knows no temporal embedding would leave it out unseen: only models that have one are of 2.
_FORMAT_VERSION, _TEMPORAL_VERSION = 1, 2
_MODELS = {"clip": "CLIPModel", "siglip": "SiglipModel"}
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a saved model carries beside its weights: the content of `centerclip.json`, and the temporal
    embedding [T, D], which stands in a file of its own."""

    schedule: str
    reducer: dict[str, Any]
    frames: int
    temporal: Tensor | None = None


def has_tokenizer(folder: Path) -> bool:
    """Tell whether a tokenizer was saved in the folder."""
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def load_folder(folder: Path, *, tokenizer: Any = None) -> tuple[Backbone, Settings | None]:
    """Load a saved model, in float32, without touching the network.

    Args:
        folder: as `save_folder` or `transformers` wrote it, or a snapshot of the hub.
        tokenizer: in place of the one saved there.

    Returns:
        The backbone, and what `centerclip.json` says, where there is one.

    Raises:
        ModelError: not the folder of a supported model.
        CheckpointError: weights missing, superfluous, damaged or of the wrong shape.
    """
    config = _read_json(
        folder / "config.json", missing="no saved model is there; give its folder or a hub name"
    )
    family = config.get("model_type")
    if family not in _MODELS:
        raise ModelError(
            f"{folder} holds a model of type {family!r}, but only {' and '.join(_MODELS)} are supported "
            "(SigLIP 2 in its fixed resolutions, not NaFlex)"
        )
    model = _load_weights(folder, getattr(transformers, _MODELS[family]))
    if tokenizer is None and has_tokenizer(folder):
        tokenizer = load_tokenizer(folder)
    backbone = make_backbone(model, tokenizer)
    backbone.preprocessing = read_preprocessing(folder, backbone.preprocessing)
    return backbone, _read_settings(folder)


def save_folder(folder: Path, backbone: Backbone, settings: Settings) -> None:
    """Write weights, configuration, tokenizer, preprocessing and settings; files there are replaced.

    Raises:
        ModelError: the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with quiet_transformers():
            backbone.model.save_pretrained(folder)
            if backbone.tokenizer is not None:
                backbone.tokenizer.save_pretrained(folder)
        write_preprocessing(backbone.preprocessing, folder, family=backbone.family)
        _write_settings(folder, settings)
    except OSError as error:
        raise ModelError(f"the model can't be saved to {folder}: {error.strerror or error}") from error


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer saved in a folder.

    Raises:
        ModelError: there is none, or it can't be read.
    """
    try:
        with quiet_transformers():
            return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise ModelError(
            f"the tokenizer in {folder} needs a missing package: pip install sentencepiece protobuf"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the tokenizer in {folder} can't be read: {_first_line(error)}") from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep `transformers` from printing bars and reports: a library's caller chooses what is shown."""
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


def _load_weights(folder: Path, model_class: Any) -> torch.nn.Module:
    try:
        with quiet_transformers():
            model, report = model_class.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, RuntimeError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"the weights in {folder} can't be read: {_first_line(error)}") from error
    for kind, word in (("missing_keys", "lack"), ("unexpected_keys", "hold the unknown")):
        if keys := sorted(report[kind]):
            raise CheckpointError(
                f"the weights in {folder} {word} {keys[0]} ({len(keys)} such): download them again"
            )
    module: torch.nn.Module = model.eval()
    return module


def _read_settings(folder: Path) -> Settings | None:
    path = folder / _SETTINGS_FILE
    if not path.is_file():
        return None
    saved = _read_json(path, missing="")
    version = saved.pop("format_version", None)
    if version not in (_FORMAT_VERSION, _TEMPORAL_VERSION):
        raise ModelError(
            f"{path} is of format {version}, this version reads {_FORMAT_VERSION} and {_TEMPORAL_VERSION}: "
            "update centerclip"
        )
    table = _read_temporal(folder) if saved.pop("temporal", False) else None
    try:
        return Settings(**saved, temporal=table)
    except TypeError as error:
        raise ModelError(f"{path} is damaged: {error}") from error


def _write_settings(folder: Path, settings: Settings) -> None:
    content = {
        "format_version": _FORMAT_VERSION,
        "schedule": settings.schedule,
        "reducer": settings.reducer,
        "frames": settings.frames,
    }
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
            f"{path} is missing, but {_SETTINGS_FILE} beside it speaks of it: download the model again"
        ) from error
    except (OSError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({_first_line(error)}): download it again") from error


def _read_json(path: Path, *, missing: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent} has no {path.name}: {missing}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged: it holds no JSON object")
    return content


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
