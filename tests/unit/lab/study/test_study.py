"""A study of toy size: its plan, resuming, its report, and results equal to those of `evaluate`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import Tensor

from centerclip.clustering import Reducer, Tokens
from centerclip.datasets import load_dataset
from centerclip.errors import ConfigError, ScheduleError
from centerclip.evaluation import evaluate
from centerclip.lab.bench.subjects import random_subject
from centerclip.lab.study import StudyConfig, Variant, load_study, run_study, write_into, write_report
from centerclip.model import CenterCLIP


@dataclass(frozen=True)
class Loudest(Reducer):
    """A user's own reducer."""

    order: float = 2.0

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        return tokens.sequence.norm(self.order, dim=-1).topk(k).indices


SPECTRAL = "spectral(graph=knn, sigma=2.0)"
OWN = f"{__name__}:Loudest"
OTHER_OWN = f"{OWN}(order=1)"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model to start from, which also receives the toy world and the cache."""
    folder = tmp_path_factory.mktemp("shared")
    random_subject("tiny").model.with_(schedule="none", frames=4).save_pretrained(folder / "start")
    return folder


def plan(shared: Path, output: Path, **changes: object) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "title": "A study of toy size",
            "output": output,
            "seeds": [0, 1],
            "frames": 4,
            "start": str(shared / "start"),
            "world": {"train": 6, "val": 2, "test": 6, "narrow": True},
            "data": {"dataset": "toy-world", "videos": shared / "world", "cache": shared, "workers": 1},
            "optimization": {"steps": 2, "batch_size": 3, "learning_rate": 1e-3},
            "variants": [
                {"schedules": ["none"]},
                {"reducers": ["kmedoids"], "schedules": ["B2-2,3"], "temporal": [False, True]},
                {"reducers": ["spectral(graph=knn,sigma=2.0)", OWN, OTHER_OWN], "schedules": ["B2-2,3"]},
            ],
            **changes,
        }
    )


def test_variants_are_listed_once(shared: Path, tmp_path: Path) -> None:
    block = {"reducers": ["pool", "merge", " pool "], "schedules": ["none", "b2-2,3"]}
    variants = [block, {"schedules": ["none"]}]
    names = [variant.name for variant in plan(shared, tmp_path, variants=variants).expand()]
    assert names == ["none", "pool_B2-2,3", "merge_B2-2,3"]
    both = Variant(reducer="pool", schedule="B1-2,3;B2-1,3", temporal=True)
    assert both.name == "pool_B1-2,3+B2-1,3_temporal"


def test_a_study_runs_resumes_and_reports(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = plan(shared, tmp_path / "out")
    names = [variant.name for variant in config.expand()]
    labels = ["none", "kmedoids", "kmedoids + temporal", SPECTRAL, OWN, OTHER_OWN]
    calls: list[tuple[str, int, int]] = []
    study = run_study(config, on_progress=lambda *stage: calls.append(stage))
    assert [result.variant.name for result in study.results] == names
    assert calls[-1] == ("compare", 12, 12)
    files = sorted((tmp_path / "out").rglob("seed-*.json"))
    assert len(files) == 12
    assert not list((tmp_path / "out").rglob("run-*"))

    # Interrupted: only the missing run is made, with the same result.
    gone = tmp_path / "out" / "kmedoids_B2-2,3" / "seed-1.json"
    content, kept = gone.read_text(encoding="utf-8"), files[0].stat().st_mtime_ns
    gone.unlink()
    calls.clear()
    again = run_study(config, on_progress=lambda *stage: calls.append(stage))
    assert [stage for stage in calls if stage[0] == "compare"] == [("compare", 11, 12), ("compare", 12, 12)]
    assert gone.read_text(encoding="utf-8") == content
    assert files[0].stat().st_mtime_ns == kept
    assert [r.summary() for r in again.results] == [r.summary() for r in study.results]

    # Another budget is another plan.
    assert config.optimization is not None
    shorter = config.optimization.model_copy(update={"steps": 1})
    other = config.model_copy(update={"optimization": shorter, "seeds": (0,)})
    run_study(other, on_progress=lambda *stage: calls.append(stage))
    assert ("compare", 0, 6) in calls

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: [drawn.append(figure), save(figure, path)])
    write_report(study)
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- study toy -->\nold\n<!-- end toy -->\nafter\n", encoding="utf-8")
    write_into(study, document, "toy")
    before, results, after = re.split("<!-- (?:study|end) toy -->\n", document.read_text(encoding="utf-8"))
    assert (before, after) == ("before\n", "after\n")
    assert "old" not in results
    assert re.findall(r"^\| (.+?) \|", results, re.MULTILINE) == ["reducer", *labels]
    bars, legend = drawn[0].axes[0].get_legend_handles_labels()
    assert legend == labels
    marks = {(bar[0].get_color(), bar[0].get_marker()) for bar in bars}
    assert len(marks) == len(labels) - 1  # with and without the temporal embedding share one
    assert (tmp_path / "images" / "study-toy.png").stat().st_size > 10_000
    figures = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))
    assert [variant["name"] for variant in figures["variants"]] == names
    assert len(set(names)) == len(names)
    with pytest.raises(ConfigError, match="lacks the lines <!-- study other -->"):
        write_into(study, document, "other")


def test_without_training_results_equal_those_of_evaluate(shared: Path, tmp_path: Path) -> None:
    variants = [{"reducers": ["kmedoids"], "schedules": ["none", "B2-2,3"]}]
    config = plan(shared, tmp_path, variants=variants, seeds=[0], optimization=None)
    study = run_study(config)
    model = CenterCLIP.from_pretrained(shared / "start", schedule="none", frames=4)
    dataset = load_dataset("toy-world", "test", videos=shared / "world")
    expected = evaluate(model, dataset, schedules=["none", "B2-2,3"])
    for result, reference in zip(study.results, expected, strict=True):
        np.testing.assert_array_equal(result.runs[0].ranks, reference.text_to_video_ranks)
        np.testing.assert_array_equal(result.runs[0].reverse_ranks, reference.video_to_text_ranks)
        assert set(result.runs[0].direction_ranks) <= {1.0, 1.5, 2.0}
        assert len(result.runs[0].directed) == len(reference.text_to_video_ranks)  # all captions
        assert study.costs[result.variant.name].multiply_adds > 0
    none, reduced = (study.costs[result.variant.name] for result in study.results)
    assert reduced.multiply_adds < none.multiply_adds
    assert reduced.saved_bytes < none.saved_bytes


def test_mistakes_are_found_before_training(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reducer 'kmeans' is unknown"):
        run_study(plan(shared, tmp_path, variants=[{"reducers": ["kmeans"], "schedules": ["B2-2,3"]}]))
    with pytest.raises(ScheduleError, match="the model has 4 blocks"):
        run_study(plan(shared, tmp_path, variants=[{"schedules": ["B6-2,3"]}]))
    assert not list(tmp_path.rglob("seed-*.json"))
    file = tmp_path / "study.toml"
    rest = "\ntitle='x'\noutput='o'\ndata={dataset='toy-world', videos='v'}\nvariants=[{schedules=['none']}]"
    for text, message in (
        ("title = 'x'", "output: Field required"),
        (f"base='b'\nstart='s'{rest}", "either start .* or base"),
        (f"start='s'{rest}", "nothing depends on the seed"),
        (f"start='s'\nsteps=1{rest}", "steps: unknown key"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            load_study(file)


def test_the_repository_has_valid_studies() -> None:
    files = sorted((Path(__file__).parents[4] / "configs" / "studies").glob("*.toml"))
    assert len(files) >= 3
    for file in files:
        config = load_study(file)
        assert len(config.expand()) == len({variant.name for variant in config.expand()})
        header = file.read_text(encoding="utf-8").partition("\ntitle")[0]
        assert "# expected:" in header
        assert "# command:" in header
