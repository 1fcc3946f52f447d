"""What a study will take, before it runs: runs, multiply-adds, hours from one timed step, and power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from centerclip.lab.bench.memory import training_loss
from centerclip.lab.bench.subjects import toy_batch
from centerclip.lab.bench.timing import clock_of, take_turns
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.statistics import detectable, equivalence_power
from centerclip.model import CenterCLIP
from centerclip.training.config import DataSection, OptimizationSection, TrainConfig, load_config
from centerclip.training.data import load_split
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["ASSUMED_VIDEOS", "Budget", "budget"]

ASSUMED_VIDEOS = 500
"""Videos per split of a data set that isn't rendered here: its files may not be there yet."""
_TIMED = 20e9
"""Multiply-adds of the forward pass that is timed, about: a second on one core."""
_ROUNDS = 3
"""Times that it is timed."""
_MOST_VIDEOS = 8
"""Videos in it, at most."""
_BACKWARD = 3
"""A training step takes as long as this many forward passes: one forward, and two for both gradients."""


@dataclass(frozen=True)
class Budget:
    """What a study takes on this machine.

    Attributes:
        runs: models to train, or without training to measure.
        steps: of training per run.
        passes: times that a split is encoded.
        videos: in the reported split.
        multiply_adds: of the vision tower in all runs, without the starts.
        start_hours: of training the starts, on one core of this machine.
        hours: of all runs, on one core, without the starts.
        tests: comparisons that p-values are corrected for.
        margin: of equivalence, in points.
        detectable: smallest true difference, in points, that is found with a power of 80 %.
        equivalence_power: probability that equal variants are found equivalent.

    The last two are None unless the plan says which standard errors to expect.
    """

    runs: int
    steps: int
    passes: int
    videos: int
    multiply_adds: float
    start_hours: float
    hours: float
    tests: int
    margin: float | None
    detectable: float | None
    equivalence_power: float | None


def budget(config: StudyConfig) -> Budget:
    """Add up what the study takes, in seconds: only one step under `none` is timed. Nothing is written.

    Starts and runs that are finished still count. Hours are processor time, as of one core without a GPU, and
    follow from multiply-adds, so they leave out what the reducers themselves take.

    Raises:
        ConfigError, ModelError, ScheduleError: something in the plan can't be used.
        DatasetError: the training split can't be read, whose captions an epoch consists of.
    """
    pairs = config.pairs()
    model = _model(config)
    speed = _multiply_adds_per_second(model)
    forward = {  # multiply-adds per video
        each.name: _multiply_adds(model, each, config)
        for each in (*config.expand(), *config.others(), _PLAIN)
    }
    steps = 0 if config.optimization is None else _steps(config.optimization, config.data)
    trained = _BACKWARD * steps * (config.optimization.batch_size if config.optimization else 0)
    total, passes = 0.0, 0
    for _, variant in config.arms:
        columns, chooses = config.columns(variant), config.chooses(variant)
        total += trained * forward[variant.name]
        total += _videos(config, choosing=chooses) * sum(forward[each.name] for each in columns)
        passes += len(columns) * (2 if chooses else 1)
    seeds = len(config.seeds)
    starts = sum(_start_multiply_adds(start, config, forward) for start in config.starts.values())
    expected, tests = _expected(config), max(len(pairs), 1)
    return Budget(
        runs=len(config.arms) * seeds,
        steps=steps,
        passes=passes * seeds,
        videos=_videos(config, choosing=False),
        multiply_adds=total * seeds,
        start_hours=starts / speed / 3600,
        hours=total * seeds / speed / 3600,
        tests=len(pairs),
        margin=config.margin,
        detectable=None if expected is None else detectable(*expected, tests=tests),
        equivalence_power=None
        if expected is None or config.margin is None
        else equivalence_power(*expected, config.margin, tests=tests),
    )


_PLAIN = Variant(reducer="kmedoids", schedule="none")


def _expected(config: StudyConfig) -> tuple[float, float] | None:
    """The standard error that the plan expects of a difference, and its degrees of freedom."""
    if config.assumed_errors is None:
        return None
    by_seed, by_video = config.assumed_errors.seeds**2, config.assumed_errors.videos**2
    videos = _videos(config, choosing=False)
    spread = by_seed**2 / max(len(config.seeds) - 1, 1) + by_video**2 / max(videos - 1, 1)
    return math.sqrt(by_seed + by_video), (by_seed + by_video) ** 2 / spread


def _videos(config: StudyConfig, *, choosing: bool) -> int:
    if config.world is None:
        return ASSUMED_VIDEOS * (2 if choosing else 1)
    return int(getattr(config.world, config.split, 0)) + (config.world.val if choosing else 0)


def _steps(optimization: OptimizationSection, data: DataSection) -> int:
    if optimization.steps is not None:
        return optimization.steps
    captions = len(load_split(data, data.train_split).captions)
    return max(1, round((optimization.epochs or 0) * captions / optimization.batch_size))


def _multiply_adds(model: CenterCLIP, variant: Variant, config: StudyConfig) -> int:
    """Of the vision tower's forward pass, per video."""
    under = model.with_(**variant.settings(config.frames))
    return under.backbone.multiply_adds(under.schedule, under.frames)


def _multiply_adds_per_second(model: CenterCLIP) -> float:
    """Time training steps under `none` on one core, in processor time; the quickest is disturbed least."""
    one = model.with_(schedule="none", frames=1)
    frames = max(1, min(model.frames, int(_TIMED / one.backbone.multiply_adds(one.schedule, 1))))
    timed = model.with_(schedule="none", frames=frames).train()
    cost = timed.backbone.multiply_adds(timed.schedule, frames)
    videos = max(2, min(_MOST_VIDEOS, int(_TIMED / cost)))
    batch, captions = toy_batch(videos, frames=frames, size=timed.preprocessing.image_size)

    def step() -> None:
        with torch.enable_grad():
            training_loss(timed, batch, captions).backward()  # type: ignore[no-untyped-call]
        timed.zero_grad(set_to_none=True)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = take_turns({"step": step}, rounds=_ROUNDS, clock=clock_of(timed.device))["step"].cpu_seconds
    finally:
        torch.set_num_threads(threads)
    return _BACKWARD * videos * cost / max(min(seconds), 1e-6)


def _start_multiply_adds(start: str, config: StudyConfig, forward: dict[str, int]) -> float:
    """To train a start, as if its tower cost as much per frame as the study's `none`."""
    if not start.endswith(".toml"):
        return 0.0
    recipe = load_config(start)
    share = (recipe.model.frames or config.frames) / config.frames
    videos = recipe.optimization.batch_size * _steps(recipe.optimization, recipe.data)
    return _BACKWARD * forward[_PLAIN.name] * share * videos


def _model(config: StudyConfig) -> CenterCLIP:
    """The first start; if it is yet to be trained, one of its sizes with random weights."""
    start = next(iter(config.starts.values()))
    if not start.endswith(".toml"):
        return CenterCLIP.from_pretrained(start, schedule="none", frames=config.frames)
    recipe: TrainConfig = load_config(start)
    if (Path(recipe.output) / "best").is_dir():
        return CenterCLIP.from_pretrained(recipe.output / "best", schedule="none", frames=config.frames)
    section = recipe.model
    if section.architecture is None:
        assert section.start is not None
        return CenterCLIP.from_pretrained(section.start, schedule="none", frames=config.frames)
    _, captions = toy_batch(_MOST_VIDEOS, frames=1, size=(16, 16))
    sizes = section.architecture
    tokenizer = fit_tokenizer(captions, vocabulary=sizes.vocabulary, context_length=sizes.context_length)
    torch.manual_seed(0)
    clip = make_clip(sizes, vocabulary=max(sizes.vocabulary, len(tokenizer)))
    return CenterCLIP(clip, "none", frames=config.frames, tokenizer=tokenizer)
