"""Writes docs/recipes.md from the recipe's classes and the table of data sets.

`python -m centerclip.training.reference docs/recipes.md`
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from centerclip.datasets import DATASETS
from centerclip.training.config import (
    Architecture,
    DataSection,
    Lora,
    ModelSection,
    OptimizationSection,
    TrainConfig,
)

__all__ = ["reference"]

_SECTIONS = {
    "": TrainConfig,
    "model": ModelSection,
    "model.architecture": Architecture,
    "model.lora": Lora,
    "data": DataSection,
    "optimization": OptimizationSection,
}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_HEAD = """# Recipes and data sets

Written by `make docs` from the source; edit that instead.

A recipe is a TOML file for `centerclip train --config FILE`; [configs/](../configs) has examples. Unknown
keys are errors. With `extends = "other.toml"` a recipe contains only what differs from another one. The path
is relative to the recipe's folder. On the command line, `--set KEY=VALUE` changes one key of a recipe, as in
`--set optimization.batch_size=64 --set data.train_split=7k`. Values are TOML, or text without quotes; an
empty value removes the key, so `--set optimization.epochs= --set optimization.steps=100` makes a short run.

A run continues only with the recipe that it was started with; otherwise the differing keys are named. In
its output folder, `best` has the model with the highest recall on the validation split, and `last` that of
the last checkpoint.
"""
_DATA_SETS = """## Data sets

`centerclip evaluate` uses the first split by default. Results are reported on the splits in bold, so a recipe
can't choose its model on them. Frames per video and text tokens follow the usual protocol of each data set;
longer captions are cut.
"""
_OWN = """
### A table of your own videos

`manifest` reads CSV with a header, JSON lines or Parquet, given as `--annotations`, or in a recipe as
`annotations`:

| column | content |
|---|---|
| `path` | the video file; relative paths start from the folder of the videos, by default the table's folder |
| `caption` | one caption; rows with the same path, start and end are captions of one video |
| `start`, `end` | optional: part of the file to use, in seconds |
| `split` | optional: the row's split; the split `all` contains every row, even without this column |

### A data set of your own

Describe it by a `centerclip.datasets.DatasetSpec` in your own module, and give it as
`--dataset my_module:MY_SET`, or in a recipe as `dataset`. See
[examples/custom_dataset.py](../examples/custom_dataset.py).
"""


def reference() -> str:
    """Return the page in Markdown."""
    keys = (_section(name, model) for name, model in _SECTIONS.items())
    return "\n".join([_HEAD, *keys, _DATA_SETS, *_data_sets(), _OWN])


def _section(name: str, model: type[Any]) -> str:
    schema = model.model_json_schema()
    required = schema.get("required", ())
    rows = [_row(key, field, key in required) for key, field in schema["properties"].items()]
    title = f"`[{name}]`" if name else "Top level"
    head = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}\n", inspect.cleandoc(model.__doc__ or ""), "", *head, *rows, ""])


def _row(key: str, field: dict[str, Any], required: bool) -> str:
    default = field.get("default")
    shown = "required" if required else "" if default is None else f"`{json.dumps(default)}`"
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    allowed = [f"{sign} {kind[name]:g}" for kind in kinds for name, sign in _BOUNDS.items() if name in kind]
    allowed += [f"`{value}`" for kind in kinds for value in kind.get("enum", ())]
    return f"| `{key}` | {shown} | {', '.join(allowed)} | {field['description']} |"


def _data_sets() -> Iterator[str]:
    yield "| name | splits | frames | text tokens | video to text by |\n|---|---|---|---|---|"
    for name, spec in DATASETS.items():
        splits = [f"**{split}**" if split in spec.reported_splits else split for split in spec.splits]
        columns = (
            f"`{name}`",
            ", ".join(splits) or "those of its column `split`",
            spec.frames or "the model's",
            spec.max_text_tokens,
            ", ".join(spec.protocols),
        )
        yield f"| {' | '.join(map(str, columns))} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
