"""Runs a study: the common checkpoint, then each variant with each seed, in parallel; resumable."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from centerclip.errors import ConfigError
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.costs import measure_costs
from centerclip.lab.study.measure import measure, open_test
from centerclip.lab.study.results import RunResult, Study, VariantResult, read_result, write_result
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP
from centerclip.training.config import load_config
from centerclip.training.loop import train

__all__ = ["run_study"]

_BATCH = 8
"""Batch size for measuring costs."""


@dataclass(frozen=True)
class _Job:
    """One variant with one seed, to be sent to a process."""

    config: StudyConfig
    variant: Variant
    seed: int
    start: str
    fingerprint: str

    @property
    def result(self) -> Path:
        return self.config.output / self.variant.name / f"seed-{self.seed}.json"

    @property
    def plan(self) -> str:
        """A hash of everything that the results depend on, so that changed plans are run again."""
        settings = self.config.model_dump(
            mode="json",
            include={"world": True, "data": True, "frames": True, "optimization": True},
            exclude={"data": {"cache", "workers"}},
            exclude_defaults=True,
        )
        text = json.dumps([self.variant.model_dump(), self.seed, self.fingerprint, settings], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def run_study(
    config: StudyConfig,
    *,
    jobs: int = 1,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Study:
    """Run the missing runs of a study, and measure what each variant costs.

    A run depends on the plan, its variant and its seed, not on the number of processes. An interrupted study
    can be resumed: only missing runs are made, each from its last checkpoint.

    Args:
        config: the plan.
        jobs: number of processes, each on one core.
        on_progress: called with the stage (`draw`, `start` or `compare`), the finished units and the total.

    Raises:
        ConfigError, DatasetError, ModelError, ScheduleError: something in the plan can't be used.
    """
    report = on_progress or (lambda stage, done, total: None)
    if config.world is not None:
        if config.data.videos is None:
            raise ConfigError("a plan with world needs data.videos, the folder to render it into")
        render_toy_world(
            config.data.videos, **config.world.model_dump(), workers=jobs, progress=partial(report, "draw")
        )
    start = config.start
    if start is None:
        assert config.base is not None
        recipe = load_config(config.base)
        start = str(train(recipe, on_progress=lambda at: report("start", at.step, at.steps)))
    model = CenterCLIP.from_pretrained(start, schedule="none", frames=config.frames)
    variants = config.expand()
    for variant in variants:  # finds mistakes before anything is trained
        model.with_(schedule=variant.schedule, reducer=variant.reducer)
    fingerprint = model.fingerprint()
    planned = [
        _Job(config, variant, seed, start, fingerprint) for seed in config.seeds for variant in variants
    ]
    waiting = [job for job in planned if read_result(job.result, job.plan) is None]
    report("compare", len(planned) - len(waiting), len(planned))
    for done, _ in enumerate(_in_processes(waiting, jobs), len(planned) - len(waiting) + 1):
        report("compare", done, len(planned))
    results = tuple(_collect(variant, planned) for variant in variants)
    return Study(config, results, measure_costs(model, variants, *_batch(config, model)))


def _in_processes(jobs: Sequence[_Job], processes: int) -> Iterator[RunResult]:
    """Run jobs, and yield each result when it is finished."""
    if processes <= 1 or len(jobs) <= 1:
        yield from map(_run, jobs)
        return
    # Spawned, because a fork of a process with threads (torch) may hang.
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
    """Train a variant, if the study trains, and measure it."""
    config, variant = job.config, job.variant
    job.result.parent.mkdir(parents=True, exist_ok=True)
    if config.optimization is None:
        model = CenterCLIP.from_pretrained(
            job.start, schedule=variant.schedule, reducer=variant.reducer, frames=config.frames
        )
        result = measure(model, config, variant, job.seed, job.plan)
    else:
        folder = job.result.parent / f"run-{job.seed}-{job.plan}"
        best = train(config.recipe(variant, job.seed, job.start, folder))
        result = measure(CenterCLIP.from_pretrained(best), config, variant, job.seed, job.plan)
        shutil.rmtree(folder)  # only the ranks are kept, not the checkpoints
    write_result(job.result, result)
    return result


def _collect(variant: Variant, jobs: Sequence[_Job]) -> VariantResult:
    results = (read_result(job.result, job.plan) for job in jobs if job.variant == variant)
    return VariantResult(variant, tuple(result for result in results if result is not None))


def _batch(config: StudyConfig, model: CenterCLIP) -> tuple[Tensor, list[str]]:
    """Videos of the test split, each with a caption, for measuring costs."""
    dataset, source = open_test(config, model.preprocessing)
    caption_of = {caption.video: caption.text for caption in dataset.captions}
    videos = sorted(caption_of)[:_BATCH]
    read = [(source.read(dataset.videos[video], config.frames), caption_of[video]) for video in videos]
    whole = [(frames, caption) for frames, caption in read if len(frames) == config.frames]
    return torch.stack([frames for frames, _ in whole]), [caption for _, caption in whole]
