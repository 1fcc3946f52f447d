"""Runs a study: the common checkpoint, then every arm with every seed, on several processes, resumable."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from centerclip.lab.study.config import Arm, StudyConfig
from centerclip.lab.study.costs import measure_costs
from centerclip.lab.study.measure import measure, open_test
from centerclip.lab.study.results import ArmResult, RunResult, Study, read_result, write_result
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP
from centerclip.training.config import load_config
from centerclip.training.loop import train

__all__ = ["run_study"]

_MEASURED = 8
"""Videos a batch when cost is measured."""


@dataclass(frozen=True)
class _Job:
    """One arm with one seed, ready to be sent to a process."""

    config: StudyConfig
    arm: Arm
    seed: int
    start: str
    fingerprint: str

    @property
    def result(self) -> Path:
        return self.config.output / self.arm.name / f"seed-{self.seed}.json"

    @property
    def plan(self) -> str:
        """A hash of all that decides the figures, so that a changed plan is run anew."""
        settings = self.config.model_dump(
            mode="json",
            include={"world": True, "data": True, "frames": True, "optimization": True},
            exclude={"data": {"cache", "workers"}},
            exclude_defaults=True,
        )
        text = json.dumps([self.arm.model_dump(), self.seed, self.fingerprint, settings], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def run_study(
    config: StudyConfig,
    *,
    jobs: int = 1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Study:
    """Run what of a study isn't done yet, and measure what each arm costs.

    Every run is a function of the plan, its arm and its seed, whatever the number of processes. A study
    that was stopped goes on with the runs that are missing, each from its last checkpoint.

    Args:
        config: the plan.
        jobs: processes, each on one core.
        on_progress: called with the stage (`draw`, `start` or `compare`), how much of it is done, and how
            much there is.

    Raises:
        ConfigError, DatasetError, ModelError, ScheduleError: something the plan names can't be used.
    """
    tell = on_progress or (lambda what, done, total: None)
    if config.world is not None:
        render_toy_world(
            config.data.videos,
            **config.world.model_dump(),
            workers=jobs,
            progress=lambda done, total: tell("draw", done, total),
        )
    start = config.start or _train_base(config, tell)
    model = CenterCLIP.from_pretrained(start, schedule="none", frames=config.frames)
    for arm in config.expand():  # a misspelt arm is found before anything is trained
        model.with_(schedule=arm.schedule, reducer=arm.reducer)
    planned = [
        _Job(config, arm, seed, start, model.fingerprint())
        for seed in config.seeds
        for arm in config.expand()
    ]
    waiting = [job for job in planned if read_result(job.result, job.plan) is None]
    tell("compare", len(planned) - len(waiting), len(planned))
    for done, _ in enumerate(_in_processes(waiting, jobs), len(planned) - len(waiting) + 1):
        tell("compare", done, len(planned))
    results = tuple(_collect(config, arm, planned) for arm in config.expand())
    return Study(config, results, measure_costs(model, config.expand(), *_batch(config, model)))


def _train_base(config: StudyConfig, tell: Callable[[str, int, int], None]) -> str:
    assert config.base is not None
    recipe = load_config(config.base)
    return str(train(recipe, on_progress=lambda at: tell("start", at.step, at.steps)))


def _in_processes(jobs: Sequence[_Job], processes: int) -> Iterator[RunResult]:
    """Run jobs, and yield each result as it is there."""
    if processes <= 1 or len(jobs) <= 1:
        yield from map(_run, jobs)
        return
    # spawn: a fork of a process with threads (torch) may hang
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        futures = [pool.submit(_run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _run(job: _Job) -> RunResult:
    """Train an arm, if the study trains, and measure it."""
    config, arm = job.config, job.arm
    job.result.parent.mkdir(parents=True, exist_ok=True)
    if config.optimization is None:
        model = CenterCLIP.from_pretrained(
            job.start, schedule=arm.schedule, reducer=arm.reducer, frames=config.frames
        )
        result = measure(model, config, arm, job.seed, job.plan)
    else:
        folder = job.result.parent / f"run-{job.seed}-{job.plan}"
        best = train(config.recipe(arm, job.seed, job.start, folder))
        result = measure(CenterCLIP.from_pretrained(best), config, arm, job.seed, job.plan)
        shutil.rmtree(folder)  # the ranks are kept; a hundred checkpoints would be no use
    write_result(job.result, result)
    return result


def _collect(config: StudyConfig, arm: Arm, jobs: Sequence[_Job]) -> ArmResult:
    results = (read_result(job.result, job.plan) for job in jobs if job.arm == arm)
    return ArmResult(arm, tuple(result for result in results if result is not None))


def _batch(config: StudyConfig, model: CenterCLIP) -> tuple[Tensor, list[str]]:
    """Videos of the test split, each with a caption, on which cost is measured."""
    dataset, source = open_test(config, model.image_size)
    caption_of = {caption.video: caption.text for caption in dataset.captions}
    videos = sorted(caption_of)[:_MEASURED]
    frames, mask = source.batch(videos, config.frames)
    whole = mask.all(dim=1)
    captions = [caption_of[video] for video, complete in zip(videos, whole, strict=True) if complete]
    return frames[whole], captions
