"""Loads the backbone that a user names: from the hub, a folder or a checkpoint file, with its tokenizer."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from centerclip.errors import CheckpointError, ConfigError, ModelError
from centerclip.model.backbones import Backbone, find_backbone, make_backbone
from centerclip.model.checkpoints import (
    canonicalize,
    read_checkpoint,
    read_open_clip_config,
    read_training_settings,
)
from centerclip.model.checkpoints.hparams import HPARAMS_FILE
from centerclip.model.hub import OPEN_CLIP_WEIGHTS, PE_CORE_WEIGHTS, find_model
from centerclip.model.pe_core import PECore
from centerclip.model.reading import read_json, reading
from centerclip.model.registry import OPEN_CLIP_CONFIG
from centerclip.model.storage import ModelSettings, has_tokenizer, load_tokenizer, read_settings
from centerclip.model.unsupported import family_needs
from centerclip.naming import BACKBONE_CLASSES
from centerclip.schedule import TokenSchedule, resolve_schedule

__all__ = ["default_schedule", "default_settings", "load_backbone", "open_tokenizer"]

_LOG = logging.getLogger("centerclip.model")
_CLIP_TOKENIZER = "openai/clip-vit-base-patch32"
_CLIP_VOCABULARY = 49408


def default_schedule(*, blocks: int, patches: int, frames: int) -> TokenSchedule:
    """Return the schedule of models saved without one: the preset `balanced`."""
    return resolve_schedule("balanced", blocks=blocks, patches=patches, frames=frames)


def default_settings(backbone: Backbone, frames: int) -> ModelSettings:
    """Return the settings of models without `centerclip.json`, which no schedule was trained into.

    Their clusters weigh attention by size: this changes their embeddings least (docs/pretrained.md).
    """
    schedule = default_schedule(blocks=backbone.blocks, patches=backbone.patches, frames=frames)
    return ModelSettings(str(schedule), {"name": "kmedoids", "weighted": True}, frames)


def load_backbone(
    name: str | Path,
    *,
    backbone: str | Mapping[str, Any] | None = None,
    tokenizer: Any = None,
    activation: str | None = None,
    revision: str | None = None,
) -> tuple[Backbone, ModelSettings | None]:
    """Load a backbone in float32, and its saved settings if any.

    `CenterCLIP.from_pretrained` documents arguments and errors.
    """
    path = find_model(name, revision=revision)
    tokenizer = open_tokenizer(tokenizer)
    settings = read_settings(path) if path.is_dir() else None
    own = settings.backbone if backbone is None and settings is not None else backbone
    weights = _checkpoint_file(path) if own is None else None
    if weights is None and activation is not None:
        raise ModelError(f"{name} has its own activation setting: leave activation={activation!r} out")
    if weights is not None:
        loaded = _load_checkpoint(weights, tokenizer, activation)
        settings = settings or _trained_settings(weights, loaded)
    else:
        try:
            made, options = find_backbone(_family(path) if own is None else own)
        except ConfigError as error:
            if backbone is None:
                raise ModelError(f"{name} names a backbone that can't be used: {error}") from error
            raise
        with reading(f"{name} by {made.__name__}", "download it again"):
            try:
                loaded = made.load(path, tokenizer=tokenizer, **options)
            except TypeError as error:
                with_options = f"{made.__name__} with {options}"
                raise ModelError(f"{name} can't be loaded by {with_options}: {error}") from error
    loaded.name = str(name)  # the name the user gave, not the cache's path
    return loaded, settings


def open_tokenizer(tokenizer: Any) -> Any:
    """Load a tokenizer from a folder or hub name; return anything else unchanged.

    Raises:
        ModelError: missing or unreadable.
    """
    if isinstance(tokenizer, str | Path):
        return load_tokenizer(find_model(tokenizer, weights=False))
    return tokenizer


def _family(folder: Path) -> str:
    """Read the family of a model of `transformers` from its configuration."""
    missing = "give the folder of a saved model, or a hub name"
    family = read_json(folder / "config.json", missing=missing).get("model_type")
    if not isinstance(family, str) or family not in BACKBONE_CLASSES:
        raise ModelError(
            f"{folder} contains a model of type {family!r}, which isn't supported: {family_needs(family)}"
        )
    return family


def _checkpoint_file(path: Path) -> Path | None:
    """Find the checkpoint file; None for a folder of `transformers`."""
    if path.is_file():
        return path
    if not (path / OPEN_CLIP_CONFIG).is_file():
        return _lone_checkpoint(path)
    if (path / "config.json").is_file():
        return None
    for name in OPEN_CLIP_WEIGHTS:
        if (path / name).is_file():
            return path / name
    raise ModelError(f"{path} has no weights: add one of {', '.join(OPEN_CLIP_WEIGHTS)}")


def _lone_checkpoint(folder: Path) -> Path | None:
    """Find the only `.pt` of a folder without a configuration, such as that of an official PE-Core."""
    known = "*.pt" if not (folder / "config.json").is_file() else PE_CORE_WEIGHTS
    found = sorted(folder.glob(known))
    if len(found) > 1:
        raise ModelError(f"{folder} has several checkpoints, such as {found[0].name}: give one of the files")
    return found[0] if found else None


def _load_checkpoint(path: Path, tokenizer: Any, activation: str | None) -> Backbone:
    model = read_checkpoint(path, activation=activation)
    if isinstance(model, PECore):
        return make_backbone(model, _tokenizer_if_any(path, model) if tokenizer is None else tokenizer)
    config = read_open_clip_config(path.parent)
    if tokenizer is None:
        tokenizer = _clip_tokenizer(path, model.config.text_config.vocab_size)
    if config.siglip and config.siglip.canonical_text:
        tokenizer = canonicalize(tokenizer)
    backbone = make_backbone(model, tokenizer)
    backbone.preprocessing = replace(backbone.preprocessing, **config.preprocess)
    return backbone


def _trained_settings(path: Path, backbone: Backbone) -> ModelSettings | None:
    """Return the settings that a checkpoint was trained with, if the files beside it say so."""
    trained = read_training_settings(path)
    if trained is None or trained.frames is None:
        return None
    if trained.blocks not in (None, backbone.blocks):
        raise CheckpointError(
            f"{path} has {backbone.blocks} blocks, but {HPARAMS_FILE} beside it has settings for "
            f"{trained.blocks}: give each checkpoint a folder of its own"
        )
    if trained.unread:
        unread = ", ".join(trained.unread)
        _LOG.warning(
            "%s beside %s sets %s, which isn't read: embeddings may differ", HPARAMS_FILE, path, unread
        )
    if trained.schedule is None or trained.reducer is None:
        return default_settings(backbone, trained.frames)
    return ModelSettings(trained.schedule, trained.reducer, trained.frames)


def _tokenizer_if_any(weights: Path, model: PECore) -> Any:
    """Load the tokenizer like `_clip_tokenizer`; without one, videos and token ids can still be encoded."""
    if has_tokenizer(weights.parent):
        return load_tokenizer(weights.parent)
    if model.config.text_config.vocab_size != _CLIP_VOCABULARY:
        return None
    try:
        return _clip_tokenizer(weights, _CLIP_VOCABULARY)
    except ModelError as error:
        _LOG.warning("Sentences can't be encoded: %s", error)
        return None


def _clip_tokenizer(weights: Path, vocabulary: int) -> Any:
    """Load the tokenizer in a checkpoint's folder, or CLIP's own from the hub."""
    if has_tokenizer(weights.parent):
        return load_tokenizer(weights.parent)
    if vocabulary != _CLIP_VOCABULARY:
        raise ModelError(
            f"{weights} has a vocabulary of {vocabulary}, which is not CLIP's {_CLIP_VOCABULARY}: give its "
            "tokenizer by tokenizer=FOLDER"
        )
    try:
        return load_tokenizer(find_model(_CLIP_TOKENIZER, weights=False))
    except ModelError as error:
        raise ModelError(
            f"{weights} needs CLIP's tokenizer, which is neither in its folder nor available from the hub: "
            f"copy the tokenizer's files of any CLIP model there, or give tokenizer=FOLDER ({error})"
        ) from error
