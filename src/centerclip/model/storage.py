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
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedConfig

from centerclip.errors import CheckpointError, ModelError
from centerclip.model.checkpoints.safety import DAMAGED, check_finite
from centerclip.model.checkpoints.tensors import measure, read_tensors
from centerclip.model.hub import TOKENIZER_FILES
from centerclip.model.reading import check_growth, read_json, reading
from centerclip.model.registry import TEMPORAL_FILE

__all__ = [
    "ModelSettings",
    "has_tokenizer",
    "load_tokenizer",
    "load_weights",
    "quiet_transformers",
    "read_settings",
    "write_settings",
]

_SETTINGS_FILE = "centerclip.json"
# Format 2 adds the temporal embedding, which readers of format 1 would silently ignore.
_FORMAT_VERSION, _TEMPORAL_VERSION = 1, 2
_MAX_FRAMES = 10_000


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
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer saved in a folder.

    Raises:
        ModelError: missing or unreadable.
    """
    with (
        reading(f"the tokenizer in {folder}", "give another by tokenizer=FOLDER"),
        quiet_transformers(),
    ):
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except ImportError as error:
            raise ModelError(
                f"the tokenizer in {folder} needs a missing package: pip install sentencepiece protobuf"
            ) from error
        check_growth(getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None))
        tokenizer("a red car")  # some damage shows only at work
    return tokenizer


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
    weights = measure(folder)
    configuration = folder / "config.json"
    settings = read_json(configuration, missing="give the folder of a saved model, or a hub name")
    with reading(configuration, "download the model again"), quiet_transformers():
        if "quantization_config" in settings:
            raise CheckpointError(
                f"{configuration} is of a quantized model: use the one that it was made from"
            )
        config = model_class.config_class.from_dict(settings)
        _check_size(configuration, model_class, config, *weights)
    with reading(f"the weights in {folder}", DAMAGED, CheckpointError), quiet_transformers():
        model, report = model_class.from_pretrained(
            folder, config=config, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    for kind, word in (("missing_keys", "lack"), ("unexpected_keys", "contain unknown")):
        if keys := sorted(report[kind]):
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CheckpointError(f"the weights in {folder} {word} {keys[0]}{more}: download them again")
    check_finite(folder, model.named_parameters())
    module: torch.nn.Module = model.eval()
    return module


def _check_size(path: Path, model_class: Any, config: Any, size_bytes: int, tensors: int) -> None:
    """Check that a configuration describes no larger model than the weights files hold, before it is built.

    Raises:
        CheckpointError: it does; building it could take minutes, or all memory.
    """
    parts = [part for part in (config, *vars(config).values()) if isinstance(part, PreTrainedConfig)]
    blocks = sum(getattr(part, "num_hidden_layers", 0) for part in parts)
    if not 0 < blocks <= tensors:
        raise CheckpointError(
            f"{path} says that the model has {blocks:,} blocks, but its weights are {tensors:,} tensors: "
            "download the model again"
        )
    for part in parts:
        for name in ("num_attention_heads", "layer_norm_eps"):
            value = getattr(part, name, 1)
            if not isinstance(value, int | float) or value <= 0:
                raise CheckpointError(
                    f"{path} says that {name} is {value!r}, but it must be above 0: download the model again"
                )
    with torch.device("meta"):
        model = model_class(config)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    if numbers > size_bytes:
        raise CheckpointError(
            f"{path} describes a model of {numbers:,} numbers, but its weights have {size_bytes:,} bytes: "
            "download the model again"
        )


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
        settings = ModelSettings(**saved, temporal=table)
    except TypeError as error:
        raise ModelError(f"{path} is damaged ({error}): download the model again") from error
    for name, value, kind in (
        ("schedule", settings.schedule, str),
        ("reducer", settings.reducer, dict),
        ("frames", settings.frames, int),
        ("backbone", settings.backbone, dict | None),
    ):
        if not isinstance(value, kind):
            raise ModelError(f"{path} is damaged, since {name} is {value!r}: download the model again")
    if not 1 <= settings.frames <= _MAX_FRAMES:
        raise ModelError(
            f"{path} is damaged, since frames is {settings.frames}, not 1 to {_MAX_FRAMES}: download the "
            "model again"
        )
    return settings


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
    if not path.exists():
        raise CheckpointError(
            f"{path} is missing, but {_SETTINGS_FILE} refers to it: download the model again"
        )
    tensors = read_tensors(path)
    table = tensors.get("table")
    if table is None or table.ndim != 2 or not table.is_floating_point() or not table.numel():
        raise CheckpointError(f"{path} is damaged, since it has no table [frames, width]: download it again")
    check_finite(path, tensors.items())
    return table.to(torch.float32)
