"""From what a user names to a backbone: the hub, folders and checkpoint files, with the right tokenizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from centerclip.errors import ModelError
from centerclip.model.backbones import Backbone, make_backbone
from centerclip.model.checkpoints import read_checkpoint, read_open_clip_config
from centerclip.model.hub import OPEN_CLIP_WEIGHTS, find_model
from centerclip.model.registry import OPEN_CLIP_CONFIG
from centerclip.model.storage import Settings, has_tokenizer, load_folder, load_tokenizer
from centerclip.schedule import TokenSchedule, resolve_schedule

__all__ = ["default_schedule", "default_settings", "load_backbone"]

_CLIP_TOKENIZER = "openai/clip-vit-base-patch32"
_CLIP_VOCABULARY = 49408


def default_schedule(*, blocks: int, patches: int, frames: int) -> TokenSchedule:
    """The schedule of a model that brings none along: the preset `balanced`."""
    return resolve_schedule("balanced", blocks=blocks, patches=patches, frames=frames)


def default_settings(backbone: Backbone, frames: int) -> Settings:
    """What a model gets that brings no `centerclip.json` along."""
    schedule = default_schedule(blocks=backbone.blocks, patches=backbone.patches, frames=frames)
    return Settings(str(schedule), {"name": "kmedoids"}, frames)


def load_backbone(
    name: str | Path,
    *,
    tokenizer: Any = None,
    activation: str | None = None,
    revision: str | None = None,
) -> tuple[Backbone, Settings | None]:
    """Load what `CenterCLIP.from_pretrained` is given; its documentation tells the arguments.

    Returns:
        The backbone, in float32, and what was saved with it beside the weights, if anything.

    Raises:
        ModelError, CheckpointError: as documented there.
    """
    path = find_model(name, revision=revision)
    if isinstance(tokenizer, str | Path):
        tokenizer = load_tokenizer(find_model(tokenizer, weights=False))
    weights = _checkpoint_file(path)
    if weights is not None:
        backbone, settings = _load_checkpoint(weights, tokenizer, activation), None
    elif activation is None:
        backbone, settings = load_folder(path, tokenizer=tokenizer)
    else:
        raise ModelError(f"{name} states its activation in config.json: leave activation={activation!r} out")
    backbone.model.config.name_or_path = str(name)  # as the user knows it, not where the cache has it
    return backbone, settings


def _checkpoint_file(path: Path) -> Path | None:
    """The checkpoint file that is meant, or None for a folder of `transformers`."""
    if path.is_file():
        return path
    if (path / "config.json").is_file() or not (path / OPEN_CLIP_CONFIG).is_file():
        return None
    for name in OPEN_CLIP_WEIGHTS:
        if (path / name).is_file():
            return path / name
    raise ModelError(f"{path} has no weights: one of {', '.join(OPEN_CLIP_WEIGHTS)} is needed")


def _load_checkpoint(path: Path, tokenizer: Any, activation: str | None) -> Backbone:
    model = read_checkpoint(path, activation=activation)
    if tokenizer is None:
        tokenizer = _clip_tokenizer(path, model.config.text_config.vocab_size)
    backbone = make_backbone(model, tokenizer)
    told = read_open_clip_config(path.parent)
    backbone.preprocessing = replace(
        backbone.preprocessing, mean=told.mean, std=told.std, interpolation=told.interpolation
    )
    return backbone


def _clip_tokenizer(weights: Path, vocabulary: int) -> Any:
    """A file of weights brings no tokenizer: take the one beside it, or CLIP's own from the hub."""
    if has_tokenizer(weights.parent):
        return load_tokenizer(weights.parent)
    if vocabulary != _CLIP_VOCABULARY:
        raise ModelError(
            f"{weights} has a vocabulary of {vocabulary}, which is not CLIP's {_CLIP_VOCABULARY}: give its "
            "own by tokenizer=FOLDER"
        )
    try:
        return load_tokenizer(find_model(_CLIP_TOKENIZER, weights=False))
    except ModelError as error:
        raise ModelError(
            f"{weights} needs CLIP's tokenizer, which is neither beside it nor to be had from the hub: give "
            f"tokenizer=FOLDER of any CLIP model ({error})"
        ) from error
