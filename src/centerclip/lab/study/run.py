"""Runs a study: the starts, then each variant with each seed, in parallel; resumable."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from centerclip.errors import ConfigError
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.costs import measure_costs
from centerclip.lab.study.jobs import Job
from centerclip.lab.study.measure import measure, open_split
from centerclip.lab.study.results import RunResult, Study, VariantResult, write_result
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP
from centerclip.training.config import load_config
from centerclip.training.loop import train

__all__ = ["run_study"]

_BATCH = 8
"""Batch size for measuring costs."""
_TRIED = 64
"""Videos that are tried for that batch."""


def run_study(
    config: StudyConfig,
    *,
    jobs: int = 1,
    device: str = "cpu",
    finished: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Study:
    """Run the missing runs of a study, and measure what each variant costs.

    A run depends on the plan, its start, variant and seed, not on the number of processes. An interrupted
    study can be resumed: only missing runs are made, each from its last checkpoint. If the plan runs models
    under further variants, those that are kept are measured, and others trained again. Seeds come one after
    the other, so that a study which stops early has whole seeds.

    Args:
        config: the plan.
        jobs: number of processes, each on one core.
        device: of training and measuring.
        finished: train nothing, and return the runs that are there.
        on_progress: called with the stage (`draw`, `start` or `compare`), the finished units and the total.

    Raises:
        ConfigError, DatasetError, ModelError, ScheduleError: something in the plan can't be used, or nothing
            is `finished`.
    """
    report = on_progress or (lambda stage, done, total: None)
    config.pairs()  # finds comparisons of variants that are not in the plan
    if config.world is not None and not finished:
        if config.data.videos is None:
            raise ConfigError("a plan with world needs data.videos, the folder to render it into")
        render_toy_world(
            config.data.videos, **config.world.model_dump(), workers=jobs, progress=partial(report, "draw")
        )
    folders = _find_starts(config) if finished else _train_starts(config, device, report)
    models = {
        start: CenterCLIP.from_pretrained(folder, schedule="none", frames=config.frames)
        for start, folder in folders.items()
    }
    for start, variant in [*config.arms, *((start, each) for start in models for each in config.others())]:
        models[start].with_(**variant.settings(config.frames))  # finds mistakes before anything is trained
    planned = [
        Job(config, start, variant, seed, folders[start], models[start].fingerprint(), device)
        for seed in config.seeds
        for start, variant in config.arms
    ]
    batch = _batch(config, next(iter(models.values())))
    waiting = [job for job in planned if job.missing(job.found())]
    report("compare", len(planned) - len(waiting), len(planned))
    if not finished:
        for done, _ in enumerate(_in_processes(waiting, jobs), len(planned) - len(waiting) + 1):
            report("compare", done, len(planned))
    collected = [_collect(start, variant, planned) for start, variant in config.arms]
    results = tuple(result for result in collected if result.runs)
    costs = measure_costs(next(iter(models.values())), config.expand(), *batch)
    return Study(config, results, costs)


def _find_starts(config: StudyConfig) -> Mapping[str, str]:
    """The folders of the starts, of which none is trained here."""
    folders = {}
    for name, start in config.starts.items():
        folder = load_config(start).output / "best" if start.endswith(".toml") else None
        if folder is not None and not folder.is_dir():
            raise ConfigError(
                f"no runs are finished: the start {name!r} isn't trained yet, {folder} is missing"
            )
        folders[name] = start if folder is None else str(folder)
    return folders


def _train_starts(
    config: StudyConfig, device: str, report: Callable[[str, int, int], None]
) -> Mapping[str, str]:
    """Train the starts that are recipes, in order; a finished one is only opened."""
    folders = {}
    for name, start in config.starts.items():
        if start.endswith(".toml"):
            recipe = load_config(start)
            start = str(
                train(recipe, device=device, on_progress=lambda at: report("start", at.step, at.steps))
            )
        folders[name] = start
    return folders


def _in_processes(jobs: Sequence[Job], processes: int) -> Iterator[RunResult]:
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


def _run(job: Job) -> RunResult:
    """Train a variant, if the study trains, and measure it; of a model that is kept, only what is missing."""
    config, variant, found, folder = job.config, job.variant, job.found(), job.folder
    job.result.parent.mkdir(parents=True, exist_ok=True)
    if config.optimization is None:
        model = CenterCLIP.from_pretrained(job.start_folder, **variant.settings(config.frames))
    elif job.model.is_dir():
        model = CenterCLIP.from_pretrained(job.model)
    else:
        best = train(config.recipe(variant, job.seed, job.start_folder, folder), device=job.device)
        model, found = CenterCLIP.from_pretrained(best), None
    if folder.is_dir() and config.keep_models:
        (folder / "best").rename(job.model)
    result = measure(
        model.to(job.device).eval(),
        config,
        job.missing(found),
        plan=job.plan,
        start=job.start,
        variant=variant,
        seed=job.seed,
    )
    if found is not None:
        result = _merged(found, result, job.result)
    write_result(job.result, result)
    shutil.rmtree(folder, ignore_errors=True)  # checkpoints aren't kept
    return result


def _merged(found: RunResult, new: RunResult, path: Path) -> RunResult:
    """Add the variants that were missing."""
    if (found.video_of_caption, found.opposed) != (new.video_of_caption, new.opposed):
        raise ConfigError(f"the split's videos or captions have changed since {path} was written: delete it")
    return replace(found, under={**found.under, **new.under})


def _collect(start: str, variant: Variant, jobs: Sequence[Job]) -> VariantResult:
    found = (job.found() for job in jobs if (job.start, job.variant) == (start, variant))
    return VariantResult(start, variant, tuple(result for result in found if result is not None))


def _batch(config: StudyConfig, model: CenterCLIP) -> tuple[Tensor, list[str]]:
    """Videos of the reported split with the plan's number of frames, each with a caption, to measure costs.

    Raises:
        ConfigError: the first videos have fewer frames.
    """
    dataset, source = open_split(config, model)
    caption_of = {caption.video: caption.text for caption in dataset.captions}
    whole: list[tuple[Tensor, str]] = []
    most = 0
    for video in sorted(caption_of)[:_TRIED]:
        frames = source.read(dataset.videos[video], config.frames)
        most = max(most, len(frames))
        if len(frames) == config.frames:
            whole.append((frames, caption_of[video]))
        if len(whole) == _BATCH:
            break
    if not whole:
        raise ConfigError(
            f"frames is {config.frames}, but the first videos of {dataset.name} {dataset.split} have at most "
            f"{most}: set frames = {most}"
        )
    return torch.stack([frames for frames, _ in whole]), [caption for _, caption in whole]
