"""`centerclip toy-world`: the drawn data set, rendered to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from centerclip.cli.output import write_paths
from centerclip.cli.progress import Bar

__all__ = ["toy_world"]


def toy_world(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the videos and captions go.")],
    train: Annotated[int, typer.Option(min=0, metavar="N", help="Videos to train on.")] = 12_000,
    val: Annotated[int, typer.Option(min=0, metavar="N", help="Videos to choose a model by.")] = 300,
    test: Annotated[int, typer.Option(min=0, metavar="N", help="Videos to measure recall on.")] = 500,
    seed: Annotated[int, typer.Option(metavar="N", help="Every video follows from it.")] = 0,
    directions: Annotated[
        bool, typer.Option("--directions", help="With motions that only the order of frames tells apart.")
    ] = False,
    narrow: Annotated[
        bool, typer.Option("--narrow", help="With hardly anything but such motions, of few things.")
    ] = False,
) -> None:
    """Render the toy world: short videos of drawn things that move, with captions.

    A data set for training and evaluation that needs no download. The val and test splits show
    combinations that the train split never does. A run that was stopped goes on where it was.

    \b
    Example:
      centerclip toy-world toy-world --train 0 --val 0
      centerclip evaluate --dataset toy-world --videos toy-world --model nano
    """
    from centerclip.lab.toy_world import render_toy_world

    with Bar("Drawing", unit="videos") as bar:
        render_toy_world(
            folder,
            train=train,
            val=val,
            test=test,
            seed=seed,
            directions=directions,
            narrow=narrow,
            progress=bar.advance,
        )
    write_paths([folder], null=False)
