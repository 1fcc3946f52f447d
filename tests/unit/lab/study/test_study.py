"""A study of toy size: what it plans, that it resumes, that its figures are those of its parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from centerclip.datasets import load_dataset
from centerclip.errors import ConfigError, ScheduleError
from centerclip.evaluation import evaluate
from centerclip.lab.study import StudyConfig, Variant, load_study, run_study, write_into, write_report
from centerclip.model import CenterCLIP
from centerclip.training.config import Architecture
from centerclip.training.scratch import fit_tokenizer, make_clip

ARCHITECTURE = Architecture(
    image_size=32,
    patch_size=16,
    vision_width=32,
    vision_blocks=4,
    vision_heads=2,
    vision_mlp_width=32,
    text_width=32,
    text_blocks=1,
    text_heads=2,
    text_mlp_width=32,
    embed_size=16,
    vocabulary=400,
)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = fit_tokenizer(["a red car rises and sinks"], vocabulary=400, context_length=32)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("start")
    clip = make_clip(ARCHITECTURE, vocabulary=len(tokenizer))
    CenterCLIP(clip, "none", frames=4, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds") / "narrow"


def plan(start: Path, world: Path, output: Path, **changes: object) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "title": "A study of toy size",
            "output": output,
            "seeds": [0, 1],
            "frames": 4,
            "start": str(start),
            "world": {"train": 6, "val": 2, "test": 6, "narrow": True},
            "data": {"dataset": "toy-world", "videos": world, "cache": world.parent / "cache", "workers": 1},
            "optimization": {"steps": 2, "batch_size": 3, "learning_rate": 1e-3},
            "variants": [
                {"schedules": ["none"]},
                {"reducers": ["kmedoids", "sample"], "schedules": ["B2-2,3"], "temporal": [False, True]},
            ],
            **changes,
        }
    )


def test_arms_are_expanded_once_each(start: Path, world: Path, tmp_path: Path) -> None:
    variants = [{"reducers": ["pool", "merge"], "schedules": ["none", "b2-2,3"]}, {"schedules": ["none"]}]
    names = [variant.name for variant in plan(start, world, tmp_path, variants=variants).expand()]
    assert names == ["none", "pool_B2-2,3", "merge_B2-2,3"]
    assert (
        Variant(reducer="pool", schedule="B1-2,3;B2-1,3", temporal=True).name == "pool_B1-2,3+B2-1,3_temporal"
    )


def test_a_study_runs_resumes_and_reports(start: Path, world: Path, tmp_path: Path) -> None:
    config = plan(start, world, tmp_path / "out")
    told: list[tuple[str, int, int]] = []
    study = run_study(config, on_progress=lambda *stage: told.append(stage))
    assert [result.variant.name for result in study.results] == [variant.name for variant in config.expand()]
    assert told[-1] == ("compare", 10, 10)
    files = sorted((tmp_path / "out").rglob("seed-*.json"))
    assert len(files) == 10
    assert not list((tmp_path / "out").rglob("run-*"))

    # Stopped after some runs: only the missing ones are made, and they come out the same.
    gone = tmp_path / "out" / "kmedoids_B2-2,3" / "seed-1.json"
    before, kept = gone.read_text(encoding="utf-8"), files[0].stat().st_mtime_ns
    gone.unlink()
    told.clear()
    again = run_study(config, on_progress=lambda *stage: told.append(stage))
    assert [stage for stage in told if stage[0] == "compare"] == [("compare", 9, 10), ("compare", 10, 10)]
    assert gone.read_text(encoding="utf-8") == before
    assert files[0].stat().st_mtime_ns == kept
    assert [r.summary() for r in again.results] == [r.summary() for r in study.results]

    # Another budget is another plan.
    other = config.model_copy(update={"optimization": config.optimization.model_copy(update={"steps": 1})})
    told.clear()
    run_study(other, on_progress=lambda *stage: told.append(stage))
    assert ("compare", 0, 10) in told

    write_report(study)
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- study toy -->\nold\n<!-- end toy -->\nafter\n", encoding="utf-8")
    write_into(study, document, "toy")
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("<!-- end toy -->\nafter\n")
    assert "old" not in text
    assert text.count("\n| ") == 1 + len(study.results)
    assert (tmp_path / "images" / "study-toy.png").stat().st_size > 10_000
    figures = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))
    assert [variant["name"] for variant in figures["variants"]] == [
        variant.name for variant in config.expand()
    ]
    with pytest.raises(ConfigError, match="no lines <!-- study other -->"):
        write_into(study, document, "other")


def test_without_training_the_figures_are_those_of_evaluate(start: Path, world: Path, tmp_path: Path) -> None:
    variants = [{"reducers": ["kmedoids"], "schedules": ["none", "B2-2,3"]}]
    config = plan(start, world, tmp_path, variants=variants, seeds=[0], optimization=None)
    study = run_study(config)
    model = CenterCLIP.from_pretrained(start, schedule="none", frames=4)
    expected = evaluate(model, load_dataset("toy-world", "test", videos=world), schedules=["none", "B2-2,3"])
    for result, reference in zip(study.results, expected, strict=True):
        np.testing.assert_array_equal(result.runs[0].ranks, reference.text_to_video_ranks)
        np.testing.assert_array_equal(result.runs[0].reverse_ranks, reference.video_to_text_ranks)
        assert set(result.runs[0].direction_ranks) <= {1.0, 1.5, 2.0}
        assert len(result.runs[0].directed) == len(reference.text_to_video_ranks)  # all name a direction
        assert study.costs[result.variant.name].multiply_adds > 0
    none, reduced = (study.costs[result.variant.name] for result in study.results)
    assert reduced.multiply_adds < none.multiply_adds
    assert reduced.saved_bytes < none.saved_bytes


def test_faults_are_found_before_anything_is_trained(start: Path, world: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reducer 'kmeans' is unknown"):
        run_study(plan(start, world, tmp_path, variants=[{"reducers": ["kmeans"], "schedules": ["B2-2,3"]}]))
    with pytest.raises(ScheduleError, match="the model has 4 blocks"):
        run_study(plan(start, world, tmp_path, variants=[{"schedules": ["B6-2,3"]}]))
    assert not list(tmp_path.rglob("seed-*.json"))
    file = tmp_path / "study.toml"
    for text, words in (
        ("title = 'x'", "output: Field required"),
        (f"title='x'\noutput='o'\nbase='b'\nstart='s'\n{ENOUGH}", "either start .* or base"),
        (f"title='x'\noutput='o'\nstart='s'\n{ENOUGH}", "nothing depends on a seed"),
        (f"title='x'\noutput='o'\nstart='s'\nsteps=1\n{ENOUGH}", "steps: Extra inputs"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=words):
            load_study(file)


ENOUGH = "data = {dataset = 'toy-world', videos = 'v'}\nvariants = [{schedules = ['none']}]"


def test_every_study_of_the_repository_can_be_read() -> None:
    files = sorted((Path(__file__).parents[4] / "configs" / "studies").glob("*.toml"))
    assert len(files) >= 3
    for file in files:
        config = load_study(file)
        assert len(config.expand()) == len({variant.name for variant in config.expand()})
        header = file.read_text(encoding="utf-8").partition("\ntitle")[0]
        assert "# expected:" in header
        assert "# command:" in header
