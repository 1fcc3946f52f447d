"""What a study will take, before it runs: runs, hours from one timed step, and power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from centerclip.lab.bench.subjects import toy_batch
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.costs import Cost, measure_costs
from centerclip.lab.study.statistics import detectable, equivalence_power
from centerclip.model import CenterCLIP
from centerclip.training.config import TrainConfig, load_config
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["Budget", "budget"]

_BATCH = 8
_MEASURED_VIDEOS = 500
"""Videos per split, for a data set that isn't rendered here."""


@dataclass(frozen=True)
class Budget:
    """What a study takes on this machine.

    Attributes:
        runs: models to train, or without training to measure.
        passes: times that a split is encoded.
        start_hours: of training the starts, on one core of this machine.
        hours: of all runs, on one core, without the starts.
        tests: comparisons that p-values are corrected for.
        margin: of equivalence, in points.
        detectable: smallest true difference, in points, that is found with a power of 80 %.
        equivalence_power: probability that equal variants are found equivalent.

    The last two are None unless the plan says which standard errors to expect.
    """

    runs: int
    passes: int
    start_hours: float
    hours: float
    tests: int
    margin: float | None
    detectable: float | None
    equivalence_power: float | None


def budget(config: StudyConfig) -> Budget:
    """Time one step and one video of every variant, and add up what the study takes. Nothing is written.

    Starts and runs that are finished still count. Hours are processor time, as of one core without a GPU.

    Raises:
        ConfigError, ModelError, ScheduleError: something in the plan can't be used.
    """
    pairs = config.pairs()
    variants = list(dict.fromkeys((*config.expand(), *config.others(), _PLAIN)))
    model = _model(config)
    frames, captions = toy_batch(_BATCH, frames=config.frames, size=model.preprocessing.image_size)
    costs = measure_costs(model, variants, frames, captions, rounds=1)
    steps = config.optimization.steps or 0 if config.optimization else 0
    size = config.optimization.batch_size / _BATCH if config.optimization else 0.0
    seconds, passes = 0.0, 0
    for _, variant in config.arms:
        others = [each for each in config.others() if each != variant]
        encoded = [variant, *others]
        videos = _videos(config, choosing=bool(others))
        seconds += steps * size * costs[variant.name].step_core_seconds
        seconds += videos * sum(costs[each.name].video_core_seconds for each in encoded)
        passes += len(encoded) * (2 if others else 1)
    seeds = len(config.seeds)
    expected, tests = _expected(config), max(len(pairs), 1)
    return Budget(
        runs=len(config.arms) * seeds,
        passes=passes * seeds,
        start_hours=sum(_start_seconds(start, config, costs) for start in config.starts.values()) / 3600,
        hours=seconds * seeds / 3600,
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
        return _MEASURED_VIDEOS * (2 if choosing else 1)
    return config.world.test + (config.world.val if choosing else 0)


def _start_seconds(start: str, config: StudyConfig, costs: dict[str, Cost]) -> float:
    """Seconds to train a start, as if its tower cost as much per frame as the study's `none`."""
    if not start.endswith(".toml"):
        return 0.0
    recipe = load_config(start)
    share = (recipe.model.frames or config.frames) / config.frames
    step = costs[_PLAIN.name].step_core_seconds * share * recipe.optimization.batch_size / _BATCH
    return step * (recipe.optimization.steps or 0)


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
    _, captions = toy_batch(_BATCH, frames=1, size=(16, 16))
    sizes = section.architecture
    tokenizer = fit_tokenizer(captions, vocabulary=sizes.vocabulary, context_length=sizes.context_length)
    torch.manual_seed(0)
    clip = make_clip(sizes, vocabulary=max(sizes.vocabulary, len(tokenizer)))
    return CenterCLIP(clip, "none", frames=config.frames, tokenizer=tokenizer)
