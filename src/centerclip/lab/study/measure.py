"""The results of one trained model: ranks both ways under each variant, and captions against opposites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.datasets import Dataset
from centerclip.embedding import embed_all, encode_texts
from centerclip.embedding.frames import FrameSource, decode_from
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.results import Ranks, RunResult
from centerclip.lab.toy_world import opposite_caption
from centerclip.model import CenterCLIP
from centerclip.preprocessing import Preprocessing
from centerclip.training.data import load_split, load_validation, open_source, without_unreadable

__all__ = ["measure", "open_split"]


def open_split(config: StudyConfig, model: CenterCLIP) -> tuple[Dataset, FrameSource]:
    """Load the split that results are reported on, with its frames preprocessed for a model."""
    return _opened(config, load_split(config.data, config.split), model.preprocessing)


def measure(
    model: CenterCLIP,
    config: StudyConfig,
    variants: Sequence[Variant],
    *,
    plan: str,
    start: str,
    variant: Variant,
    seed: int,
) -> RunResult:
    """Rank the reported split under some variants; with the validation recall if one is to be chosen.

    Args:
        model: trained under `variant` from `start` with `seed`.
        variants: to run it under.
        plan: a hash of everything that the model depends on.
    """
    models = {each.name: model.with_(**each.settings(config.frames)) for each in variants}
    dataset, source = open_split(config, model)
    owner = dataset.video_of_caption()
    captions = [caption.text for caption in dataset.captions]
    text = encode_texts(model, captions, max_tokens=dataset.max_text_tokens)  # [C, E]
    opposites = {i: opposite for i, caption in enumerate(captions) if (opposite := opposite_caption(caption))}
    opposed = list(opposites)
    reverse = encode_texts(model, list(opposites.values()), max_tokens=dataset.max_text_tokens)
    recalls: dict[str, float] = {}
    if config.chooses(variant):
        recalls = _recalls(models, *_opened(config, load_validation(config.data), model.preprocessing))
    under: dict[str, Ranks] = {}
    for name, each in models.items():
        video = embed_all(dataset.videos, each, decode=decode_from(source, each.frames))  # [V, E]
        similarity = text @ video.T
        under[name] = Ranks(
            forward=metrics.ranks(similarity, owner).tolist(),
            backward=metrics.video_to_text_ranks(similarity, owner).tolist(),
            opposite=_against(text[opposed], reverse, video[owner[opposed]]),
            validation=recalls.get(name),
        )
    return RunResult(plan, start, variant.name, seed, owner.tolist(), opposed, under)


def _opened(
    config: StudyConfig, dataset: Dataset, preprocessing: Preprocessing
) -> tuple[Dataset, FrameSource]:
    dataset = without_unreadable(config.data, dataset)
    return dataset, open_source(config.data, dataset.videos, preprocessing, config.frames)


def _against(
    own: NDArray[np.float32], opposite: NDArray[np.float32], videos: NDArray[np.float32]
) -> list[float]:
    """Rank each caption among itself and its opposite, for its video; all [captions, E]."""
    if not len(own):
        return []
    both = np.stack([np.einsum("ce,ce->c", side, videos) for side in (own, opposite)], axis=1)
    return list(map(float, metrics.ranks(both, np.zeros(len(both), np.int64))))


def _recalls(models: dict[str, CenterCLIP], dataset: Dataset, source: FrameSource) -> dict[str, float]:
    """Text-to-video R@1 of each model in percent."""
    captions = [caption.text for caption in dataset.captions]
    text = encode_texts(next(iter(models.values())), captions, max_tokens=dataset.max_text_tokens)
    owner = dataset.video_of_caption()
    recalls = {}
    for name, model in models.items():
        video = embed_all(dataset.videos, model, decode=decode_from(source, model.frames))
        recalls[name] = 100 * float((metrics.ranks(text @ video.T, owner) <= 1).mean())
    return recalls
