"""From what a user names to a backbone: the hub, folders and checkpoint files, with the right tokenizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from centerclip.errors import ModelError
from centerclip.model.backbones import Backbone, make_backbone
from centerclip.model.checkpoints import OPEN_CLIP_CONFIG, read_checkpoint, read_open_clip_config
from centerclip.model.hub import OPEN_CLIP_WEIGHTS, find_model
from centerclip.model.storage import Settings, has_tokenizer, load_folder, load_tokenizer
from centerclip.schedule import Reduction, TokenSchedule

__all__ = ["default_schedule", "default_settings", "load_backbone"]

_CLIP_TOKENIZER = "openai/clip-vit-base-patch32"
_CLIP_VOCABULARY = 49408


def default_schedule(*, blocks: int, patches: int, frames: int) -> TokenSchedule:
    """The schedule of a model that brings none along: the paper's, carried over to other geometries.

    After half of the blocks, a third as many segments as frames (12 to 4), and of each frame's patches
    all up to 64 (B/32: 49), or else 160 of 196 in proportion (B/16: 160, L/14: 209). Its effect on the
    recall of a model that was not trained with it is not known.

    Source: CenterCLIP (arXiv 2205.00823) section 4.2, B6-4,49 and B6-4,160.
    """
    tokens = patches if patches <= 64 else round(patches * 160 / 196)
    return TokenSchedule((Reduction(max(1, blocks // 2), max(1, frames // 3), tokens),))


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
    given = (
        load_tokenizer(find_model(tokenizer, weights=False))
        if isinstance(tokenizer, str | Path)
        else tokenizer
    )
    if path.is_dir() and not ((path / OPEN_CLIP_CONFIG).is_file() and not (path / "config.json").is_file()):
        if activation is not None:
            raise ModelError(
                f"{name} states its activation in config.json: leave activation={activation!r} out"
            )
        return load_folder(path, tokenizer=given)
    weights = _open_clip_weights(path) if path.is_dir() else path
    model = read_checkpoint(weights, activation=activation)
    if given is None:
        given = _clip_tokenizer(weights, model.config.text_config.vocab_size)
    backbone = make_backbone(model, given)
    told = read_open_clip_config(weights.parent)
    preprocessing = replace(
        backbone.preprocessing, mean=told.mean, std=told.std, interpolation=told.interpolation
    )
    return make_backbone(model, given, preprocessing=preprocessing), None


def _open_clip_weights(folder: Path) -> Path:
    for name in OPEN_CLIP_WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder} has no weights: one of {', '.join(OPEN_CLIP_WEIGHTS)} is needed")


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
