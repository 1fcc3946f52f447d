"""Models by name, and what an index remembers of its own. Everything heavy is imported from here on."""

from __future__ import annotations

from pathlib import Path

from centerclip.cli.output import note
from centerclip.cli.progress import waiting
from centerclip.embedding import VideoEncoder
from centerclip.index import ModelCard
from centerclip.model import CenterCLIP
from centerclip.model.registry import DEFAULT_MODEL
from centerclip.schedule import check_schedule

__all__ = ["load_encoder", "load_model", "model_name"]


def model_name(given: str | None) -> str:
    """The name that an index remembers: of a folder its whole path, so that it is found from anywhere."""
    name = given or DEFAULT_MODEL
    path = Path(name).expanduser()
    return str(path.absolute()) if name != "nano" and path.exists() else name


def load_model(
    name: str, *, schedule: str | None = None, reducer: str | None = None, frames: int | None = None
) -> CenterCLIP:
    """Load a model, saying so on a terminal, and saying plainly when it is the toy.

    Args:
        name: as `model_name` gives it.
        schedule, frames: in place of the model's own.
        reducer: the name that the model's reducer must have; where it has another, that one's defaults.

    Raises:
        ModelError: there is no such model, or it can't be reached.
        ScheduleError: the schedule can't be parsed, or doesn't fit the model.
    """
    if schedule is not None:
        check_schedule(schedule)  # before a large file is read
    with waiting(f"Loading {name}"):
        model = CenterCLIP.from_pretrained(name, schedule=schedule, frames=frames)
    if name == "nano":
        note(
            "nano is a toy model: it knows only the drawn things of the toy world. "
            "Real footage needs a real model: --model NAME, see centerclip models.",
            style="yellow",
        )
    if reducer not in (None, model.reducer.name):
        model = CenterCLIP(
            model.backbone,
            model.schedule,
            reducer=reducer or "",
            frames=model.frames,
            temporal=model.temporal,
        )
    return model


def load_encoder(
    given: str | None,
    card: ModelCard | None,
    *,
    schedule: str | None = None,
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
    name = model_name(given or (card.name if card else None))
    own = card if card and card.name == name else None
    model = load_model(
        name,
        schedule=schedule or (own.schedule if own else None),
        reducer=own.reducer if own else None,
        frames=own.frames if own else None,
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
