"""`centerclip train`: train a model by a recipe."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from centerclip.cli import options
from centerclip.cli.formats import count
from centerclip.cli.options import option
from centerclip.cli.output import note, write_json, write_paths
from centerclip.cli.progress import Bar
from centerclip.cli.stopping import StopRequest
from centerclip.datasets.load import describe_splits
from centerclip.naming import look_here

if TYPE_CHECKING:
    from centerclip.training.curves import TrainingProgress
    from centerclip.training.data import TrainingData

__all__ = ["Recipe", "Settings", "train"]

_STOPPING = "Stopping after this step with a checkpoint. Press Ctrl-C again to stop now."


Recipe = Annotated[
    Path,
    option(
        "Recipe, a TOML file such as those in configs/; docs/recipes.md lists its keys. Values of "
        f"data.train_split and data.val_split: {describe_splits()}.",
        metavar="FILE",
    ),
]
Settings = Annotated[
    list[str] | None,
    option(
        "Change the recipe, as in optimization.batch_size=64. Values are TOML, or text without quotes; "
        "an empty one removes the key. Repeat for several.",
        "--set",
        metavar="KEY=VALUE",
    ),
]


def train(
    config: Recipe,
    settings: Settings = None,
    output: Annotated[
        Path | None, option("Folder for checkpoints and models. Default: the recipe's.", metavar="FOLDER")
    ] = None,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Train a model by a recipe.

    Run the same command again to continue a stopped run from its last checkpoint; it ends with the same
    weights. Ctrl-C writes a checkpoint first. The best model, in the output folder's best, is the one with
    the highest recall on the validation split, which must not be a split that results are reported on; last
    has the model of the last checkpoint. Losses and recalls are written to progress.jsonl in the output
    folder; --json also prints them, one step per line.

    \b
    Examples:
      centerclip train --config configs/nano.toml
      centerclip train --config configs/nano.toml --set optimization.batch_size=64 --output runs/small
      torchrun --nproc-per-node 8 -m centerclip train --config configs/paper/msrvtt-b32-B6-4,49.toml
    """
    from centerclip.embedding.device import choose_device
    from centerclip.training.config import load_config
    from centerclip.training.loop import train as run
    from centerclip.training.processes import is_first, is_one_of_several

    look_here()  # a recipe may name module:Class
    recipe = load_config(config, settings=settings or (), **({} if output is None else {"output": output}))
    # The terminal sends the signal to every process, and torchrun sends it again.
    stop = StopRequest(_STOPPING if is_first() else "", second_ends=not is_one_of_several())
    with stop, Bar("Decoding", unit="videos") as decoding, Bar("Training", unit="steps") as training:
        recall: float | None = None

        def decoded(done: int, total: int) -> None:
            decoding.advance(done, total)
            if stop:
                raise typer.Exit(stop.exit_code)

        def show(progress: TrainingProgress) -> None:
            nonlocal recall
            decoding.close()
            recall = recall if progress.recall is None else progress.recall
            training.advance(progress.step, progress.steps, detail=_detail(progress, recall))
            if json:
                write_json(asdict(progress))
                sys.stdout.flush()  # readers of a pipe wait for each step
            if progress.recall is not None:
                note(f"step {progress.step:,} of {progress.steps:,}: {_detail(progress, recall)}")

        best = run(
            recipe,
            device=choose_device(device),
            on_progress=show,
            on_decoded=decoded,
            on_data=_note_data,
            should_stop=lambda: bool(stop),
        )
    if stop:
        if is_first():
            note("Stopped. Run the same command to continue.")
        raise typer.Exit(stop.exit_code)
    if not is_first():
        return
    if json:
        write_json({"model": str(best)})
    else:
        write_paths([best], null=False)


def _note_data(data: TrainingData) -> None:
    for doing, dataset in (("Training", data.training), ("Validating", data.validation)):
        videos, captions = count(len(dataset.videos), "video"), count(len(dataset.captions), "caption")
        missing = f", {len(dataset.missing):,} missing" if dataset.missing else ""
        note(f"{doing} on {videos} with {captions} of {dataset.name} {dataset.split}{missing}.")


def _detail(progress: TrainingProgress, recall: float | None) -> str:
    shown = "" if recall is None else f", R@1 {recall:.1f} %"
    return f"loss {progress.loss:.3f}{shown}, {progress.videos_per_second:.1f} videos/s"
