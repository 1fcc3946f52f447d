"""`centerclip pack`: a recipe's frames in a table, for training where the videos aren't."""

from __future__ import annotations

from typing import Annotated

from centerclip.cli.formats import count
from centerclip.cli.options import option
from centerclip.cli.output import note
from centerclip.cli.progress import Bar
from centerclip.cli.train import Recipe, Settings
from centerclip.naming import look_here

__all__ = ["pack"]


def pack(
    config: Recipe,
    settings: Settings = None,
    output: Annotated[
        str | None,
        option(
            "Table to write, PATH.lance or s3://BUCKET/PATH.lance. Default: the recipe's data.frames.",
            metavar="PLACE",
        ),
    ] = None,
) -> None:
    """Pack the frames of a recipe's videos into one table.

    The table may be in object storage. A recipe with data.frames trains from it, so that the videos needn't
    be on the machines that train; only the annotation files must. The weights are those of a run with
    data.cache, bit for bit. Run the command again to continue, or to add videos.

    A table takes 3 bytes per pixel: 1.8 MB per video with 12 frames of 224 x 224.

    \b
    Examples:
      centerclip pack --config recipe.toml --output s3://bucket/frames.lance
      torchrun --nproc-per-node 8 -m centerclip train --config recipe.toml \\
        --set data.videos= --set data.cache= --set data.frames=s3://bucket/frames.lance
    """
    from centerclip.training.config import load_config
    from centerclip.training.packing import pack as run

    look_here()  # a recipe may name module:Class
    place = [] if output is None else [f"data.frames={output}"]
    recipe = load_config(config, settings=[*(settings or ()), "data.cache=", *place])
    with Bar("Packing", unit="videos") as bar:
        added = run(recipe, progress=bar.advance)
    note(f"{count(added, 'video')} added to {recipe.data.frames}.")
