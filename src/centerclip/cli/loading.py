"""Models by name, and what an index remembers of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from centerclip.cli.output import note
from centerclip.cli.progress import waiting
from centerclip.errors import ModelError
from centerclip.model.registry import DEFAULT_MODEL
from centerclip.naming import look_here
from centerclip.schedule import check_schedule

if TYPE_CHECKING:
    from centerclip.embedding import VideoEncoder
    from centerclip.index import ModelCard
    from centerclip.model import CenterCLIP
    from centerclip.model.text import TextTower

__all__ = ["SentenceEncoder", "load_encoder", "load_model", "load_sentence_encoder", "model_name"]


def model_name(given: str | None) -> str:
    """The name that an index remembers: of a folder its whole path, so that it is found from anywhere."""
    name = given or DEFAULT_MODEL
    path = Path(name).expanduser()
    return str(path.absolute()) if name != "nano" and path.exists() else name


def load_model(
    name: str,
    *,
    schedule: str | None = None,
    reducer: str | None = None,
    frames: int | None = None,
    backbone: str | None = None,
) -> CenterCLIP:
    """Load a model, saying so on a terminal, and saying plainly when it is the toy.

    Args:
        name: as `model_name` returns it.
        schedule, reducer, frames, backbone: in place of the model's own.

    Raises:
        ModelError: there is no such model, or it can't be reached.
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
    device: str = "auto",
    precision: str = "auto",
    backend: str = "torch",
    workers: int | None = None,
) -> VideoEncoder:
    """Load the model to use with an index.

    What is not given is the index's, unless another model than the index's is asked for.

    Args:
        given: a model's name, if its user named one.
        card: of the index, if it has one.
    """
    from centerclip.embedding import VideoEncoder

    name = model_name(given or (card.name if card else None))
    own = card if card and card.name == name else None
    model = load_model(
        name,
        schedule=schedule or (own.schedule if own else None),
        reducer=reducer or (own.reducer if own else None),
        frames=own.frames if own else None,
        backbone=backbone,
    )
    seconds = window_seconds or (card.window_seconds if card else 12.0)
    return VideoEncoder(
        model,
        device=device,
        precision=precision,
        backend=backend,
        window_seconds=seconds,
        workers=workers,
        name=name,
    )


class SentenceEncoder:
    """What `Searcher` needs for a query without files: the text tower of the index's own model."""

    def __init__(self, tower: TextTower, fingerprint: str) -> None:
        self.encode_text = tower.encode_text
        self.fingerprint = fingerprint

    def encode_picture(self, path: Path, /) -> Any:
        raise NotImplementedError

    encode_file = encode_picture


def load_sentence_encoder(card: ModelCard) -> SentenceEncoder | None:
    """Load the text tower of the index's model without torch, which saves 5 s.

    Returns:
        None where this can't be done, or the model is not the one that made the index; loading the whole
        model shows why.
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
            "nano is a toy model: it knows only the drawn things of the toy world. "
            "Real footage needs a real model: --model NAME, see centerclip models.",
            style="yellow",
        )
