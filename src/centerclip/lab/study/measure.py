"""The results of one trained model: ranks both ways under each variant, and captions against opposites."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.datasets import Dataset, load_dataset
from centerclip.embedding import embed_all, encode_texts
from centerclip.embedding.frames import FrameSource, decode_from, open_frames
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.results import Ranks, RunResult
from centerclip.lab.toy_world import opposite_caption
from centerclip.model import CenterCLIP
from centerclip.preprocessing import Preprocessing

__all__ = ["measure", "open_split"]


def open_split(config: StudyConfig, split: str, preprocessing: Preprocessing) -> tuple[Dataset, FrameSource]:
    """Load a split, with its frames preprocessed for a model."""
    data = config.data
    dataset = load_dataset(
        data.dataset,
        split,
        videos=data.videos,
        annotations=data.annotations,
        allow_missing=data.allow_missing,
    )
    kept = max(data.cached_frames, config.frames)
    return dataset, open_frames(
        dataset.videos, preprocessing, cache=data.cache, kept=kept, workers=data.workers
    )


def measure(
    model: CenterCLIP, config: StudyConfig, *, plan: str, start: str, variant: Variant, seed: int
) -> RunResult:
    """Rank the test split under the model's own variant and under those of `run_under`.

    If there are several, the val split is ranked too, so that one can be chosen without the test split.
    """
    variants = list(dict.fromkeys((variant, *config.others())))
    models = {each.name: model.with_(**each.settings(config.frames)) for each in variants}
    dataset, source = open_split(config, "test", model.preprocessing)
    owner = dataset.video_of_caption()
    captions = [caption.text for caption in dataset.captions]
    text = encode_texts(model, captions, max_tokens=dataset.max_text_tokens)  # [C, E]
    opposites = {i: opposite for i, caption in enumerate(captions) if (opposite := opposite_caption(caption))}
    opposed = list(opposites)
    reverse = encode_texts(model, list(opposites.values()), max_tokens=dataset.max_text_tokens)
    recalls: dict[str, float] = {}
    if len(models) > 1:
        recalls = _recalls(models, *open_split(config, config.data.val_split, model.preprocessing))
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
