"""What a study reads: named splits, tables of frames, results of an earlier plan or version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from study_plans import plan

from centerclip.datasets import load_dataset
from centerclip.embedding.packed import pack_frames
from centerclip.errors import ConfigError
from centerclip.evaluation import evaluate
from centerclip.lab.study import Study, StudyConfig, run, run_study, write_report
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP
from centerclip.training.config import DataSection
from centerclip.training.data import load_data

UNTRAINED = {"seeds": [0], "optimization": None, "run_under": [], "comparisons": []}
WORLD = {"train": 6, "val": 2, "test": 6, "narrow": True}


@pytest.fixture(scope="module")
def world(shared: Path) -> Path:
    return render_toy_world(shared / "world", **WORLD, workers=1)


def ranks(study: Study) -> list[list[float]]:
    return [run.under[result.variant.name].forward for result in study.results for run in result.runs]


def test_results_are_reported_on_the_split_that_is_named(shared: Path, world: Path, tmp_path: Path) -> None:
    held_out = {"dataset": "toy-world", "videos": world, "cache": shared, "workers": 1, "val_videos": 3}
    changes = {**UNTRAINED, "split": "val", "data": held_out, "variants": [{"schedules": ["none"]}]}
    study = run_study(plan(shared, tmp_path, **changes))
    model = CenterCLIP.from_pretrained(shared / "start", schedule="none", frames=4)
    (expected,) = evaluate(model, load_dataset("toy-world", "val", videos=world))
    assert ranks(study) == [expected.text_to_video_ranks.tolist()]
    # Schedules are chosen on the videos that are held out, not on `val`.
    changes["run_under"] = [{"schedules": ["B2-2,3"]}]
    chosen = run_study(plan(shared, tmp_path / "chosen", **changes)).results[0].runs[0]
    (held,) = evaluate(model, load_data(DataSection.model_validate(held_out)).validation)
    assert chosen.under["none"].validation == pytest.approx(held.text_to_video.recall_at_1.value)


def test_frames_come_from_a_table_without_videos(shared: Path, world: Path, tmp_path: Path) -> None:
    model = CenterCLIP.from_pretrained(shared / "start", schedule="none", frames=4)
    videos = load_dataset("toy-world", "test", videos=world).videos
    pack_frames(str(tmp_path / "x.lance"), videos, model.preprocessing, kept=12)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "test.jsonl").write_bytes((world / "test.jsonl").read_bytes())
    table = {"dataset": "toy-world", "annotations": notes, "frames": str(tmp_path / "x.lance")}
    changes = {**UNTRAINED, "variants": [{"schedules": ["none", "B2-2,3"]}]}
    packed = run_study(plan(shared, tmp_path / "packed", **changes, world=None, data=table))
    assert ranks(packed) == ranks(run_study(plan(shared, tmp_path / "files", **changes)))


def test_videos_with_too_few_frames_are_found_before_training(
    shared: Path, world: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"frames is 200, but the first videos of toy-world test have at most"
    ):
        run_study(plan(shared, tmp_path / "out", frames=200, data={"dataset": "toy-world", "videos": world}))
    assert not (tmp_path / "out").exists()


def test_models_that_are_kept_run_under_further_variants_without_training(
    shared: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"variants": [{"schedules": ["none"]}], "comparisons": [], "keep_models": True, "seeds": [0]}
    few = plan(shared, tmp_path / "out", **changes, run_under=[])
    (before,) = run_study(few).results
    assert before.runs[0].under["none"].validation is None
    more = plan(shared, tmp_path / "out", **changes)
    partial = run_study(more, finished=True)
    write_report(partial)
    text = (tmp_path / "out" / "study.md").read_text(encoding="utf-8")
    assert "Unfinished: 1 runs of trained models under other variants are missing" in text
    recall = f"{before.table().mean():.1f}"
    assert f"| `none` | {recall} | {recall} |  |" in text
    with monkeypatch.context() as patch:
        patch.setattr(run, "train", lambda *args, **options: pytest.fail("trained again"))
        (after,) = run_study(more).results
    assert after.names() == ["none", "kmedoids_B2-2,3"]
    assert after.runs[0].under["none"].forward == before.runs[0].under["none"].forward
    whole = plan(shared, tmp_path / "whole", **{**changes, "keep_models": False})
    assert run_study(whole).results[0].runs == after.runs
    assert not [path for path in (tmp_path / "whole").rglob("*-0*") if path.is_dir()]


def test_results_of_an_earlier_version_are_read(shared: Path, world: Path, tmp_path: Path) -> None:
    config = plan(shared, tmp_path, seeds=[0], comparisons=[], variants=[{"schedules": ["none", "B2-2,3"]}])
    study = run_study(config)
    fingerprint = CenterCLIP.from_pretrained(shared / "start", schedule="none", frames=4).fingerprint()
    for path in tmp_path.rglob("seed-0.json"):
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["plan"] = older_plan(config, fields["variant"], fingerprint)
        path.write_text(json.dumps(fields), encoding="utf-8")
    found = run_study(config, finished=True)
    assert found.results == study.results
    longer = config.model_copy(update={"split": "val"})
    assert not run_study(longer, finished=True).results


def older_plan(config: StudyConfig, variant: str, fingerprint: str) -> str:
    """The hash that the first version wrote: of all variants that the model is run under."""
    own = next(each for each in config.expand() if each.name == variant)
    settings = config.model_dump(
        mode="json",
        include={"world": True, "data": True, "frames": True, "optimization": True},
        exclude={"data": {"cache", "workers"}},
        exclude_defaults=True,
    )
    variants = [each.model_dump() for each in (own, *config.others())]
    text = json.dumps([variants, 0, fingerprint, settings], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
