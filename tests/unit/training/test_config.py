"""A recipe says every fault by its key."""

from pathlib import Path

import pytest

from centerclip.errors import ConfigError
from centerclip.training.config import load_config

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
    assert config.model.frames == 12


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (RECIPE + "stepps = 3\n", "optimization.stepps"),
        (RECIPE.replace("steps = 10", "steps = 0"), "optimization.steps"),
        (RECIPE.replace('start = "nano"\n', ""), "start"),
        (RECIPE.replace("[data]", "[data"), "not valid TOML"),
        (RECIPE.replace('dataset = "toy-world"\n', ""), "data.dataset"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match="recipe.toml") as caught:
        load_config(write(tmp_path, text))
    assert named in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere.toml"):
        load_config(tmp_path / "nowhere.toml")


def test_the_recipes_that_come_with_the_project_are_valid() -> None:
    recipes = sorted((Path(__file__).parents[3] / "configs").glob("*.toml"))
    assert recipes
    for recipe in recipes:
        load_config(recipe)
