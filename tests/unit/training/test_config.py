"""Recipes: faults are named by their key, and those in configs/ are valid."""

from pathlib import Path

import pytest

from centerclip.errors import ConfigError
from centerclip.training.config import load_config
from centerclip.training.reference import reference

RECIPE = """
output = "out"
[model]
start = "nano"
[data]
dataset = "toy-world"
videos = "toy"
[optimization]
steps = 10
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_paper(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, RECIPE), output=tmp_path / "elsewhere")
    assert config.output == tmp_path / "elsewhere"
    assert config.optimization.batch_size == 128
    assert config.optimization.betas == (0.9, 0.98)
    assert (config.model.frames, config.model.reducer) == (None, "kmedoids")  # the data set decides


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (RECIPE + "stepps = 3\n", "optimization.stepps: unknown key; did you mean steps?"),
        (RECIPE + "[model.lora]\nranks = 3\n", "model.lora.ranks: unknown key; did you mean rank?"),
        (RECIPE + "[zzz]\n", "zzz: unknown key; remove it"),
        (RECIPE + "[model.zzz.zzz]\n", "model.zzz: unknown key; remove it"),
        (RECIPE.replace("steps = 10", "steps = 0"), "optimization.steps"),
        (RECIPE.replace('start = "nano"\n', ""), "start"),
        (RECIPE.replace("[data]", "[data"), "not valid TOML"),
        (RECIPE.replace('dataset = "toy-world"\n', ""), "data.dataset"),
        (
            RECIPE.replace('start = "nano"', 'architecture = {}\nbackbone = "mine:Backbone"'),
            "backbone go with",
        ),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match="recipe.toml") as caught:
        load_config(write(tmp_path, text))
    assert named in str(caught.value)


def test_extended_files_are_merged_and_their_faults_named(tmp_path: Path) -> None:
    write(tmp_path, RECIPE)
    own = tmp_path / "own.toml"
    own.write_text('extends = "recipe.toml"\n[optimization]\nbatch_size = 8\n')
    optimization = load_config(own).optimization
    assert (optimization.steps, optimization.batch_size) == (10, 8)
    for text, message in (
        ('extends = "own.toml"', "makes the file extend itself"),
        ('extends = "nowhere.toml"', r"nowhere\.toml, which .*own\.toml extends, can't be read"),
        ("extends = 3", "must be the path of a TOML file"),
    ):
        own.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(own)


def test_settings_change_a_recipe(tmp_path: Path) -> None:
    path = write(tmp_path, RECIPE)
    settings = [
        *("optimization.steps=", "optimization.epochs=1.5", "model.schedule=B6-4,49", "data.train_split=9k"),
        *('data.val_split = "2"', "model.lora.rank=3", "output=other", 'model.reducer={name="spectral"}'),
        *('model.reducer={name="pool"}', "optimization.betas=[0.5, 0.6]"),
    ]
    config = load_config(path, settings=settings)
    assert (config.optimization.steps, config.optimization.epochs) == (None, 1.5)
    assert (config.model.schedule, config.model.reducer) == ("B6-4,49", {"name": "pool"})
    assert (config.data.train_split, config.data.val_split) == ("9k", "2")
    assert config.model.lora is not None
    assert (config.model.lora.rank, config.output) == (3, Path("other"))
    assert config.optimization.betas == (0.5, 0.6)
    assert load_config(path, settings=settings, output="third").output == Path("third")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps", "'steps' isn't a setting: write key=value"),
        ("=3", "'=3' isn't a setting"),
        ("optimization..steps=3", "isn't a setting"),
        ("optimization.stepps=3", "optimization.stepps: unknown key; did you mean steps?"),
        ("optimization.steps=many", "optimization.steps: Input should be a valid integer"),
        ("data.dataset=", "data.dataset: Field required"),
        ("model.start.x=1", "model.start: Input should be a valid string"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, RECIPE), settings=[setting])
    assert message in str(caught.value)


ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "configs"
RECIPES = [*CONFIGS.glob("*.toml"), *(CONFIGS / "paper").glob("*.toml")]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_in_configs_are_valid(path: Path) -> None:
    load_config(path)
    header = "".join(line for line in path.read_text().splitlines(True) if line.startswith("# "))
    assert "# expected: " in header
    assert "# command:  " in header


def test_the_reference_of_recipes_is_fresh() -> None:
    assert (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8") == reference(), "run make docs"
