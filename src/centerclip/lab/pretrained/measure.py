"""Embeds halves of clips by one model under many reductions, and says how much each reduction changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from centerclip.datasets import Dataset
from centerclip.embedding import embed
from centerclip.embedding.store import EmbeddingStore, video_key
from centerclip.errors import VideoError
from centerclip.evaluation import evaluate
from centerclip.lab.pretrained.clips import Halves, cut_halves
from centerclip.lab.pretrained.figures import compare_embeddings
from centerclip.lab.pretrained.shared import SharedTower
from centerclip.metrics import Estimate
from centerclip.model import CenterCLIP
from centerclip.records import Failed, Item

__all__ = ["Findings", "Row", "measure_pretrained"]

_SAVE_EVERY = 10
"""Items between writes of the cache, so that a stopped run loses little."""


@dataclass(frozen=True)
class Row:
    """What one variant changes; percentages and cosines are means over halves, with intervals over clips.

    Attributes:
        reducer: its label, or `none`.
        schedule: its notation.
        frames: T, frames per half.
        multiply_adds: of the vision tower per half.
        cost: the same, relative to the unreduced model on the full number of frames.
        cosine: of the embedding with that of the unreduced model on the full number of frames.
        gain: cosine minus that of the schedule's first reducer; None for the first.
        top_1: how often the class is that of the unreduced model, in percent; None without a classifier.
        neighbor: how often the nearest half of another clip is the same one, in percent.
        halves: how often a half finds the other half of its clip among all halves, R@1 in percent.
        text: how often a caption finds its video, R@1 in percent; None without captions.
    """

    reducer: str
    schedule: str
    frames: int
    multiply_adds: int
    cost: float
    cosine: Estimate
    gain: Estimate | None
    top_1: Estimate | None
    neighbor: Estimate
    halves: Estimate
    text: Estimate | None = None


@dataclass(frozen=True)
class Findings:
    """All rows: the unreduced model on falling numbers of frames, then schedule by schedule."""

    rows: tuple[Row, ...]
    clips: int
    failed: tuple[Failed, ...]


def measure_pretrained(
    model: CenterCLIP,
    clips: Sequence[Item],
    *,
    schedules: Sequence[str],
    reducers: Sequence[str],
    fewer: Sequence[int] = (),
    dataset: Dataset | None = None,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Findings:
    """Compare reductions of a model that wasn't trained with them.

    Each clip is cut in the middle. Both halves are embedded by the unreduced model, on its own number of
    frames and on fewer, and under every schedule with every reducer.

    Args:
        model: in evaluation mode; its own schedule and reducer are not used.
        clips: at least two; those that can't be read are left out.
        schedules: notation or presets.
        reducers: names with options.
        fewer: numbers of frames for the unreduced model.
        dataset: with captions, whose videos the clips are; also ranks them by the captions.
        cache: folder that keeps embeddings, so that a stopped run continues.
        on_progress: called with the finished halves and all, once for each number of frames.

    Raises:
        ScheduleError, ConfigError: a schedule or reducer that doesn't suit the model.
        VideoError: fewer than two clips can be read.
    """
    whole = model.with_(schedule="none")
    whole.tower = SharedTower(model.backbone)
    reduced = [
        whole.with_(schedule=schedule, reducer=reducer) for schedule in schedules for reducer in reducers
    ]
    by_frames = [whole.with_(frames=count) for count in sorted(fewer, reverse=True)]
    variants = [whole, *by_frames, *reduced]
    halves, vectors = _embed(variants, cut_halves(clips), cache, on_progress)
    texts: list[Estimate | None] = [None] * len(variants)
    if dataset is not None:
        texts = [_rank_text(variant, dataset, cache) for variant in variants]
    firsts = {str(variant.schedule): place for place, variant in reversed([*enumerate(variants)])}
    full = _cost(whole)
    rows = []
    for place, variant in enumerate(variants):
        first = firsts[str(variant.schedule)]
        found = compare_embeddings(
            vectors[place],
            reference=vectors[0],
            rival=None if place == first or not variant.schedule else vectors[first],
            clips=halves.clips,
            classify=_classifier(model),
        )
        rows.append(
            Row(
                variant.reducer.label if variant.schedule else "none",
                str(variant.schedule),
                variant.frames,
                _cost(variant),
                _cost(variant) / full,
                **found,
                text=texts[place],
            )
        )
    return Findings(tuple(rows), len(halves.items) // 2, halves.failed)


def _cost(model: CenterCLIP) -> int:
    return model.backbone.multiply_adds(model.schedule, model.frames)


def _classifier(model: CenterCLIP) -> Callable[[NDArray[np.float32]], NDArray[np.int64]] | None:
    """The backbone's own classifier of unit embeddings [N, E], if it has one."""
    classify = getattr(model.backbone, "classify", None)
    if classify is None:
        return None

    def classes(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        with torch.inference_mode():
            found: NDArray[np.int64] = classify(torch.from_numpy(vectors).to(model.device)).cpu().numpy()
        return found

    return classes


def _rank_text(model: CenterCLIP, dataset: Dataset, cache: Path | None) -> Estimate:
    data = replace(dataset, frames=model.frames)
    (result,) = evaluate(model, data, cache=cache, allow_missing=True)
    return result.text_to_video.recall_at_1


def _embed(
    models: Sequence[CenterCLIP],
    halves: Halves,
    cache: Path | None,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[Halves, list[NDArray[np.float32]]]:
    """Embed the halves by each model: [2 C, E] each; clips that can't be decoded are left out."""
    stores = {id(model): _open_store(cache, model) for model in models}
    failed: list[Failed] = []
    for count in dict.fromkeys(model.frames for model in models):
        own = [model for model in models if model.frames == count]
        for done, failure in enumerate(_fill(own, [stores[id(model)] for model in own], halves.items), 1):
            failed += [failure] if failure else []
            if on_progress is not None:
                on_progress(done, len(halves.items))
    halves = halves.without(failed)
    if len(halves.items) < 4:
        raise VideoError(
            f"only {len(halves.items) // 2} of the clips can be read, but finding one among others needs "
            "two: give more videos"
        )
    keys = [video_key(item) for item in halves.items]
    return halves, [stores[id(model)].take(keys) for model in models]


def _fill(
    models: Sequence[CenterCLIP], stores: Sequence[EmbeddingStore], items: Sequence[Item]
) -> Iterator[Failed | None]:
    """Embed the items that a store lacks by that store's model; yield once per item."""
    key_of = {item: video_key(item) for item in items}
    lacking = [
        (model, store) for model, store in zip(models, stores, strict=True) if store.missing(key_of.values())
    ]
    missing = {key for _, store in lacking for key in store.missing(key_of.values())}
    waiting = [item for item in items if key_of[item] in missing]
    yield from [None] * (len(items) - len(waiting))
    try:
        with closing(embed(waiting, [model for model, _ in lacking])) as results:
            for done, (item, result) in enumerate(zip(waiting, results, strict=True), start=1):
                if isinstance(result, Failed):
                    yield result
                    continue
                for (_, store), video in zip(lacking, result, strict=True):
                    store.put([key_of[item]], video.windows[0].vector[None])
                if done % _SAVE_EVERY == 0:
                    for store in stores:
                        store.save()
                yield None
    finally:
        for store in stores:
            store.save()


def _open_store(cache: Path | None, model: CenterCLIP) -> EmbeddingStore:
    return EmbeddingStore(cache, f"halves-{model.fingerprint()}")
