"""The results of one run: ranks both ways, and whether the model recognizes directions."""

from __future__ import annotations

import numpy as np

from centerclip import metrics
from centerclip.datasets import Dataset, load_dataset
from centerclip.embedding import embed_all, encode_texts
from centerclip.embedding.frames import FrameSource, decode_from, open_frames
from centerclip.lab.study.config import StudyConfig, Variant
from centerclip.lab.study.results import RunResult
from centerclip.lab.toy_world import reversed_caption
from centerclip.model import CenterCLIP
from centerclip.preprocessing import Preprocessing

__all__ = ["measure", "open_test"]


def open_test(config: StudyConfig, preprocessing: Preprocessing) -> tuple[Dataset, FrameSource]:
    """Load the test split, with its frames preprocessed for a model."""
    data = config.data
    dataset = load_dataset(
        data.dataset,
        "test",
        videos=data.videos,
        annotations=data.annotations,
        allow_missing=data.allow_missing,
    )
    kept = max(data.cached_frames, config.frames)
    return dataset, open_frames(
        dataset.videos, preprocessing, cache=data.cache, kept=kept, workers=data.workers
    )


def measure(model: CenterCLIP, config: StudyConfig, variant: Variant, seed: int, plan: str) -> RunResult:
    """Rank the test split, and each caption that names a direction against its opposite."""
    dataset, source = open_test(config, model.preprocessing)
    video = embed_all(dataset.videos, model, decode=decode_from(source, model.frames))  # [V, E]
    captions = [caption.text for caption in dataset.captions]
    text = encode_texts(model, captions, max_tokens=dataset.max_text_tokens)  # [C, E]
    owner = dataset.video_of_caption()
    similarity = text @ video.T
    opposites = {i: opposite for i, caption in enumerate(captions) if (opposite := reversed_caption(caption))}
    directed = list(opposites)
    direction_ranks: list[float] = []
    if directed:
        reverse = encode_texts(model, list(opposites.values()), max_tokens=dataset.max_text_tokens)
        both = [np.einsum("ce,ce->c", side, video[owner[directed]]) for side in (text[directed], reverse)]
        pairs = np.stack(both, axis=1)  # [directed, 2]
        direction_ranks = metrics.ranks(pairs, np.zeros(len(directed), np.int64)).tolist()
    return RunResult(
        plan=plan,
        variant=variant.name,
        seed=seed,
        ranks=metrics.ranks(similarity, owner).tolist(),
        reverse_ranks=metrics.video_to_text_ranks(similarity, owner).tolist(),
        video_of_caption=owner.tolist(),
        directed=directed,
        direction_ranks=direction_ranks,
    )
