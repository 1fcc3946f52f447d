"""`centerclip toy-world`: render the toy world's data set into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from centerclip.cli.output import write_paths
from centerclip.cli.progress import Bar

__all__ = ["toy_world"]


def toy_world(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the videos and captions.")],
    train: Annotated[int, typer.Option(min=0, metavar="N", help="Training videos.")] = 12_000,
    val: Annotated[int, typer.Option(min=0, metavar="N", help="Validation videos.")] = 300,
    test: Annotated[int, typer.Option(min=0, metavar="N", help="Test videos.")] = 500,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed; equal seeds give equal videos.")] = 0,
    directions: Annotated[
        bool, typer.Option("--directions", help="Add motions that differ only in the order of frames.")
    ] = False,
    narrow: Annotated[bool, typer.Option("--narrow", help="Use only such motions, and few things.")] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Show which thing turns into which, which no single frame shows.")
    ] = False,
) -> None:
    """Render the toy world: short videos of drawn things that move, with captions.

    A data set for training and evaluation that needs no download. The val and test splits show
    combinations that the train split never shows. A stopped run continues where it was.

    \b
    Examples:
      centerclip toy-world toy-world --train 0 --val 0
      centerclip evaluate --dataset toy-world --videos toy-world --model nano
    """
    from centerclip.errors import ConfigError
    from centerclip.lab.toy_world import render_toy_world

    if pairs and (directions or narrow):
        raise ConfigError("--pairs is a world of its own: leave out --directions and --narrow")

    with Bar("Drawing", unit="videos") as bar:
        render_toy_world(
            folder,
            train=train,
            val=val,
            test=test,
            seed=seed,
            directions=directions,
            narrow=narrow,
            pairs=pairs,
            progress=bar.advance,
        )
    write_paths([folder], null=False)
