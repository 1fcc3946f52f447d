"""A study of toy size: its plan, resuming, its report, and results equal to those of `evaluate`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from study_plans import OTHER_OWN, OWN, SPECTRAL, Loudest, plan
from torch import Tensor

from centerclip.cli import main
from centerclip.clustering import Tokens
from centerclip.datasets import load_dataset
from centerclip.errors import ConfigError, ScheduleError
from centerclip.evaluation import evaluate
from centerclip.lab.study import (
    Variant,
    budget,
    load_study,
    run_study,
    write_into,
    write_report,
)
from centerclip.model import CenterCLIP
from centerclip.schedule import TokenSchedule
from centerclip.training.config import load_config


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
    labels = ["none", "kmedoids", "kmedoids + temporal", SPECTRAL, OWN, OTHER_OWN, "none, 2 frames"]
    calls: list[tuple[str, int, int]] = []
    study = run_study(config, on_progress=lambda *stage: calls.append(stage))
    assert [result.variant.name for result in study.results] == names
    assert calls[-1] == ("compare", 14, 14)
    files = sorted((tmp_path / "out").rglob("seed-*.json"))
    assert len(files) == 14
    assert not list((tmp_path / "out").rglob("run-*"))

    # Interrupted: only the missing run is made, with the same result.
    gone = tmp_path / "out" / "plain" / "kmedoids_B2-2,3" / "seed-1.json"
    content, kept = gone.read_text(encoding="utf-8"), files[0].stat().st_mtime_ns
    gone.unlink()
    calls.clear()
    again = run_study(config, on_progress=lambda *stage: calls.append(stage))
    assert [stage for stage in calls if stage[0] == "compare"] == [("compare", 13, 14), ("compare", 14, 14)]
    assert gone.read_text(encoding="utf-8") == content
    assert files[0].stat().st_mtime_ns == kept
    assert [r.level() for r in again.results] == [r.level() for r in study.results]

    # Another budget is another plan.
    assert config.optimization is not None
    shorter = config.optimization.model_copy(update={"steps": 1})
    other = config.model_copy(update={"optimization": shorter, "seeds": (0,)})
    assert not run_study(other, finished=True).results
    run_study(other, on_progress=lambda *stage: calls.append(stage))
    assert ("compare", 0, 7) in calls

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
    assert re.findall(r"^\| (.+?) \|", results, re.MULTILINE)[:8] == ["variant", *labels]
    assert "| Both? | `kmedoids_B2-2,3` | `none` |" in results
    assert "| trained under | its own | `none` | `kmedoids_B2-2,3` |" in results
    assert "Unfinished" not in results
    bars, legend = drawn[0].axes[0].get_legend_handles_labels()
    assert legend == labels
    marks = {(bar[0].get_color(), bar[0].get_marker()) for bar in bars}
    assert len(marks) == len(labels) - 2  # those of a reducer share one
    assert (tmp_path / "images" / "study-toy.png").stat().st_size > 10_000
    figures = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))
    assert [variant["name"] for variant in figures["variants"]] == names
    assert len(set(names)) == len(names)
    with pytest.raises(ConfigError, match="lacks the lines <!-- study other -->"):
        write_into(study, document, "other")


def test_without_training_results_equal_those_of_evaluate(shared: Path, tmp_path: Path) -> None:
    variants = [{"reducers": ["kmedoids"], "schedules": ["none", "B2-2,3"]}]
    changes = {"seeds": [0], "optimization": None, "run_under": [], "comparisons": []}
    config = plan(shared, tmp_path, variants=variants, **changes)
    study = run_study(config)
    model = CenterCLIP.from_pretrained(shared / "start", schedule="none", frames=4)
    dataset = load_dataset("toy-world", "test", videos=shared / "world")
    expected = evaluate(model, dataset, schedules=["none", "B2-2,3"])
    for result, reference in zip(study.results, expected, strict=True):
        ranks = result.runs[0].under[result.variant.name]
        np.testing.assert_array_equal(ranks.forward, reference.text_to_video_ranks)
        np.testing.assert_array_equal(ranks.backward, reference.video_to_text_ranks)
        assert set(ranks.opposite) <= {1.0, 1.5, 2.0}
        assert len(ranks.opposite) == len(reference.text_to_video_ranks)  # all captions
        assert ranks.validation is None
        assert result.table().mean() == pytest.approx(reference.text_to_video.recall_at_1.value)
        assert study.costs[result.variant.name].multiply_adds > 0
    none, reduced = (study.costs[result.variant.name] for result in study.results)
    assert reduced.multiply_adds < none.multiply_adds
    assert reduced.saved_bytes < none.saved_bytes


def test_mistakes_are_found_before_training(shared: Path, tmp_path: Path) -> None:
    variants = [{"reducers": ["kmeans"], "schedules": ["B2-2,3"]}]
    with pytest.raises(ConfigError, match="reducer 'kmeans' is unknown"):
        run_study(plan(shared, tmp_path, variants=variants, comparisons=[]))
    with pytest.raises(ScheduleError, match="the model has 4 blocks"):
        run_study(plan(shared, tmp_path, variants=[{"schedules": ["B6-2,3"]}], comparisons=[]))
    with pytest.raises(
        ConfigError, match="'Both\\?' needs 'kmedoids_B2-2,3' from 'plain', .* variants: none"
    ):
        run_study(plan(shared, tmp_path, variants=[{"schedules": ["none"]}]))
    starts = {"base": str(Path(__file__).parents[4] / "configs" / "study-base.toml")}
    with pytest.raises(ConfigError, match="no runs are finished: the start 'base' isn't trained yet"):
        run_study(plan(shared, tmp_path, starts=starts), finished=True)
    assert not list(tmp_path.rglob("seed-*.json"))
    file = tmp_path / "study.toml"
    rest = "\ntitle='x'\noutput='o'\ndata={dataset='toy-world', videos='v'}\nvariants=[{schedules=['none']}]"
    for text, message in (
        ("title = 'x'", "output: Field required"),
        (f"starts={{}}{rest}", "starts: Dictionary should have at least 1 item"),
        (f"starts={{a='s'}}{rest}", "nothing depends on the seed"),
        (f"starts={{a='s'}}\nseeds=[0]\nrun_under=[{{starts=['a']}}]{rest}", "run_under runs trained models"),
        (
            f"starts={{a='s'}}\nseeds=[0]\ncomparisons=[{{question='?', variant='none'}}]{rest}",
            "need a margin",
        ),
        (
            f"starts={{a='s'}}\nseeds=[0]{rest[:-1]}, {{starts=['b']}}]",
            "unknown start 'b': choose one of a",
        ),
        (f"starts={{a='s'}}\nsteps=1{rest}", "steps: unknown key"),
        (
            f"starts={{a='s'}}\nseeds=[0]\nworld={{val=1,test=1,train=1,pairs=true,narrow=true}}{rest}",
            "world: pairs can't be combined with directions or narrow: choose one",
        ),
        (
            f"starts={{a='s'}}\nsplit='train'\noptimization={{steps=1}}{rest}",
            "split 'train' is trained on: report results on another one",
        ),
        (
            f"starts={{a='s'}}\nseeds=[0]\nsplit='val'\nrun_under=[{{}}]{rest}",
            "split 'val' is also data.val_split: report",
        ),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            load_study(file)


def test_the_repository_has_valid_studies() -> None:
    files = sorted((Path(__file__).parents[4] / "configs" / "studies").glob("*.toml"))
    assert len(files) >= 4
    for file in files:
        config = load_study(file)
        assert len(config.expand()) == len({variant.name for variant in config.expand()})
        header = file.read_text(encoding="utf-8").partition("\ntitle")[0]
        assert "# expected:" in header
        assert "# command:" in header
        for start in config.starts.values():
            if start.endswith(".toml"):
                load_config(file.parents[2] / start)


def test_the_budget_is_said_before_anything_runs(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(reducer: Loudest, tokens: Tokens, k: int) -> Tensor:
        raise AssertionError("only `none` may be timed")

    monkeypatch.setattr(Loudest, "choose", refuse)
    config = plan(shared, tmp_path / "out", assumed_errors={"seeds": 0.3, "videos": 0.4})
    found = budget(config)
    assert (found.runs, found.tests, found.margin) == (14, 2, 2.0)
    assert (found.steps, found.videos) == (2, 6)
    assert found.passes == 2 * 2 * (2 + 2 + 5 * 3)  # seeds, splits, and variants with those they run under
    model = CenterCLIP.from_pretrained(shared / "start", schedule="none", frames=4)
    plain, reduced, few = (
        model.backbone.multiply_adds(TokenSchedule.parse(schedule), frames)
        for schedule, frames in (("none", 4), ("B2-2,3", 4), ("none", 2))
    )
    trained = 2 * 3 * 3 * (plain + 5 * reduced + few)  # steps, batch, one forward and twice that backward
    measured = (6 + 2) * (7 * (plain + reduced) + 4 * reduced + few)
    assert found.multiply_adds == 2 * (trained + measured)
    assert found.hours > 0
    assert found.start_hours == 0
    assert found.detectable is not None
    assert found.equivalence_power is not None
    assert not (tmp_path / "out").exists()


def test_the_command_announces_runs_and_reports(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "toy.toml"
    file.write_text(
        f"""title = "t"
output = "{tmp_path / "out"}"
seeds = [0]
frames = 4
starts = {{ plain = "{shared / "start"}" }}
margin = 2.0
assumed_errors = {{ seeds = 0.3, videos = 0.4 }}
world = {{ train = 6, val = 2, test = 6, narrow = true }}
data = {{ dataset = "toy-world", videos = "{shared / "world"}", cache = "{shared}", workers = 1 }}
variants = [{{ schedules = ["none", "B2-2,3"] }}]
comparisons = [{{ question = "Both?", variant = "kmedoids_B2-2,3" }}]
""",
        encoding="utf-8",
    )
    assert main(["study", str(file), "--dry-run"]) == 0
    announced = capsys.readouterr().out
    assert announced.startswith("2 runs of 0 steps: 2 variants, 1 seeds\n2 passes over a split")
    assert "test has 6 videos\n" in announced
    assert "1 comparisons, corrected for their number; as good means within 2 points" in announced
    assert "power of 80 % for a difference of" in announced
    assert not (tmp_path / "out").exists()
    assert main(["study", str(file)]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [["plain", "none"], ["plain", "kmedoids_B2-2,3"]]
    assert all(len(line) == 8 for line in lines)
