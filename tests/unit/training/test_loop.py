"""The loop on a few rendered videos: it learns, it resumes exactly, and its model opens again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from openai_layout import known_model, openai_names, prefixed
from tiny_models import clip_tokenizer

from centerclip.datasets import load_dataset
from centerclip.errors import CheckpointError, ConfigError
from centerclip.evaluation import evaluate
from centerclip.model import CenterCLIP
from centerclip.training.loop import Progress, train


class StopError(Exception):
    """Ends a run from within, as a kill would."""


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoint.pt", weights_only=True)["model"]
    return state


def test_a_run_that_was_stopped_ends_with_the_same_weights(recipe: Any, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 5:  # the last checkpoint is that of step 4
            raise StopError

    train(recipe(tmp_path / "whole"))
    with pytest.raises(StopError):
        train(recipe(tmp_path / "parts"), on_progress=stop)
    train(recipe(tmp_path / "parts"))
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


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


def test_an_output_folder_belongs_to_one_recipe(recipe: Any, tmp_path: Path) -> None:
    train(recipe(tmp_path, steps=2))
    with pytest.raises(ConfigError, match="another recipe"):
        train(recipe(tmp_path, steps=3))


def test_a_damaged_checkpoint_is_named(recipe: Any, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="checkpoint.pt"):
        train(recipe(tmp_path))


def test_a_batch_larger_than_the_data_is_refused(recipe: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size 9"):
        train(recipe(tmp_path, batch_size=9))


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
