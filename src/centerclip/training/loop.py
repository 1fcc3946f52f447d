"""The training loop: reads batches, advances the run, and saves checkpoints and the best model.

A run is a function of its recipe. Everything random is drawn from the seed and the step, so a run that was
killed and resumed ends with the same weights as an uninterrupted one (bit for bit on a CPU).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import torch

from centerclip.clustering.reducers import parse_reducer
from centerclip.datasets import Dataset
from centerclip.embedding.frames import FrameSource
from centerclip.errors import ConfigError
from centerclip.training.batches import Batches
from centerclip.training.building import build_model
from centerclip.training.config import TrainConfig
from centerclip.training.curves import Curves, TrainingProgress
from centerclip.training.data import TrainingData, load_data, open_source
from centerclip.training.processes import Processes, join_processes, own_device
from centerclip.training.run import Run
from centerclip.training.trackers import TrackedRun, open_trackers

__all__ = ["train"]


def train(
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    on_decoded: Callable[[int, int], None] | None = None,
    on_data: Callable[[TrainingData], None] = lambda data: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Run a recipe, continuing from the checkpoint in its output folder if there is one.

    Processes started by `torchrun` do one run together: each computes its shard of every batch and of the
    validation videos, and the first one writes the files and makes the callbacks.

    Args:
        config: the recipe.
        device: device of the model; with several GPUs each process uses its own.
        on_progress: called after every step.
        on_decoded: called with (videos done, videos in total) while files are checked or a cache is filled.
        on_data: called with the splits once they are read.
        should_stop: called after every step; if it returns True, a checkpoint is written and the run ends.

    Returns:
        The folder of the model with the best validation recall so far, `output/best`.

    Raises:
        ConfigError: the output folder belongs to another recipe, or batch, processes and data don't fit.
        CheckpointError: the checkpoint in the output folder is damaged.
        DatasetError, VideoError: files are missing, malformed or can't be decoded.
        ModelError: the model to start from can't be loaded.
    """
    parse_reducer(config.model.reducer)  # report a wrong one before any file is read
    section, batch_size, device = config.data, config.optimization.batch_size, own_device(device)
    with join_processes(device) as processes:
        if batch_size % processes.count:
            raise ConfigError(
                f"batch_size {batch_size} can't be shared equally by {processes.count} processes: make it a "
                f"multiple of {processes.count}"
            )
        data = processes.from_first(lambda: load_data(section, progress=on_decoded))
        if processes.first:
            on_data(data)
        model = build_model(config, data.training).to(device)
        run = Run(config, model, data.training, processes)

        def open_split(split: Dataset) -> FrameSource:
            return open_source(section, split.videos, model.preprocessing, model.frames, progress=on_decoded)

        batches = Batches(
            data.training,
            processes.first_before_others(lambda: open_split(data.training)),
            batch_size=batch_size,
            frames=model.frames,
            seed=config.seed,
            shard=processes.shard(batch_size),
            workers=section.workers,
        )
        source = processes.first_before_others(lambda: open_split(data.validation))
        validate = partial(run.validate, data.validation, source)
        steps = _steps(config, run, batches, validate, processes, should_stop)
        if not processes.first:
            deque(steps, maxlen=0)
            return run.best_folder
        told = TrackedRun(config.output, run.step, config.model_dump(mode="json"))
        trackers = open_trackers(config.trackers, told)
        with closing(Curves(config.output, step=run.step, trackers=trackers)) as curves:
            for progress in steps:
                curves.add(progress)
                on_progress(progress)
        return run.best_folder


def _steps(
    config: TrainConfig,
    run: Run,
    batches: Batches,
    validate: Callable[[], float],
    processes: Processes,
    should_stop: Callable[[], bool],
) -> Iterator[TrainingProgress]:
    """Do the remaining steps of a process, with validations; the first one writes checkpoints."""
    began, began_at = time.monotonic(), run.step
    for batch in batches.run(run.step, run.steps):
        loss, norm, rate = run.advance(batch)
        seconds = time.monotonic() - began
        last = run.step == run.steps
        stopped = processes.agree(should_stop(), run.model.device)
        recall = validate() if last or run.step % config.validate_every == 0 else None
        if processes.first and (last or stopped or run.step % config.checkpoint_every == 0):
            run.save()
        yield TrainingProgress(
            step=run.step,
            steps=run.steps,
            loss=loss,
            learning_rate=rate,
            gradient_norm=norm,
            logit_scale=run.model.logit_scale.exp().item(),
            videos_per_second=(run.step - began_at) * config.optimization.batch_size / seconds,
            recall=recall,
        )
        if stopped:
            return
