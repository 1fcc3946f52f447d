"""The paper's recipes, docs/paper-figures.toml and docs/reproducing.md tell the same rows and figures."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from centerclip.clustering import parse_reducer
from centerclip.datasets import DATASETS
from centerclip.schedule import TokenSchedule
from centerclip.training.config import load_config

ROOT = Path(__file__).parents[3]
FIGURES: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "docs" / "paper-figures.toml").read_text())
PAPER = sorted((ROOT / "configs" / "paper").glob("*.toml"))
SETS = {"msrvtt7k": ("msrvtt", "7k"), "msrvtt": ("msrvtt", "9k")}
"""Data set and training split of the first word of a recipe's name, if they aren't that word and `train`."""


def text_of(row: dict[str, Any], *, whole: bool) -> str:
    """Write a row's figures as the table in docs/reproducing.md, or as the header of a recipe, does."""
    if "missing" in row:
        return str(row["missing"])
    recalls = " / ".join(f"{row[key]:.1f}" for key in ("r1", "r5", "r10") if key in row)
    if "r5" not in row:
        recalls = f"R@1 {recalls}"
    elif whole:
        recalls = f"R@1 / R@5 / R@10 {recalls}"
    ranks = "".join(f", {name} {row[key]}" for key, name in (("mdr", "MdR"), ("mnr", "MnR")) if key in row)
    text = f"{recalls}{ranks}; V2T R@1 {row['v2t_r1']:.1f}"
    if not whole:
        return text
    cost = f"; {row['gb']:.1f} GB to train, {row['ms']:.1f} ms per video (V100)" if "gb" in row else ""
    return f"T2V {text}{cost}"


def test_each_row_of_the_tables_has_a_recipe_and_each_recipe_a_row() -> None:
    assert {path.stem for path in PAPER} == FIGURES.keys()
    published = [name for name, row in FIGURES.items() if "missing" not in row]
    assert len(published) == 27
    assert sum(name.endswith("-spectral") for name in published) == 8


def test_the_docs_list_the_rows_with_their_figures() -> None:
    rows = re.findall(
        r"^\| .* \| (B/\d\d) \| `(.+)`( spectral)? \| (.+) \| \[(.+)\]\(\.\./configs/paper/(.+)\.toml\) \|$",
        (ROOT / "docs" / "reproducing.md").read_text(),
        re.MULTILINE,
    )
    assert [row[4] for row in rows] == list(FIGURES)
    for tower, schedule, spectral, figures, shown, linked in rows:
        assert shown == linked
        _, own_tower, own_schedule = shown.removesuffix("-spectral").split("-", 2)
        assert (tower.lower().replace("/", ""), schedule) == (own_tower, own_schedule)
        assert bool(spectral) == shown.endswith("-spectral")
        assert figures == text_of(FIGURES[shown], whole=False)


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_a_recipe_matches_its_name_its_figures_and_the_papers_settings(path: Path) -> None:
    name, tower, schedule = path.stem.removesuffix("-spectral").split("-", 2)
    dataset, train_split = SETS.get(name, (name, "train"))
    config = load_config(path)
    assert (config.data.dataset, config.data.train_split) == (dataset, train_split)
    assert config.model.start == f"openai/clip-vit-base-patch{tower.removeprefix('b')}"
    assert config.model.schedule == schedule
    reducer = "spectral(graph=knn, sigma=2.0)" if path.stem.endswith("-spectral") else "kmedoids"
    assert parse_reducer(config.model.reducer) == parse_reducer(reducer)
    assert config.output == Path("runs/paper") / path.stem
    patches = {"b32": 49, "b16": 196}[tower]
    spec = DATASETS[dataset]
    assert config.model.frames is None
    assert spec.frames is not None
    TokenSchedule.parse(schedule).validate(blocks=12, frames=spec.frames, patches=patches)
    assert {train_split, *([] if config.data.val_videos else [config.data.val_split])} <= set(spec.splits)
    assert config.data.val_videos or config.data.val_split not in spec.reported_splits
    assert config.optimization.batch_size == 128
    long = dataset == "activitynet"
    assert (config.optimization.epochs, config.optimization.learning_rate) == (
        (8, 1e-5) if long else (5, 5e-6)
    )
    assert (spec.frames, config.optimization.weight_decay) == (60 if long else 12, 0.2)
    header = re.sub(r"(\\)?\n#", "", "".join(re.findall(r"^#.*\n", path.read_text(), re.MULTILINE)))
    header = " ".join(header.split())
    algorithm = "spectral clustering" if path.stem.endswith("-spectral") else "k-medoids"
    title = "the plain model" if schedule == "none" else f"{algorithm} {schedule}"
    figures = text_of(FIGURES[path.stem], whole=True)
    assert f"ViT-B/{tower[1:]}, {title} expected: {figures} command: " in header
    assert f"--config configs/paper/{path.name} " in header
    assert f"--dataset {dataset} --split {spec.splits[0]} --videos {config.data.videos} " in header
    assert f"--annotations {config.data.annotations} " in header
    assert header.endswith(f"--model {config.output}/best")
