"""A run's other promises: averages, curves, held-out videos, stopping, older checkpoints."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from centerclip.errors import ConfigError, VideoError
from centerclip.model import CenterCLIP
from centerclip.training import checkpoint, run
from centerclip.training.checkpoint import mend_folder, replace_folder
from centerclip.training.data import load_data
from centerclip.training.loop import Progress, train


def state(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run / "checkpoint.pt", weights_only=True)
    return loaded


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]


# The average


def test_the_average_is_what_is_kept_as_best(recipe: Any, tmp_path: Path) -> None:
    best = train(recipe(tmp_path, steps=4, ema=0.5))
    plain = train(recipe(tmp_path / "plain", steps=4, checkpoint_every=1))
    end = state(tmp_path)
    name = "backbone.model.visual_projection.weight"
    assert torch.equal(end["model"][name], state(tmp_path / "plain")["model"][name])  # it only watches
    averaged = end["average"][f"module.{name}"]
    assert (averaged - end["model"][name]).abs().max() > 1e-5
    saved = CenterCLIP.from_pretrained(best)
    assert torch.equal(saved.backbone.model.visual_projection.weight, averaged)
    assert plain != best


def test_the_average_is_resumed_exactly(recipe: Any, tmp_path: Path) -> None:
    whole, parts = (recipe(tmp_path / name, ema=0.9) for name in ("whole", "parts"))
    train(whole)
    stops = iter([False, False, True])
    train(parts, should_stop=lambda: next(stops))
    train(parts)
    first, second = state(tmp_path / "whole")["average"], state(tmp_path / "parts")["average"]
    assert all(torch.equal(first[name], second[name]) for name in first)


# Stopping and going on


def test_a_run_asked_to_stop_keeps_its_last_step(recipe: Any, tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(recipe(tmp_path), on_progress=seen.append, should_stop=lambda: len(seen) == 2)
    assert (state(tmp_path)["step"], len(seen)) == (3, 3)
    train(recipe(tmp_path), on_progress=seen.append)
    assert [progress.step for progress in seen] == [1, 2, 3, 4, 5, 6]


def test_steps_that_are_done_again_are_written_once(recipe: Any, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 5:  # the last checkpoint is that of step 4
            raise StopError

    config = recipe(tmp_path, tensorboard=True)
    with pytest.raises(StopError):
        train(config, on_progress=stop)
    with (tmp_path / "progress.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # as a crash leaves it
    train(config)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5, 6]
    curves = EventAccumulator(str(tmp_path / "tensorboard"))
    curves.Reload()
    assert set(curves.Tags()["scalars"]) == {
        "loss", "learning_rate", "gradient_norm", "logit_scale", "videos_per_second", "recall"
    }  # fmt: skip
    losses = curves.Scalars("loss")
    assert [point.step for point in losses] == [1, 2, 3, 4, 5, 6]
    assert [point.value for point in losses] == pytest.approx([line["loss"] for line in lines(tmp_path)])


def test_curves_without_tensorboard_say_what_to_install(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"centerclip\[train\]"):
        train(recipe(tmp_path, tensorboard=True))


def test_a_checkpoint_from_before_a_key_existed_is_still_this_recipes(recipe: Any, tmp_path: Path) -> None:
    config = recipe(tmp_path)
    train(config, should_stop=lambda: True)
    old = state(tmp_path)
    written = json.loads(old["recipe"])
    del written["tensorboard"], written["model"]["lora"], written["optimization"]["ema"], old["steps"]
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
    for killed_at in range(4):
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
            patch.setattr(checkpoint.os, "fsync", interrupt(checkpoint.os.fsync))
            patch.setattr(Path, "rename", interrupt(Path.rename))
            patch.setattr(checkpoint.shutil, "rmtree", lambda *_, **__: None)
            replace_folder(best, write("new"))
        mend_folder(best)
        assert (best / "model").read_text() in ("old", "new")
        assert list(tmp_path.iterdir()) == [best]
        shutil.rmtree(best)
        replace_folder(best, write("old"))


# Data


def test_validation_cuts_captions_to_the_words_of_the_protocol(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    encode = run.encode_texts

    def watched(*args: Any, max_tokens: int | None = None) -> Any:
        asked.append(max_tokens)
        return encode(*args, max_tokens=max_tokens)

    monkeypatch.setattr(run, "encode_texts", watched)
    train(recipe(tmp_path, steps=1))
    assert asked == [load_data(recipe(tmp_path).data).validation.max_text_tokens]


def test_an_epoch_counts_captions(recipe: Any, tmp_path: Path) -> None:
    seen: list[Progress] = []
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
        # The toy world names what moves in both captions; a caption must have stayed with its video.
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
            "'test' must not choose the model, because results are reported on it",
        ),
        ({"val_split": "train"}, "share 8 videos"),
        ({"val_videos": 8}, "val_videos 8 leaves none of the 8 videos"),
    ],
)
def test_a_model_is_never_chosen_by_what_it_must_not_see(
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
    told: list[Any] = []
    train(recipe(tmp_path / "run", steps=1, data={**data, "allow_missing": True}), on_data=told.append)
    assert len(told[0].training.videos) == 7
    assert len(told[0].training.missing) == 1
