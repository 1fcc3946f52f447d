"""`centerclip train`: a recipe in, a model out, with the run's state told on the way."""

from __future__ import annotations

import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centerclip.cli import options
from centerclip.cli.options import option
from centerclip.cli.output import note, write_json, write_paths
from centerclip.cli.progress import Bar

if TYPE_CHECKING:
    from centerclip.training.loop import Progress

__all__ = ["train"]


def train(
    config: Annotated[Path, option("The recipe, a TOML file such as those in configs/.", metavar="FILE")],
    output: Annotated[
        Path | None, option("Where checkpoints and model go, in place of the recipe's.", metavar="FOLDER")
    ] = None,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Train a model by a recipe.

    A run that was stopped goes on from its last checkpoint when the same command is given again, and
    ends with the same weights. The best model is the one with the highest recall on the validation
    split. Losses and recalls are kept in progress.jsonl in the output folder; --json prints them as
    they come, one step a line.

    \b
    Example:
      centerclip train --config configs/nano.toml
    """
    from centerclip.encoder.device import choose_device
    from centerclip.training.config import load_config
    from centerclip.training.loop import train as run

    overrides = {} if output is None else {"output": output}
    recipe = load_config(config, **overrides)
    with Bar("Decoding", unit="videos") as decoding, Bar("Training", unit="steps") as training:

        def show(progress: Progress) -> None:
            training.advance(progress.step, progress.steps, detail=_detail(progress))
            if json:
                write_json(asdict(progress))
            if progress.recall is not None:
                note(f"step {progress.step:,} of {progress.steps:,}: {_detail(progress)}")

        try:
            best = run(recipe, device=choose_device(device), on_progress=show, on_decoded=decoding.advance)
        except KeyboardInterrupt:
            note("Stopped. The same command goes on from the last checkpoint.")
            raise typer.Exit(128 + signal.SIGINT) from None
    if json:
        write_json({"model": str(best)})
    else:
        write_paths([best], null=False)


def _detail(progress: Any) -> str:
    recall = "" if progress.recall is None else f", R@1 {progress.recall:.1f} %"
    return f"loss {progress.loss:.3f}{recall}, {progress.videos_per_second:.1f} videos/s"
