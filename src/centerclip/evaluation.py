"""Evaluation: every video decoded and encoded once, every caption once, then ranks both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.datasets import Dataset
from centerclip.datasets.frames import FrameSource, open_frames
from centerclip.model import CenterCLIP
from centerclip.schedule import TokenSchedule

__all__ = ["Evaluation", "embed_captions", "embed_videos", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """One schedule's result: the ranks of both directions and their summaries."""

    schedule: str
    reducer: str
    fingerprint: str
    frames: int
    videos: int
    captions: int
    missing: tuple[str, ...]
    text_to_video: metrics.Summary
    video_to_text: metrics.Summary
    text_to_video_ranks: NDArray[np.float64]
    video_to_text_ranks: NDArray[np.float64]


def embed_videos(
    model: CenterCLIP, source: FrameSource, count: int, *, batch_size: int = 32
) -> NDArray[np.float32]:
    """Embeddings [count, E] of the first `count` videos of `source`, at the stride centers."""
    embeddings = []
    device = model.logit_scale.device
    model.eval()
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            items = range(start, min(start + batch_size, count))
            frames, mask = source.batch(items, model.frames)
            video = model.encode_video(model.preprocess(frames.to(device)), mask.to(device))
            embeddings.append(video.float().cpu().numpy())
    return np.concatenate(embeddings)


def embed_captions(
    model: CenterCLIP, captions: Sequence[str], *, batch_size: int = 256
) -> NDArray[np.float32]:
    """Embeddings [len(captions), E] of sentences."""
    model.eval()
    with torch.inference_mode():
        return np.concatenate(
            [
                model.encode_text(list(captions[start : start + batch_size])).float().cpu().numpy()
                for start in range(0, len(captions), batch_size)
            ]
        )


def evaluate(
    model: CenterCLIP,
    dataset: Dataset,
    *,
    schedules: Sequence[str | TokenSchedule] | None = None,
    source: FrameSource | None = None,
    seed: int = 0,
) -> list[Evaluation]:
    """Rank every caption's video among all videos, and every video's captions among all captions.

    Args:
        model: put on its device; the same weights serve every schedule.
        dataset: the split; several captions a video are welcome.
        schedules: token schedules to compare; the model's own if None.
        source: where frames come from; decoded from the data set's files if None.
        seed: of the bootstrap.

    Returns:
        One result a schedule, in order.

    Raises:
        VideoError: a file gives no frame.
        ScheduleError: a schedule doesn't fit the model.
    """
    if source is None:
        source = open_frames(dataset.videos, model.image_size)
    text = embed_captions(model, [caption.text for caption in dataset.captions])
    video_of_caption = dataset.video_of_caption()
    results = []
    for schedule in [model.schedule] if schedules is None else schedules:
        scheduled = CenterCLIP(
            model.backbone, schedule, reducer=model.reducer, frames=model.frames, temporal=model.temporal
        )
        similarity = text @ embed_videos(scheduled, source, len(dataset.videos)).T  # [C, V]
        forward = metrics.ranks(similarity, video_of_caption)
        backward = metrics.video_to_text_ranks(similarity, video_of_caption)
        results.append(
            Evaluation(
                schedule=str(scheduled.schedule),
                reducer=scheduled.reducer.name,
                fingerprint=scheduled.fingerprint(),
                frames=scheduled.frames,
                videos=len(dataset.videos),
                captions=len(dataset.captions),
                missing=dataset.missing,
                text_to_video=metrics.summarize(forward, groups=video_of_caption, seed=seed),
                video_to_text=metrics.summarize(backward, seed=seed),
                text_to_video_ranks=forward,
                video_to_text_ranks=backward,
            )
        )
    return results
