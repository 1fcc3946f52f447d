"""Loads models by name, with the settings of an index."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from centerclip.cli.backends import AUTO, LEAST_COSINE, choose_backend
from centerclip.cli.hardware import uses_gpu
from centerclip.cli.output import note
from centerclip.cli.progress import waiting
from centerclip.errors import ConfigError, ModelError
from centerclip.model.registry import default_model
from centerclip.naming import look_here
from centerclip.schedule import check_schedule

if TYPE_CHECKING:
    from centerclip.embedding import VideoEncoder
    from centerclip.index import ModelCard
    from centerclip.model import CenterCLIP
    from centerclip.model.text import TextTower
    from centerclip.records import Sampling
    from centerclip.speech import Recognizer

__all__ = [
    "SentenceEncoder",
    "load_encoder",
    "load_model",
    "load_recognizer",
    "load_sentence_encoder",
    "model_name",
]


def model_name(given: str | None, device: str = "auto") -> str:
    """The model's name as an index stores it: a folder by its absolute path.

    Args:
        given: the name that the user gave; without one, the default for the device.
        device: as the user gave it.
    """
    name = given or default_model(gpu=uses_gpu(device))
    path = os.path.expanduser(name)
    return os.path.abspath(path) if name != "nano" and os.path.exists(path) else name


def load_model(
    name: str,
    *,
    schedule: str | None = None,
    reducer: str | None = None,
    frames: int | None = None,
    backbone: str | None = None,
) -> CenterCLIP:
    """Load a model with a spinner, and warn if it is the toy model.

    Args:
        name: as returned by `model_name`.
        schedule, reducer, frames, backbone: override the model's own.

    Raises:
        ModelError: the model doesn't exist or can't be downloaded.
        ScheduleError: the schedule can't be parsed, or doesn't fit the model.
    """
    if schedule is not None:
        check_schedule(schedule)  # before a large file is read
    if any(":" in name for name in (reducer, backbone) if name):
        look_here()
    from centerclip.model import CenterCLIP

    with waiting(f"Loading {name}"):
        model = CenterCLIP.from_pretrained(
            name, schedule=schedule, reducer=reducer, frames=frames, backbone=backbone
        )
    _say_if_toy(name)
    return model


def load_encoder(
    given: str | None,
    card: ModelCard | None,
    *,
    schedule: str | None = None,
    reducer: str | None = None,
    backbone: str | None = None,
    window_seconds: float | None = None,
    sampling: Sampling | None = None,
    decode_on: str = "cpu",
    device: str = "auto",
    precision: str = "auto",
    backend: str = AUTO,
    workers: int | None = None,
    windows: Callable[[], int] | None = None,
    shared: bool = False,
) -> VideoEncoder:
    """Load the model to use with an index.

    Defaults are those of the index, unless `given` names another model.

    Args:
        given: the model that the user named, if any.
        card: the index's, unless it is new.
        precision: on a CPU, `auto` is int8 for adding to an index of int8, and for a large new index if
            `choose_backend` finds that it pays.
        backend: `auto` is torch, unless enough windows will be added that `choose_backend` compares.
        windows: estimates how many will be added to the index; None to search it.
        shared: whether other machines begin the same index, which must not choose another precision.

    Raises:
        ConfigError: the device, precision or backend is unknown or can't be used; or no GPU decodes.
    """
    from centerclip.embedding import VideoEncoder
    from centerclip.embedding.device import BACKENDS, choose_device, choose_dtype
    from centerclip.embedding.encoder import gpu_that_decodes

    # Find mistakes before a model is loaded.
    place = choose_device(device)
    if windows is not None and card and (precision, card.precision, place.type) == ("auto", "int8", "cpu"):
        precision = "int8"
    choose_dtype(precision, place)
    if decode_on == "gpu":
        gpu_that_decodes(place)
    if backend not in (AUTO, *BACKENDS):
        raise ConfigError(f"unknown backend {backend!r}: give one of {', '.join((AUTO, *BACKENDS))}")
    name = model_name(given or (card.name if card else None), device)
    own = card if card and card.name == name else None
    model = load_model(
        name,
        schedule=schedule or (own.schedule if own else None),
        reducer=reducer or (own.reducer if own else None),
        frames=own.frames if own else None,
        backbone=backbone or (own.backbone or None if own else None),
    )
    if backend == AUTO:
        backend = "torch"
        if place.type == "cpu" and windows is not None:
            asked, may_round = precision, card is None and not shared
            backend, precision = choose_backend(model, asked, windows(), may_round=may_round)
            if precision != asked:
                note(
                    f"Encoding in {precision}, which is faster on this machine and changes embeddings little "
                    f"(cosine at least {LEAST_COSINE}). To keep floats, add --precision float32"
                )
    return VideoEncoder(
        model,
        device=device,
        precision=precision,
        backend=backend,
        window_seconds=window_seconds or (card.window_seconds if card else 12.0),
        sampling=sampling or (card.sampling if card else "cheapest"),
        decode_on=decode_on,
        workers=workers,
        name=name,
    )


def load_recognizer(name: str, device: str) -> Recognizer:
    """Load a speech model with a spinner.

    Raises:
        ModelError: its package is missing, or it can't be found or loaded.
    """
    from centerclip.speech import Recognizer

    with waiting(f"Loading {name}"):
        return Recognizer(name, device=device)


class SentenceEncoder:
    """The text tower of an index's model: all that `Searcher` needs for a query without files."""

    def __init__(self, tower: TextTower, fingerprint: str) -> None:
        self.encode_text = tower.encode_text
        self.fingerprint = fingerprint

    def encode_picture(self, path: Path, /) -> Any:
        raise NotImplementedError

    encode_file = encode_picture


def load_sentence_encoder(card: ModelCard) -> SentenceEncoder | None:
    """Load the text tower of the index's model without torch, which saves 5 s.

    Returns:
        None if that isn't possible or the model has changed since; loading the whole model then shows why.
    """
    from centerclip.model.hub import find_model
    from centerclip.model.text import TextTower

    folder = find_model(card.name)
    try:
        tower = TextTower(folder)
    except ModelError:
        return None
    if not tower.matches(card.probe):
        return None
    _say_if_toy(card.name)
    return SentenceEncoder(tower, card.fingerprint)


def _say_if_toy(name: str) -> None:
    if name == "nano":
        note(
            "nano is a toy model that only knows the drawn toy world. For real videos, choose a model with "
            "--model; see centerclip models.",
            style="yellow",
        )
