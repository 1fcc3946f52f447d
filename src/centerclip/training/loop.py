"""The training loop: batches in, checkpoints and the best model out.

A run is a function of its recipe. Everything random is drawn from the seed and the step, so a run
that was killed and resumed ends with the same weights as one that was not (bit for bit on a CPU).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import torch

from centerclip.clustering.reducers import parse_reducer
from centerclip.datasets import Dataset
from centerclip.embedding.frames import FrameSource, open_frames
from centerclip.errors import ConfigError
from centerclip.training.batches import Batches
from centerclip.training.building import build_model
from centerclip.training.config import TrainConfig
from centerclip.training.curves import Curves, Progress
from centerclip.training.data import TrainingData, load_data
from centerclip.training.processes import Processes, join_processes, own_device
from centerclip.training.run import Run

__all__ = ["Progress", "build_model", "train"]

OnDecoded = Callable[[int, int], None]


def train(
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    on_decoded: OnDecoded | None = None,
    on_data: Callable[[TrainingData], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Run a recipe from wherever its output folder stands.

    In processes started by `torchrun` this is one run, each process computing its shard of every batch;
    the first one writes the files, validates and calls back.

    Args:
        config: the recipe.
        device: where the model lives; of several GPUs each process takes its own.
        on_progress: called after every step.
        on_decoded: called with (videos decoded, videos in all) while files are tried or a cache is filled.
        on_data: called with the splits once they are read.
        should_stop: asked after every step; where it says yes, a checkpoint is written and the run ends.

    Returns:
        The folder of the model with the best validation recall so far, `output/best`.

    Raises:
        ConfigError: the output folder belongs to another recipe, or batch, processes and data don't fit.
        CheckpointError: the checkpoint in the output folder is damaged.
        DatasetError, VideoError: files are missing, malformed or can't be decoded.
        ModelError: the model to start from can't be had.
    """
    parse_reducer(config.model.reducer)  # a wrong one is found before any file is read
    device = own_device(device)
    with join_processes(device) as processes:
        data = processes.from_first(lambda: load_data(config.data, progress=on_decoded))
        if processes.first and on_data is not None:
            on_data(data)
        model = build_model(config, data.training).to(device)
        steps = config.optimization.total_steps(len(data.training.captions))
        run = Run(
            config, model, steps=steps, max_text_tokens=data.training.max_text_tokens, processes=processes
        )
        for progress in _steps(config, run, data, steps, processes, on_decoded, should_stop):
            if on_progress is not None:
                on_progress(progress)
        return run.best_folder


def _steps(
    config: TrainConfig,
    run: Run,
    data: TrainingData,
    steps: int,
    processes: Processes,
    on_decoded: OnDecoded | None,
    should_stop: Callable[[], bool],
) -> Iterator[Progress]:
    """Do what is left of the run; the first process yields how it stands after each step."""
    batches = _batches(config, run, data.training, processes, on_decoded)
    if not processes.first:
        for batch in batches.run(run.step, steps):
            run.advance(batch)
            if processes.agree(should_stop(), run.model.device):
                return
        return
    validation = _frames(config, data.validation, run, on_decoded)
    began, began_at = time.monotonic(), run.step
    with closing(Curves(config.output, step=run.step, tensorboard=config.tensorboard)) as curves:
        for batch in batches.run(run.step, steps):
            rate = run.learning_rate()
            loss, norm = run.advance(batch)
            seconds = time.monotonic() - began
            last = run.step == steps
            stopped = processes.agree(should_stop(), run.model.device)
            recall = None
            if last or run.step % config.validate_every == 0:
                recall = run.validate(data.validation, validation)
            if last or stopped or run.step % config.checkpoint_every == 0:
                run.save()
            progress = Progress(
                step=run.step,
                steps=steps,
                loss=loss,
                learning_rate=rate,
                gradient_norm=norm,
                logit_scale=run.model.logit_scale.exp().item(),
                videos_per_second=(run.step - began_at) * config.optimization.batch_size / seconds,
                recall=recall,
            )
            curves.add(progress)
            yield progress
            if stopped:
                return


def _batches(
    config: TrainConfig, run: Run, training: Dataset, processes: Processes, on_decoded: OnDecoded | None
) -> Batches:
    size = config.optimization.batch_size
    if size % processes.count:
        raise ConfigError(
            f"batch_size {size} can't be shared equally by {processes.count} processes: make it a multiple "
            f"of {processes.count}"
        )
    return Batches(
        training,
        processes.first_before_others(lambda: _frames(config, training, run, on_decoded)),
        batch_size=size,
        frames=run.model.frames,
        seed=config.seed,
        shard=processes.shard(size),
        workers=config.data.workers,
    )


def _frames(config: TrainConfig, dataset: Dataset, run: Run, on_decoded: OnDecoded | None) -> FrameSource:
    section = config.data
    return open_frames(
        dataset.videos,
        run.model.preprocessing,
        cache=section.cache,
        kept=max(section.cached_frames, run.model.frames),
        workers=section.workers,
        progress=on_decoded,
    )
