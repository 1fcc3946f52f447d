"""Training on a few rendered videos: it learns, resumes exactly, and saves models that open again."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from openai_layout import known_model, openai_names, prefixed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_models import clip_tokenizer

from centerclip.datasets import load_dataset
from centerclip.errors import CheckpointError, ConfigError, VideoError
from centerclip.evaluation import evaluate
from centerclip.model import CenterCLIP
from centerclip.training import checkpoint, run
from centerclip.training.building import build_model
from centerclip.training.checkpoint import repair_output, replace_folder
from centerclip.training.curves import TrainingProgress
from centerclip.training.data import load_data, open_source
from centerclip.training.loop import train
from centerclip.training.processes import Processes


class StopError(Exception):
    """Ends a run from within, as a kill would."""


def state(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run / "checkpoint.pt", weights_only=True)
    return loaded


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]


def test_a_killed_run_resumes_exactly_and_logs_each_step_once(recipe: Any, tmp_path: Path) -> None:
    def stop(progress: TrainingProgress) -> None:
        if progress.step == 5:  # the last checkpoint is that of step 4
            raise StopError

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe(whole, ema=0.9))
    config = recipe(parts, ema=0.9, trackers=["tensorboard"])
    with pytest.raises(StopError):
        train(config, on_progress=stop)
    with (parts / "progress.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # as a crash leaves it
    train(config)
    for part in ("model", "average"):
        expected, found = state(whole)[part], state(parts)[part]
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert [line["step"] for line in lines(parts)] == [1, 2, 3, 4, 5, 6]
    curves = EventAccumulator(str(parts / "tensorboard"))
    curves.Reload()
    assert set(curves.Tags()["scalars"]) == {
        "loss", "learning_rate", "gradient_norm", "logit_scale", "videos_per_second", "recall"
    }  # fmt: skip
    losses = curves.Scalars("loss")
    assert [point.step for point in losses] == [1, 2, 3, 4, 5, 6]
    assert [point.value for point in losses] == pytest.approx([line["loss"] for line in lines(parts)])


def test_a_stopped_run_keeps_its_last_step(recipe: Any, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    train(recipe(tmp_path), on_progress=seen.append, should_stop=lambda: len(seen) == 2)
    assert (state(tmp_path)["step"], len(seen)) == (3, 3)
    train(recipe(tmp_path), on_progress=seen.append)
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5, 6]


def test_the_loss_falls_and_the_best_model_opens(recipe: Any, world: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    best = train(
        recipe(tmp_path, steps=60, batch_size=8),
        on_progress=lambda progress: losses.append(progress.loss),
    )
    assert np.mean(losses[-5:]) < np.log(8) < losses[0]
    model = CenterCLIP.from_pretrained(best)
    assert str(model.schedule) == "B1-1,6"
    (result, plain) = evaluate(
        model, load_dataset("toy-world", "test", videos=world), schedules=["B1-1,6", "none"]
    )
    assert result.text_to_video_ranks.shape == (8,)
    assert result.video_to_text_ranks.shape == (4,)
    assert (result.schedule, plain.schedule) == ("B1-1,6", "none")
    assert result.fingerprint == model.fingerprint() != plain.fingerprint


def test_output_folders_and_batches_that_do_not_fit_are_refused(recipe: Any, tmp_path: Path) -> None:
    train(recipe(tmp_path, steps=2))
    with pytest.raises(ConfigError, match=r"another recipe \(optimization\.steps was 2, now 3\): continue"):
        train(recipe(tmp_path, steps=3))
    named = r"\(seed was 0, now 1; model\.lora\.rank was not set, now 8; .*\): continue"
    with pytest.raises(ConfigError, match=named):
        train(recipe(tmp_path, steps=2, seed=1, model={"lora": {}}))
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt.*delete it"):
        train(recipe(tmp_path, steps=2))
    with pytest.raises(ConfigError, match="batch_size 9"):
        train(recipe(tmp_path / "other", batch_size=9))


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch was-run",)


@pytest.mark.parametrize(
    "broken",
    [
        [],
        7,
        {},
        {"step": "2"},
        {"recipe": 3},
        {"best": None},
        {"model": []},
        {"model": {}},
        {"model": {"logit_scale": torch.zeros(3)}},
        {"optimizer": {}},
        {"optimizer": {"state": {}, "param_groups": [1]}},
        {"x": Evil()},
        {"x": bytearray(9)},
        b"",
        b"PK\x03\x04 cut off",
        "bomb",
        "cut",
    ],
    ids=lambda broken: type(broken).__name__,
)
def test_a_broken_checkpoint_is_refused_and_named(
    broken: Any, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe(tmp_path, steps=2))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    if isinstance(broken, bytes):
        path.write_bytes(broken)
    elif broken == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif broken == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/data.pkl", bytes(100 << 20))
    else:
        state = torch.load(path, weights_only=True)
        torch.save(state | broken if isinstance(broken, dict) and broken else broken, path)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt.*delete it to start the run again") as caught:
        train(recipe(tmp_path, steps=2))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "was-run").exists()


def test_the_average_is_saved_as_best(recipe: Any, tmp_path: Path) -> None:
    best = train(recipe(tmp_path, steps=4, ema=0.5))
    plain = train(recipe(tmp_path / "plain", steps=4, checkpoint_every=1))
    end = state(tmp_path)
    name = "backbone.model.visual_projection.weight"
    assert torch.equal(
        end["model"][name], state(tmp_path / "plain")["model"][name]
    )  # averaging changes nothing
    averaged = end["average"][f"module.{name}"]
    assert (averaged - end["model"][name]).abs().max() > 1e-5
    saved = CenterCLIP.from_pretrained(best)
    assert torch.equal(saved.backbone.model.visual_projection.weight, averaged)
    assert plain != best


def test_the_last_model_is_that_of_the_checkpoint(recipe: Any, tmp_path: Path) -> None:
    def weights(folder: Path) -> torch.Tensor:
        model = CenterCLIP.from_pretrained(folder)
        return model.backbone.model.visual_projection.weight

    name = "backbone.model.visual_projection.weight"
    best = train(recipe(tmp_path / "run", checkpoint_every=1, validate_every=2), should_stop=lambda: True)
    assert best.name == "best"
    assert not best.exists()  # not validated yet
    assert torch.equal(weights(best.with_name("last")), state(tmp_path / "run")["model"][name])
    train(recipe(tmp_path / "ema", ema=0.5))
    assert torch.equal(
        weights(tmp_path / "ema" / "last"), state(tmp_path / "ema")["average"][f"module.{name}"]
    )


def test_a_missing_tensorboard_is_named(recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"centerclip\[train\]"):
        train(recipe(tmp_path, trackers=["tensorboard"]))


def test_a_checkpoint_of_an_older_version_can_be_continued(recipe: Any, tmp_path: Path) -> None:
    config = recipe(tmp_path)
    train(config, should_stop=lambda: True)
    old = state(tmp_path)
    written = json.loads(old["recipe"])
    written["tensorboard"] = True
    del written["model"]["lora"], written["optimization"]["ema"], old["steps"]
    torch.save(old | {"recipe": json.dumps(written)}, tmp_path / "checkpoint.pt")
    train(config)
    assert state(tmp_path)["step"] == 6


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(text: str) -> Any:
        def into(folder: Path) -> None:
            folder.mkdir()
            (folder / "model").write_text(text)

        return into

    best = tmp_path / "best"
    replace_folder(best, write("old"))
    for killed_at in range(6):
        calls = 0

        def interrupt(call: Any) -> Any:
            def interrupted(*args: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls > killed_at:  # noqa: B023
                    raise KeyboardInterrupt
                return call(*args, **options)

            return interrupted

        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(os, "fsync", interrupt(os.fsync))
            patch.setattr(Path, "rename", interrupt(Path.rename))
            patch.setattr(checkpoint.shutil, "rmtree", lambda *_, **__: None)
            replace_folder(best, write("new"))
        (tmp_path / ".0123.part").touch()  # an unfinished checkpoint
        repair_output(tmp_path, tmp_path / "last", best)
        assert (best / "model").read_text() in ("old", "new")
        assert list(tmp_path.iterdir()) == [best]
        shutil.rmtree(best)
        replace_folder(best, write("old"))


def test_a_run_starts_from_a_published_checkpoint_file(recipe: Any, tmp_path: Path) -> None:
    known, file = known_model(), tmp_path / "pytorch_model.bin.4"
    torch.save(prefixed(openai_names(known), "clip."), file)
    clip_tokenizer().save_pretrained(tmp_path / "tokenizer")
    model = {"architecture": None, "start": str(file), "tokenizer": str(tmp_path / "tokenizer")}
    slowest = {"steps": 1, "learning_rate": 1e-9, "weight_decay": 0}
    best = train(recipe(tmp_path / "run", model={**model, "frames": 4, "schedule": "B2-2,8"}, **slowest))
    trained = CenterCLIP.from_pretrained(best)
    expected = known.state_dict()
    found = trained.backbone.model.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-7)
    assert str(trained.schedule) == "B2-2,8"


def test_validation_cuts_captions(recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []
    encode = run.encode_texts

    def watched(*args: Any, max_tokens: int | None = None) -> Any:
        asked.append(max_tokens)
        return encode(*args, max_tokens=max_tokens)

    monkeypatch.setattr(run, "encode_texts", watched)
    train(recipe(tmp_path, steps=1))
    assert asked == [load_data(recipe(tmp_path).data).validation.max_text_tokens]


def test_validation_is_shared_by_all_processes(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(tmp_path)
    data = load_data(config.data)
    model = build_model(config, data.training)
    source = open_source(config.data, data.validation.videos, model.preprocessing, model.frames)
    encoded: list[int] = []
    embed = run.embed_all

    def counted(items: Any, *args: Any, **options: Any) -> Any:
        encoded.append(len(items))
        return embed(items, *args, **options)

    sent: dict[int, Any] = {}
    meeting = threading.Barrier(3)

    def gather(parts: list[Any], own: Any) -> None:
        sent[int(threading.current_thread().name)] = own
        meeting.wait(30)
        parts[:] = [sent[rank] for rank in range(3)]
        meeting.wait(30)

    def validate(rank: int, found: list[float]) -> None:
        process = run.Run(config, model, data.training, Processes())
        process._processes = Processes(rank, 3)
        found[rank] = process.validate(data.validation, source)

    monkeypatch.setattr(run, "embed_all", counted)
    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    alone = run.Run(config, model, data.training, Processes()).validate(data.validation, source)
    found = [-1.0] * 3
    threads = [threading.Thread(target=validate, args=(rank, found), name=str(rank)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3
    assert encoded[0] == 4
    assert sorted(encoded[1:]) == [1, 1, 2]
    # Fewer items than processes.
    halves = [Processes(rank, 3).collect for rank in range(3)]
    monkeypatch.setattr(torch.distributed, "all_gather_object", lambda parts, own: parts.__setitem__(0, own))
    assert halves[2]([5], lambda own: np.array([own], np.float32)).tolist() == [[5.0]]


def test_an_epoch_counts_captions(recipe: Any, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    config = recipe(tmp_path, epochs=1.5, batch_size=8)
    train(config, on_progress=seen.append)
    captions = len(load_data(config.data).training.captions)
    assert captions > 8
    assert seen[-1].step == seen[-1].steps == round(1.5 * captions / 8)


def test_held_out_videos_are_not_trained_on(recipe: Any, tmp_path: Path) -> None:
    section = recipe(tmp_path, data={"val_videos": 3, "train_split": "test"}).data
    data = load_data(section)
    assert (len(data.training.videos), len(data.validation.videos)) == (1, 3)
    assert not {*data.training.videos} & {*data.validation.videos}
    for part in (data.training, data.validation):
        assert sorted({caption.video for caption in part.captions}) == list(range(len(part.videos)))
    assert load_data(section) == data
    whole = load_data(recipe(tmp_path, data={"train_split": "test"}).data).training
    texts = {whole.videos[caption.video].id: caption.text for caption in whole.captions}
    assert {
        part.videos[caption.video].id: caption.text
        for part in (data.training, data.validation)
        for caption in part.captions
    } == texts


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"val_split": "test"},
            "'test' can't choose the model, because results are reported on it",
        ),
        ({"val_split": "train"}, "share 8 videos"),
        ({"val_videos": 8}, "val_videos 8 leaves none of the 8 videos"),
    ],
)
def test_splits_that_must_not_choose_the_model_are_refused(
    recipe: Any, tmp_path: Path, data: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_data(recipe(tmp_path, data=data).data)


@pytest.mark.parametrize("cache", [True, False])
def test_a_video_that_cannot_be_decoded_is_named_at_once_or_left_out(
    recipe: Any, world: Path, tmp_path: Path, cache: bool
) -> None:
    copy = shutil.copytree(world, tmp_path / "copy", ignore=shutil.ignore_patterns("cache"))
    data = {"videos": copy, "cache": tmp_path / "cache" if cache else None}
    victim = load_data(recipe(tmp_path, data=data).data).training.videos[2].path
    victim.write_bytes(victim.read_bytes()[:500])
    with pytest.raises(VideoError, match=victim.name):
        train(recipe(tmp_path / "run", data=data))
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    seen: list[Any] = []
    train(recipe(tmp_path / "run", steps=1, data={**data, "allow_missing": True}), on_data=seen.append)
    assert len(seen[0].training.videos) == 7
    assert len(seen[0].training.missing) == 1
